// SPDX-License-Identifier: MIT
// What a published Swin or Mini-Swin checkpoint holds beside its parameters (reference section 2.7): for each block the rows
// of the bias table and, where it has layers that mask, the mask of every window. Both follow from the config.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/kernels/windows.hpp>
#include <minivit/models/swin_config.hpp>

namespace minivit::inline MINIVIT_ISA {

/// `layers.S.blocks.B.attn.relative_position_index` [w^2, w^2] and `layers.S.blocks.B.attn_mask` [windows, w^2, w^2]. A
/// block has a mask when its stage shifts and it is shared, or, alone, an odd one (reference section 2.4).
inline std::vector<FixedTensor> swin_fixed_tensors(const SwinConfig& c) {
  std::vector<FixedTensor> out;
  for (int s = 0; s < c.stages(); ++s) {
    const Index w = c.window_at(s), n = w * w, shift = c.shift_at(s);
    const kernels::WindowMap map{c.grid(s), w, shift};
    const auto places = [w, n](Index i, double* to) {
      for (Index j = 0; j < n; ++j) to[j] = static_cast<double>(kernels::position_bias_row(w, i, j));
    };
    const auto mask = [map, n](Index window, double* to) {
      kernels::window_mask(to, n, map.window, map.shift, map.border(window));
    };
    for (int b = 0; b < c.blocks[static_cast<std::size_t>(s)]; ++b) {
      const Name block = Name{} / "layers" / s / "blocks" / b;
      if (shift > 0 && (c.repeat(s) > 1 || b % 2 == 1))
        out.push_back({(block / "attn_mask").str(), {map.windows(), n, n}, false, mask});
      out.push_back({(block / "attn" / "relative_position_index").str(), {n, n}, true, places});
    }
  }
  return out;
}

}  // namespace minivit::inline MINIVIT_ISA
