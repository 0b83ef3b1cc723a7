// SPDX-License-Identifier: MIT
// EXPECT: SwinConfig: transformations.mix_heads needs at least 2 heads in every stage
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>

namespace mv = minivit;

constexpr mv::SwinConfig config = [] {
  auto c = mv::presets::swin_lite_patch2_window4_32;
#ifdef BAD
  c.heads[0] = 1;
  c.transformations.mix_heads = true;
#endif
  return c;
}();

static_assert(mv::Swin<config>::parameters > 0);
