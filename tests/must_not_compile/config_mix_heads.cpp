// SPDX-License-Identifier: MIT
// EXPECT: ViTConfig: sharing.mix_heads needs at least 2 heads to mix
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

namespace mv = minivit;

constexpr mv::ViTConfig config = [] {
  auto c = mv::presets::deit_tiny;
#ifdef BAD
  c.heads = 1;
  c.sharing = {.repeat = 2, .mix_heads = true};
#endif
  return c;
}();

static_assert(mv::ViT<config>::parameters > 0);
