// SPDX-License-Identifier: MIT
// EXPECT: ViTConfig: classes must be between 1 and 1000000
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

namespace mv = minivit;

constexpr mv::ViTConfig config = [] {
  auto c = mv::presets::deit_tiny;
#ifdef BAD
  c.classes = 0;
#endif
  return c;
}();

static_assert(mv::ViT<config>::parameters > 0);
