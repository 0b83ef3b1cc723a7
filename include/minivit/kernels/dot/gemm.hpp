// SPDX-License-Identifier: MIT
// Matrix product of words, C = epilogue(A B): A [M, K] bf16 or 8-bit rows as the step before wrote them, B packed (pack.hpp), C in
// float or bf16. A tile is summed over all of K in registers, parked in 1.5 KiB that stay in the nearest cache, and finished row
// by row: scale, bias, residual, GELU, conversion. The order of every sum is fixed, so results do not depend on how rows are split.
#pragma once

#include <minivit/kernels/dot/pack.hpp>
#include <minivit/kernels/dot/tile.hpp>
#include <minivit/kernels/pointwise.hpp>
#include <minivit/simd/sweep.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// What happens to a sum before it is stored: y = act(scale * sum + bias + residual).
struct DotEpilogue {
  const float* bias = nullptr;      ///< [N]
  const float* residual = nullptr;  ///< [M, N] with row stride ldr
  Index ldr = 0;
  bool gelu = false;                ///< within 1.7e-5 (gelu_near), last
  float scale = 1;
  // 8-bit products only: sum -> row.scale * column_scale * (sum - row.zero * column_sum)
  const RowScale* rows = nullptr;       ///< [M]
  const float* column_scale = nullptr;  ///< [N]
  const float* column_sum = nullptr;    ///< [N]
};

namespace detail {

/// One register of columns of a tile, for all its R rows: what depends on the column is loaded once. `io` is Whole or Part.
template <class Arch, Index R, Index V, class E, class Y, class IO>
inline void dot_finish(Y* c, Index ldc, const typename Dot<E>::Sum* sums, Index row, Index column, IO io, const DotEpilogue& e) {
  using B = simd::Batch<float, Arch>;
  const B zero(0.f);
  const B bias = e.bias ? io.load(e.bias + column) : zero;
  B column_scale = zero, column_sum = zero;
  if constexpr (std::is_same_v<E, int8>) {
    column_scale = io.load(e.column_scale + column) * B(e.scale);
    column_sum = io.load(e.column_sum + column);
  }
  for (Index r = 0; r < R; ++r) {
    B v;
    if constexpr (std::is_same_v<E, int8>) {
      const B exact = simd::fma(B(-e.rows[row + r].zero), column_sum, simd::load_as_float<Arch>(sums + r * V * dot_half));
      v = simd::fma(exact * column_scale, B(e.rows[row + r].scale), bias);
    } else {
      v = simd::fma(simd::load<Arch>(sums + r * V * dot_half), B(e.scale), bias);
    }
    if (e.residual) v = v + io.load(e.residual + (row + r) * e.ldr + column);
    if (e.gelu) v = gelu_near(v);
    io.store(c + (row + r) * ldc + column, v);
  }
}

template <class Arch, Index R, Index V, Order AOrder, class E, class Y>
void dot_block(Y* c, Index ldc, const typename Dot<E>::Left* a, Index lda, const E* panel, Index words, Index row, Index column,
               Index columns, const DotEpilogue& e) {
  alignas(64) typename Dot<E>::Sum sums[static_cast<std::size_t>(R * V * dot_half)];  // whole registers, also where C has none
  constexpr Index L = simd::lanes<float, Arch>;
  dot_tile<Arch, R, V, AOrder>(sums, a + row * (AOrder == Order::plain ? lda : Dot<E>::group), lda, panel, words);
  Index i = 0;
  for (; i + L <= columns; i += L) dot_finish<Arch, R, V, E>(c, ldc, sums + i, row, column + i, simd::Whole<float, Arch>{}, e);
  if (i < columns) dot_finish<Arch, R, V, E>(c, ldc, sums + i, row, column + i, simd::Part<float, Arch>{columns - i}, e);
}

}  // namespace detail

/// C [m, n] = epilogue(A [m, k] B [k, n]). Order::plain: rows of A are `lda` >= dot_stride<E>(k) values apart, and what stands
/// between k and that is finite. Order::transposed: word w of row r stands at a + (w * lda + r) * group (dot_pair_rows).
/// Y: float or bf16. C overlaps neither A nor B; C may be the residual.
template <class Arch, Order AOrder = Order::plain, class E, class Y>
void dot_gemm(Y* c, Index ldc, const typename Dot<E>::Left* a, Index lda, const E* packed, Index m, Index n, Index k,
              const DotEpilogue& e = {}) {
  const Index words = dot_words<E>(k);
  const Index fit = (Index{512} << 10) / (words * 4);  // rows of A that take half of L2
  const Index block = std::max(dot_rows, fit / dot_rows * dot_rows);
  for (Index first = 0; first < m; first += block) {
    const Index last = std::min(m, first + block);
    for (Index column = 0; column < n; column += dot_width) {
      const E* const panel = packed + column * words * Dot<E>::group;
      const Index columns = std::min(dot_width, n - column);
      Index r = first;
      const auto run = [&]<Index R>(std::integral_constant<Index, R>) {
        for (; r + R <= last; r += R) {
          if (columns > dot_half) detail::dot_block<Arch, R, 2, AOrder, E>(c, ldc, a, lda, panel, words, r, column, columns, e);
          else detail::dot_block<Arch, R, 1, AOrder, E>(c, ldc, a, lda, panel, words, r, column, columns, e);
        }
      };
      run(std::integral_constant<Index, dot_rows>{});
      run(std::integral_constant<Index, 8>{});
      run(std::integral_constant<Index, 4>{});
      run(std::integral_constant<Index, 2>{});
      run(std::integral_constant<Index, 1>{});
    }
  }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
