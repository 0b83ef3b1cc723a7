// SPDX-License-Identifier: MIT
// attention: softmax attention with MiniViT's head mixing and relative position, image by image, and its backward.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/attention_backward.hpp>
#include <minivit/kernels/reference/attention.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

/// out [B * N, D] from qkv [B, N, 3 D]. Precondition: shape agrees with the extents.
template <class Arch, int D, class T, int N, int D3>
constexpr void attention(View<const T, Dyn, N, D3> qkv, View<T, Dyn, D> out, const kernels::AttentionShape& shape,
                         const kernels::AttentionWeights<T>& weights, Arena<T>& arena) {
  static_assert(D3 == 3 * D);
  const auto scope = arena.scratch();
  T* const scratch = arena.raw(kernels::attention_scratch<Arch, T>(shape));
  if (arena.counting()) return;
  for (Index b = 0; b < qkv.batch(); ++b) {
    if (std::is_constant_evaluated())
      kernels::reference::attention<T>(out.data() + b * N * D, D, qkv[b].data(), D3, shape, weights, scratch);
    else
      kernels::attention<Arch, T>(out.data() + b * N * D, D, qkv[b].data(), D3, shape, weights, scratch);
  }
}

/// dqkv is overwritten; gradients of the transformations are added.
template <class Arch, class T, int N, int D3, int D>
constexpr void attention_backward(View<const T, Dyn, N, D> dout, View<const T, Dyn, N, D3> qkv, View<T, Dyn, N, D3> dqkv,
                                  const kernels::AttentionShape& shape, const kernels::AttentionWeights<T>& weights,
                                  const kernels::AttentionGradients<T>& gradients, Arena<T>& arena) {
  static_assert(D3 == 3 * D);
  const auto scope = arena.scratch();
  T* const scratch = arena.raw(kernels::attention_backward_scratch<Arch, T>(shape));
  if (arena.counting()) return;
  for (Index b = 0; b < qkv.batch(); ++b)
    kernels::attention_backward<Arch, T>(dqkv[b].data(), gradients, dout.data() + b * N * D, D, qkv[b].data(), D3, shape, weights, scratch);
}

}  // namespace minivit::inline MINIVIT_ISA::ops
