// SPDX-License-Identifier: MIT
// EXPECT: SwinConfig: image must be between 1 and 16384 pixels
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>

namespace mv = minivit;

constexpr mv::SwinConfig config = [] {
  auto c = mv::presets::swin_lite_patch2_window4_32;
#ifdef BAD
  c.image = 0;
#endif
  return c;
}();

static_assert(mv::Swin<config>::parameters > 0);
