// SPDX-License-Identifier: MIT
// The other family: a Swin as teacher, and a Mini-Swin that has one block in each stage.
#include "rows.hpp"

namespace study {

bool run_swins(const Context& c) {
  using Student = mv::Swin<mv::presets::mini_swin_lite_patch2_window4_32>;
  return teacher_rows<SwinTeacher>(c, "swin_teacher", teacher_recipe(14, 12)) &&
         student_rows<Student, SwinTeacher>(c, "swin_student", student_recipe(4, 3), "swin_teacher");
}

}  // namespace study
