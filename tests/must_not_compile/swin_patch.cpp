// SPDX-License-Identifier: MIT
// EXPECT: SwinConfig: patch must be at least 1 pixel
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>

namespace mv = minivit;

constexpr mv::SwinConfig config = [] {
  auto c = mv::presets::swin_lite_patch2_window4_32;
#ifdef BAD
  c.patch = 0;
#endif
  return c;
}();

static_assert(mv::Swin<config>::parameters > 0);
