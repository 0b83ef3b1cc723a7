// SPDX-License-Identifier: MIT
// EXPECT: SwinConfig: image / patch must be divisible by 2 once for every stage but the last
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>

namespace mv = minivit;

constexpr mv::SwinConfig config = [] {
  auto c = mv::presets::swin_lite_patch2_window4_32;
#ifdef BAD
  c.image = 36;
#endif
  return c;
}();

static_assert(mv::Swin<config>::parameters > 0);
