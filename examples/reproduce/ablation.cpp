// SPDX-License-Identifier: MIT
// The ablation of MiniViT's parts: sharing alone, then one part after the other, two seeds each.
#include "rows.hpp"

namespace study {

bool run_ablation(const Context& c) {
  using Mini = mv::ViT<mini_config>;
  const Recipe recipe = ablation_recipe();
  for (const std::uint64_t seed : {1u, 2u}) {
    if (!train_row<mv::ViT<base_config>>(c, "ablation_0_unshared", seed, recipe)) return false;
    if (!train_row<mv::ViT<shared_config>>(c, "ablation_1_shared", seed, recipe)) return false;
    if (!train_row<mv::ViT<norms_config>>(c, "ablation_2_norms", seed, recipe)) return false;
    if (!train_row<Mini>(c, "ablation_3_transformations", seed, recipe)) return false;
    if (!distil_row<Mini, TeacherAt24>(c, "ablation_4_prediction", seed, recipe, prediction, "teacher_at_24")) return false;
    if (!distil_row<Mini, TeacherAt24>(c, "ablation_5_features", seed, recipe, distillation<Mini, TeacherAt24>,
                                       "teacher_at_24"))
      return false;
  }
  draw_figures(c);
  return true;
}

}  // namespace study
