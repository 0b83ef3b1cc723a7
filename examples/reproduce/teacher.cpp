// SPDX-License-Identifier: MIT
// The teacher of the main table.
#include "rows.hpp"

namespace study {

bool run_teacher(const Context& c) { return teacher_rows<Teacher>(c, "teacher", teacher_recipe(14, 12)); }

}  // namespace study
