// SPDX-License-Identifier: MIT
// attention for narrow weights and its backward: from bf16 where the hardware multiplies it, and into rows of words for the
// next product.
#pragma once

#include <minivit/kernels/dot/attention_backward.hpp>
#include <minivit/ops/attention.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

/// out [B * N] rows of D from qkv [B, N, 3 D] in bf16, of images or windows as in ops/attention.hpp. Preconditions as there;
/// the shape's head_dim is even.
template <class Arch, int D, int N, int D3, WordRows Rows, class Cut = Windowing>
constexpr void attention(View<const bf16, Dyn, N, D3> qkv, Rows out, const kernels::AttentionShape& shape,
                         const kernels::AttentionWeights<float>& weights, Arena<float>& arena, const Cut& windowing = {}) {
  static_assert(D3 == 3 * D);
  using Kernel = kernels::DotAttention<Arch>;
  const auto scope = arena.scratch();
  float* const memory = arena.raw(arena.workers() * Kernel::block_rows * D);
  detail::attention_images<Arch, Kernel>(
      qkv, shape, weights, arena, windowing,
      [&](const Kernel& kernel, const bf16* image, const kernels::ScorePlanes<float>& planes, Index b, Index first,
          Index count, int worker) {
        float* const context = memory + worker * Kernel::block_rows * D;  // [count, D], float
        kernel.rows(context, D, image, D3, first, count, weights, planes);
        windowing.each_run(b, N, first, count, [&](Index row, Index place, Index n) {
          for (Index r = 0; r < n; ++r) write_row<Arch>(context + (row + r) * D, out, place + r);
        });
      });
}

/// The same from float32, where bf16 products have no instruction.
template <class Arch, int D, int N, int D3, WordRows Rows, class Cut = Windowing>
constexpr void attention(View<const float, Dyn, N, D3> qkv, Rows out, const kernels::AttentionShape& shape,
                         const kernels::AttentionWeights<float>& weights, Arena<float>& arena, const Cut& windowing = {}) {
  const auto scope = arena.scratch();
  const auto context = arena.template take<Dyn, D>(qkv.batch() * N);
  attention<Arch, D>(qkv, context, shape, weights, arena, windowing);
  if (arena.counting()) return;
  write_rows<Arch, D>(context.data(), out, arena);
}

/// dqkv, in the order of qkv, is overwritten; gradients of the transformations are added. dout, [B * N, D] or [B, N, D],
/// lies as attention() wrote.
template <class Arch, int N, int D3, int... Rows, class Cut = Windowing>
constexpr void attention_backward(View<const float, Dyn, Rows...> dout, View<const bf16, Dyn, N, D3> qkv,
                                  View<float, Dyn, N, D3> dqkv, const kernels::AttentionShape& shape,
                                  const kernels::AttentionWeights<float>& weights,
                                  const kernels::AttentionGradients<float>& gradients, Arena<float>& arena,
                                  const Cut& windowing = {}) {
  constexpr int D = D3 / 3;
  static_assert(D3 == 3 * D && ((Rows * ...) == D || (Rows * ...) == N * D));
  const auto scope = arena.scratch();
  kernels::detail::Cutter<float> count(nullptr);
  (void)kernels::DotAttentionBackward<Arch>(count, shape);
  float* const scratch = arena.raw(count.used());
  float* const memory = arena.raw(windowing.reorders() ? N * D : 0);
  const detail::PlanesOf<Arch, float, Cut> planes(shape, weights, windowing, kernels::DotAttention<Arch>::stride(shape),
                                                  true, arena);
  if (arena.counting()) return;
  kernels::detail::Cutter<float> cut(scratch);
  const kernels::DotAttentionBackward<Arch> kernel(cut, shape);
  for (Index b = 0; b < qkv.batch(); ++b)
    kernel.run(dqkv[b].data(), gradients, detail::query_rows<D>(dout.data(), b, N, windowing, memory), D, qkv[b].data(), D3,
               weights, planes[b]);
  planes.add_gradient(gradients.bias_table);
}

}  // namespace minivit::inline MINIVIT_ISA::ops
