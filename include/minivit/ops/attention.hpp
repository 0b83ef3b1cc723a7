// SPDX-License-Identifier: MIT
// attention: softmax attention with MiniViT's head mixing and relative position, image by image, and its backward.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/attention_backward.hpp>
#include <minivit/kernels/reference/attention.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

namespace detail {

/// All images through `Kernel`, image by image, heads and then query rows split over the arena's threads.
/// emit(kernel, image, b, first, count, worker) computes the rows [first, first + count) of image b.
template <class Kernel, class T, class U, int N, int D3, class Emit>
constexpr void attention_images(View<const U, Dyn, N, D3> qkv, const kernels::AttentionShape& shape,
                                const kernels::AttentionWeights<T>& weights, Arena<T>& arena, Emit&& emit) {
  kernels::detail::Cutter<T> first_worker(nullptr), other_worker(nullptr);
  (void)Kernel(first_worker, shape).worker(other_worker);
  const Index reference = 6 * shape.heads * shape.tokens;  // the compiler's own evaluation works in the same memory
  T* const scratch = arena.raw(std::max(first_worker.used(), reference));
  T* const others = arena.raw((arena.workers() - 1) * other_worker.used());
  if (arena.counting()) return;
  kernels::detail::Cutter<T> cut(scratch);
  const Kernel kernel(cut, shape);
  const Index head_cost = Index{N} * shape.head_dim * 4, row_cost = Index{2} * N * shape.dim();
  for (Index b = 0; b < qkv.batch(); ++b) {
    const U* const image = qkv[b].data();
    arena.split(shape.heads, 1, head_cost, [&](Index head, Index count, int) { kernel.prepare(image, D3, weights, head, count); });
    arena.split(N, rows_step, row_cost, [&](Index begin, Index rows, int worker) {
      kernels::detail::Cutter<T> own(worker == 0 ? nullptr : others + (worker - 1) * other_worker.used());
      const Kernel image_kernel = worker == 0 ? kernel : kernel.worker(own);
      for (Index first = begin; first < begin + rows; first += image_kernel.block_rows)
        emit(image_kernel, image, b, first, std::min<Index>(image_kernel.block_rows, begin + rows - first), worker);
    });
  }
}

}  // namespace detail

/// out [B * N, D] from qkv [B, N, 3 D]. Precondition: shape agrees with the extents.
template <class Arch, int D, class T, int N, int D3>
constexpr void attention(View<const T, Dyn, N, D3> qkv, View<T, Dyn, D> out, const kernels::AttentionShape& shape,
                         const kernels::AttentionWeights<T>& weights, Arena<T>& arena) {
  static_assert(D3 == 3 * D);
  const auto scope = arena.scratch();
  if (std::is_constant_evaluated() && !arena.counting()) {
    T* const scratch = arena.raw(kernels::attention_scratch<Arch, T>(shape));
    for (Index b = 0; b < qkv.batch(); ++b)
      kernels::reference::attention<T>(out.data() + b * N * D, D, qkv[b].data(), D3, shape, weights, scratch);
    return;
  }
  detail::attention_images<kernels::AttentionForward<Arch, T>>(
      qkv, shape, weights, arena, [&](const auto& kernel, const T* image, Index b, Index first, Index count, int) {
        kernel.rows(out.data() + (b * N + first) * D, D, image, D3, first, count, weights);
      });
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
