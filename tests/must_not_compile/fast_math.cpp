// SPDX-License-Identifier: MIT
// A flag under which results would be wrong.
// BAD: -ffast-math
// EXPECT: minivit: -ffast-math breaks exp and tanh and hides NaN; compile without it
#include <minivit/core/view.hpp>

namespace mv = minivit;

float first(mv::View<float, 4> x) { return x[0]; }
