// SPDX-License-Identifier: MIT
// The students that share the teacher's weights: three, five and all fifteen layers on one set.
#include "recipes.hpp"
#include "rows.hpp"

namespace study {

bool run_students(const Context& c) {
  using namespace mv::presets;
  const Recipe recipe = student_recipe();
  const Distillation<mini_vit_lite_patch4_32> loss(prediction, {.weight = 1}, {.weight = 0.1});
  const mv::MultiplexOptions start{};
  return distil_row<mini_vit_lite_patch4_32>(c, "student_third", 1, recipe, loss, &start) &&
         distil_row<mini_vit_lite_repeat15_patch4_32>(c, "student_ninth", 1, recipe, loss, &start) &&
         distil_row<mini_vit_lite_repeat5_patch4_32>(c, "student_quarter", 1, recipe, loss, &start);
}

}  // namespace study
