// SPDX-License-Identifier: MIT
// EXPECT: ViTConfig: distilled needs pool == Pool::cls
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

namespace mv = minivit;

constexpr mv::ViTConfig config = [] {
  auto c = mv::presets::deit_tiny;
#ifdef BAD
  c.distilled = true;
  c.pool = mv::Pool::mean;
#endif
  return c;
}();

static_assert(mv::ViT<config>::parameters > 0);
