// SPDX-License-Identifier: MIT
// The teacher of the main table.
#include "rows.hpp"

namespace study {

bool run_teacher(const Context& c) { return teacher_rows<Teacher, TeacherAt24>(c, "teacher"); }

}  // namespace study
