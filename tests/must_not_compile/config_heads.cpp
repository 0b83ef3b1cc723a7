// SPDX-License-Identifier: MIT
// EXPECT: ViTConfig: heads must be at least 1
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

namespace mv = minivit;

constexpr mv::ViTConfig config = [] {
  auto c = mv::presets::deit_tiny;
#ifdef BAD
  c.heads = 0;
#endif
  return c;
}();

static_assert(mv::ViT<config>::parameters > 0);
