// SPDX-License-Identifier: MIT
// Stochastic depth (Huang et al. 2016) as in the reference: layer l of L drops its two residual branches with rate * l / (L
// - 1), drawn apart for each image and branch. What is kept is multiplied by 1 / (1 - rate).
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/core/random.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Per-image factors of the two residual branches of a layer; null: the branch is added as it is.
template <class T>
struct DropPath {
  const T* attn = nullptr;  ///< [B], 0 or 1 / (1 - rate)
  const T* mlp = nullptr;   ///< [B]
};

/// The draw depends on the image's number in the run, not on how a batch is cut.
struct StochasticDepth {
  double rate = 0;        ///< of the last layer
  Random random{0};       ///< stream of this training step
  Index first_image = 0;  ///< number, inside the batch, of the first image of this call

  /// Factors of layer l of `layers` for B images, in memory of `arena`; null when nothing can be dropped.
  template <class T>
  constexpr DropPath<T> draw(int l, int layers, Index B, Arena<T>& arena) const {
    T* const attn = arena.raw(B);
    T* const mlp = arena.raw(B);
    const double p = layers > 1 ? rate * l / (layers - 1) : 0.0;
    if (arena.counting() || p <= 0) return {};
    const auto factor = [&](Index b, std::uint64_t branch) {
      const auto stream = random.fork(static_cast<std::uint64_t>(first_image + b)).fork(static_cast<std::uint64_t>(l));
      return stream.uniform(branch) < p ? T{0} : static_cast<T>(1 / (1 - p));
    };
    for (Index b = 0; b < B; ++b) {
      attn[b] = factor(b, 0);
      mlp[b] = factor(b, 1);
    }
    return {attn, mlp};
  }
};

}  // namespace minivit::inline MINIVIT_ISA
