// SPDX-License-Identifier: MIT
// A flag under which no error could be reported.
// BAD: -fno-exceptions
// EXPECT: minivit: errors are exceptions; compile without -fno-exceptions
#include <minivit/core/view.hpp>

namespace mv = minivit;

float first(mv::View<float, 4> x) { return x[0]; }
