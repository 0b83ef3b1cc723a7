// SPDX-License-Identifier: MIT
// EXPECT: ViTConfig: image must be a multiple of patch
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

namespace mv = minivit;

constexpr mv::ViTConfig config = [] {
  auto c = mv::presets::deit_tiny;
#ifdef BAD
  c.patch = 5;
#endif
  return c;
}();

static_assert(mv::ViT<config>::parameters > 0);
