// SPDX-License-Identifier: MIT
// EXPECT: SwinConfig: depths must name at least one stage of 1 to 256 layers, and zeros only behind the last
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>

namespace mv = minivit;

constexpr mv::SwinConfig config = [] {
  auto c = mv::presets::swin_lite_patch2_window4_32;
#ifdef BAD
  c.depths = c.blocks = {2, 0, 2, 0};
#endif
  return c;
}();

static_assert(mv::Swin<config>::parameters > 0);
