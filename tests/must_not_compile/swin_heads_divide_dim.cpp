// SPDX-License-Identifier: MIT
// EXPECT: SwinConfig: in every stage the width (dim, doubled from stage to stage) must be a multiple of heads
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>

namespace mv = minivit;

constexpr mv::SwinConfig config = [] {
  auto c = mv::presets::swin_lite_patch2_window4_32;
#ifdef BAD
  c.heads[2] = 7;
#endif
  return c;
}();

static_assert(mv::Swin<config>::parameters > 0);
