// SPDX-License-Identifier: MIT
// The other family with the same budgets: a Swin as teacher, a Mini-Swin as its student.
#include "rows.hpp"

namespace study {

bool run_swins(const Context& c) {
  using namespace mv::presets;
  using SwinTeacher = mv::Swin<swin_lite_patch2_window4_32>;
  return teacher_rows<SwinTeacher, mv::Swin<at_24(SwinTeacher::config)>>(c, "swin_teacher") &&
         student_row<mv::Swin<mini_swin_lite_patch2_window4_32>, SwinTeacher>(c, "swin_student", student_recipe(), "swin_teacher");
}

}  // namespace study
