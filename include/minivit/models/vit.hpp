// SPDX-License-Identifier: MIT
// ViT: a DeiT or Mini-DeiT as a type.
#pragma once

#include <minivit/models/network.hpp>
#include <minivit/models/vit_net.hpp>

namespace minivit::inline MINIVIT_ISA {

/// What makes a Network a DeiT.
template <ViTConfig C>
struct ViTFamily {
  static constexpr ViTConfig config = Checked<C>::value;  ///< the config, after its rules were checked
  static constexpr int tokens = config.tokens();          ///< of an image, extra ones included
  static constexpr bool distilled = config.distilled;     ///< whether there is a second head
  template <class S>
  using Net = ViTNet<C, S>;  ///< the layers over storage S
};

/// DeiT or Mini-DeiT with parameters of type T; network.hpp has what it offers.
template <ViTConfig C, class T = float>
class ViT : public Network<ViTFamily<C>, T> {
 public:
  using Network<ViTFamily<C>, T>::config;

  /// Multiplications per image in linear layers, convolutions, QK^T, AV, head mixing and relative position.
  static constexpr Index macs = [] {
    const Index n = config.tokens(), d = config.dim, hidden = config.hidden(), h = config.heads,
                patches = Index{config.grid()} * config.grid();
    Index layer = n * (4 * d * d + 2 * d * hidden) + 2 * n * n * d;
    if (config.sharing.mix_heads) layer += 2 * h * h * n * n;
    if (config.sharing.local_conv) layer += patches * d * 49;
    if (config.position.keys) layer += n * d * kernels::relative_columns(config.extra_tokens());
    return patches * config.channels * config.patch * config.patch * d + config.depth * layer +
           d * config.classes * (config.distilled ? 2 : 1);
  }();
};

/// A ViT whose layers share weights.
template <ViTConfig C, class T = float>
requires(C.sharing.repeat > 1) using MiniDeiT = ViT<C, T>;

}  // namespace minivit::inline MINIVIT_ISA
