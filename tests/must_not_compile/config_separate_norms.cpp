// SPDX-License-Identifier: MIT
// EXPECT: ViTConfig: sharing.separate_norms can only be false where layers share weights (sharing.repeat above 1)
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

namespace mv = minivit;

constexpr mv::ViTConfig config = [] {
  auto c = mv::presets::deit_tiny;
#ifdef BAD
  c.sharing = {.repeat = 1, .separate_norms = false};
#endif
  return c;
}();

static_assert(mv::ViT<config>::parameters > 0);
