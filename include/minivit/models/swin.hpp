// SPDX-License-Identifier: MIT
// Swin: a Swin or Mini-Swin as a type.
#pragma once

#include <minivit/models/network.hpp>
#include <minivit/models/swin_fixed_tensors.hpp>
#include <minivit/models/swin_net.hpp>

namespace minivit::inline MINIVIT_ISA {

/// What makes a Network a Swin.
template <SwinConfig C>
struct SwinFamily {
  static constexpr SwinConfig config = CheckedSwin<C>::value;  ///< the config, after its rules were checked
  /// Of the stage that has most of the layers.
  static constexpr int tokens = [] {
    int most = 0;
    for (int s = 1; s < config.stages(); ++s)
      if (config.depths[static_cast<std::size_t>(s)] > config.depths[static_cast<std::size_t>(most)]) most = s;
    return config.tokens(most);
  }();
  static constexpr bool distilled = false;  ///< no Swin has a distillation token
  template <class S>
  using Net = SwinNet<C, S>;  ///< the layers over storage S
};

/// Swin or Mini-Swin with parameters of type T; network.hpp has what it offers.
template <SwinConfig C, class T = float>
class Swin : public Network<SwinFamily<C>, T> {
 public:
  using Network<SwinFamily<C>, T>::config;

  /// Multiplications per image in linear layers, convolutions, QK^T, AV and head mixing.
  static constexpr Index macs = [] {
    Index sum = Index{config.tokens()} * config.channels * config.patch * config.patch * config.dim;
    for (int s = 0; s < config.stages(); ++s) {
      const Index n = config.tokens(s), d = config.width(s), h = config.heads[static_cast<std::size_t>(s)],
                  reach = Index{config.window_at(s)} * config.window_at(s);
      Index layer = n * d * d * (4 + 2 * config.mlp_ratio) + 2 * n * reach * d;
      if (config.transformations.mix_heads) layer += 2 * h * h * n * reach;
      if (config.transformations.local_conv) layer += 49 * n * d;
      sum += config.depths[static_cast<std::size_t>(s)] * layer + (s + 1 < config.stages() ? 2 * n * d * d : 0);
    }
    return sum + Index{config.width(config.stages() - 1)} * config.classes;
  }();

  /// What published checkpoints hold beside the parameters.
  static std::vector<FixedTensor> fixed_tensors() { return swin_fixed_tensors(config); }
};

/// A Swin whose layers share weights.
template <SwinConfig C, class T = float>
requires(C.blocks != C.depths) using MiniSwin = Swin<C, T>;

}  // namespace minivit::inline MINIVIT_ISA
