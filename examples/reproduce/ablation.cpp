// SPDX-License-Identifier: MIT
// The ablation of MiniViT's parts: sharing alone, then one part after the other, two seeds each.
#include "recipes.hpp"
#include "rows.hpp"

namespace study {

bool run_ablation(const Context& c) {
  const Recipe recipe = ablation_recipe();
  const Distillation<mini_config> all(prediction, {.weight = 1}, {.weight = 0.1});
  for (const std::uint64_t seed : {1u, 2u}) {
    if (!train_row<base_config>(c, "ablation_0_unshared", seed, recipe)) return false;
    if (!train_row<shared_config>(c, "ablation_1_shared", seed, recipe)) return false;
    if (!train_row<norms_config>(c, "ablation_2_norms", seed, recipe)) return false;
    if (!train_row<mini_config>(c, "ablation_3_transformations", seed, recipe)) return false;
    if (!distil_row<mini_config>(c, "ablation_4_prediction", seed, recipe, prediction)) return false;
    if (!distil_row<mini_config>(c, "ablation_5_features", seed, recipe, all)) return false;
  }
  return true;
}

}  // namespace study
