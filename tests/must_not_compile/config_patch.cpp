// SPDX-License-Identifier: MIT
// EXPECT: ViTConfig: patch must be at least 1 pixel
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

namespace mv = minivit;

constexpr mv::ViTConfig config = [] {
  auto c = mv::presets::deit_tiny;
#ifdef BAD
  c.patch = 0;
#endif
  return c;
}();

static_assert(mv::ViT<config>::parameters > 0);
