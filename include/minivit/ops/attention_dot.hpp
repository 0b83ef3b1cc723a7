// SPDX-License-Identifier: MIT
// attention for narrow weights, inference only: from bf16 where the hardware multiplies it, and into rows of words for the next product.
#pragma once

#include <minivit/kernels/dot/attention.hpp>
#include <minivit/ops/attention.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

/// out [B * N] rows of D from qkv [B, N, 3 D] in bf16. Precondition: shape agrees with the extents; its head_dim is even.
template <class Arch, int D, int N, int D3, WordRows Rows>
constexpr void attention(View<const bf16, Dyn, N, D3> qkv, Rows out, const kernels::AttentionShape& shape,
                         const kernels::AttentionWeights<float>& weights, Arena<float>& arena) {
  static_assert(D3 == 3 * D);
  using Kernel = kernels::DotAttention<Arch>;
  const auto scope = arena.scratch();
  kernels::detail::Cutter<float> count(nullptr);
  (void)Kernel(count, shape);
  float* const context = arena.raw(Kernel::block_rows * D);  // [block, D], float
  float* const scratch = arena.raw(count.used());
  if (arena.counting()) return;
  kernels::detail::Cutter<float> cut(scratch);
  const Kernel kernel(cut, shape);
  for (Index b = 0; b < qkv.batch(); ++b) {
    const bf16* const image = qkv[b].data();
    kernel.prepare(image, D3, weights);
    for (Index first = 0; first < N; first += Kernel::block_rows) {
      const Index rows = std::min<Index>(Kernel::block_rows, N - first);
      kernel.rows(context, D, image, D3, first, rows, weights);
      for (Index r = 0; r < rows; ++r) write_row<Arch>(context + r * D, out, b * N + first + r);
    }
  }
}

/// The same from float32, where bf16 products have no instruction.
template <class Arch, int D, int N, int D3, WordRows Rows>
constexpr void attention(View<const float, Dyn, N, D3> qkv, Rows out, const kernels::AttentionShape& shape,
                         const kernels::AttentionWeights<float>& weights, Arena<float>& arena) {
  const auto scope = arena.scratch();
  const auto context = arena.template take<Dyn, D>(qkv.batch() * N);
  attention<Arch, D>(qkv, context, shape, weights, arena);
  if (arena.counting()) return;
  for (Index r = 0; r < qkv.batch() * N; ++r) write_row<Arch>(context.data() + r * D, out, r);
}

}  // namespace minivit::inline MINIVIT_ISA::ops
