// SPDX-License-Identifier: MIT
// The students that share the teacher's weights: three layers on one set, and all fifteen.
#include "rows.hpp"

namespace study {

bool run_students(const Context& c) {
  using namespace mv::presets;
  const auto row = [&]<mv::ViTConfig C>(const char* name) {
    return student_rows<mv::ViT<narrow(C)>, Teacher>(c, name, student_recipe(4, 3), "teacher");
  };
  return row.template operator()<mini_vit_lite_patch4_32>("student_third") &&
         row.template operator()<mini_vit_lite_repeat15_patch4_32>("student_ninth");
}

}  // namespace study
