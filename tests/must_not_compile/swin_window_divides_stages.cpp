// SPDX-License-Identifier: MIT
// EXPECT: SwinConfig: in every stage the side of the map (image / patch, halved from stage to stage) must be a multiple of window, or smaller
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>

namespace mv = minivit;

constexpr mv::SwinConfig config = [] {
  auto c = mv::presets::swin_lite_patch2_window4_32;
#ifdef BAD
  c.window = 3;
#endif
  return c;
}();

static_assert(mv::Swin<config>::parameters > 0);
