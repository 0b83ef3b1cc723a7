// SPDX-License-Identifier: MIT
// Matrix product of words, C = epilogue(A B): A [M, K] bf16 or 8-bit rows as the step before wrote them, B packed
// (pack.hpp), C in float or bf16. A tile is summed over all of K in registers, parked in 1.5 KiB that stay in the nearest
// cache, and finished row by row: scale, bias, residual, GELU, conversion. The order of every sum is fixed, so results do
// not depend on how rows are split.
#pragma once

#include <minivit/kernels/dot/amx.hpp>
#include <minivit/kernels/dot/pack.hpp>
#include <minivit/kernels/dot/tile.hpp>
#include <minivit/kernels/pointwise.hpp>
#include <minivit/simd/sweep.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// What happens to a sum before it is stored: y = act(scale * sum + bias + residual).
struct DotEpilogue {
  const float* bias = nullptr;      ///< [N]
  const float* residual = nullptr;  ///< [M, N] with row stride ldr
  Index ldr = 0;                    ///< elements from row to row of `residual`
  bool gelu = false;                ///< within 1.7e-5 (gelu_near), last
  float scale = 1;                  ///< 1 changes nothing
  // 8-bit products only: sum -> row.scale * column_scale * (sum - row.zero * column_sum)
  const RowScale* rows = nullptr;       ///< [M]
  const float* column_scale = nullptr;  ///< [N]
  const float* column_sum = nullptr;    ///< [N]
  RowScale out{};                       ///< C in 8-bit codes only: round(y / out.scale) + out.zero
};

namespace detail {

/// One register of columns of a tile, for all its rows: what depends on the column is loaded once. `io` is Whole or Part;
/// rows of sums are `lds` apart.
template <class Arch, class E, class Y, class IO>
inline void dot_finish(Y* c, Index ldc, const typename Dot<E>::Sum* sums, Index lds, Index rows, Index row, Index column,
                       IO io, const DotEpilogue& e) {
  using B = simd::Batch<float, Arch>;
  const B zero(0.f);
  const B bias = e.bias ? io.load(e.bias + column) : zero;
  B column_scale = zero, column_sum = zero;
  if constexpr (std::is_same_v<E, int8>) {
    column_scale = io.load(e.column_scale + column) * B(e.scale);
    column_sum = io.load(e.column_sum + column);
  }
  const B out_inverse(std::is_same_v<Y, std::uint8_t> ? 1 / e.out.scale : 0.f), out_zero(e.out.zero);
  for (Index r = 0; r < rows; ++r) {
    B v;
    if constexpr (std::is_same_v<E, int8>) {
      const B exact = simd::fma(B(-e.rows[row + r].zero), column_sum, simd::load_as_float<Arch>(sums + r * lds));
      v = simd::fma(exact * column_scale, B(e.rows[row + r].scale), bias);
    } else {
      v = simd::fma(simd::load<Arch>(sums + r * lds), B(e.scale), bias);
    }
    if (e.residual) v = v + io.load(e.residual + (row + r) * e.ldr + column);
    if (e.gelu) v = gelu_near(v);
    if constexpr (std::is_same_v<Y, std::uint8_t>) v = simd::fma(v, out_inverse, out_zero);
    io.store(c + (row + r) * ldc + column, v);
  }
}

/// All `columns` of a tile, for its rows from `row` on.
template <class Arch, class E, class Y>
MINIVIT_KERNEL void dot_finish_rows(Y* c, Index ldc, const typename Dot<E>::Sum* sums, Index lds, Index rows, Index row,
                                    Index column, Index columns, const DotEpilogue& e) {
  constexpr Index L = simd::lanes<float, Arch>;
  Index i = 0;
  for (; i + L <= columns; i += L)
    dot_finish<Arch, E>(c, ldc, sums + i, lds, rows, row, column + i, simd::Whole<float, Arch>{}, e);
  if (i < columns)
    dot_finish<Arch, E>(c, ldc, sums + i, lds, rows, row, column + i, simd::Part<float, Arch>{columns - i}, e);
}

/// Rows of A that take `bytes`, a multiple of `step`.
constexpr Index dot_block_rows(Index words, Index step, Index bytes) {
  const Index fit = bytes / (words * 4);
  return std::max(step, fit / step * step);
}

template <class Arch, Index R, Index V, Order AOrder, class E, class Y>
void dot_block(Y* c, Index ldc, const typename Dot<E>::Left* a, Index lda, const E* panel, Index words, Index row,
               Index column, Index columns, const DotEpilogue& e) {
  alignas(64)
      typename Dot<E>::Sum sums[static_cast<std::size_t>(R * V * dot_half)];  // whole registers, also where C has none
  dot_tile<Arch, R, V, AOrder>(sums, a + row * (AOrder == Order::plain ? lda : Dot<E>::group), lda, panel, words);
  dot_finish_rows<Arch, E>(c, ldc, sums, V * dot_half, R, row, column, columns, e);
}

/// Rows [first, last) of one panel of the product through tiles of AMX, which are configured for `count` rows, all that A
/// has or 32: the last tile then begins before its first new row, because another shape costs more than rows multiplied
/// twice.
template <class Arch, class Tiles, int V, class E, class Y>
void amx_panel(Y* c, Index ldc, const typename Dot<E>::Left* a, Index lda, const E* panel, Index words, Index first,
               Index last, Index count, Index column, Index columns, const DotEpilogue& e) {
  alignas(64) typename Dot<E>::Sum sums[static_cast<std::size_t>(amx::block_rows * dot_width)];
  const amx::PanelRest<V, E> rest(panel, words);
  for (Index r = first; r < last; r += count) {
    const Index start = std::min(r, last - count), known = r - start;
    amx::block<Tiles, V, E>(sums, a + start * lda, lda, panel, rest, words, count);
    dot_finish_rows<Arch, E>(c, ldc, sums + known * dot_width, dot_width, count - known, r, column, columns, e);
  }
}

/// The same product through tiles of AMX.
template <class Arch, class Tiles, class E, class Y>
void amx_gemm(Y* c, Index ldc, const typename Dot<E>::Left* a, Index lda, const E* packed, Index m, Index n, Index k,
              const DotEpilogue& e) {
  const Index words = dot_words<E>(k), block = dot_block_rows(words, amx::block_rows, Index{24} << 10),
              count = std::min(m, amx::block_rows);
  amx::configure<Tiles>(count);
  for (Index first = 0; first < m; first += block) {
    const Index last = std::min(m, first + block);
    for (Index column = 0; column < n; column += dot_width) {
      const E* const panel = packed + column * words * Dot<E>::group;
      const Index columns = std::min(dot_width, n - column);
      if (columns > dot_half)
        amx_panel<Arch, Tiles, 2, E>(c, ldc, a, lda, panel, words, first, last, count, column, columns, e);
      else amx_panel<Arch, Tiles, 1, E>(c, ldc, a, lda, panel, words, first, last, count, column, columns, e);
    }
  }
  Tiles::release();
}

}  // namespace detail

/// C [m, n] = epilogue(A [m, k] B [k, n]). Order::plain: rows of A are `lda` >= dot_stride<E>(k) values apart, and what
/// stands between k and that is finite. Order::transposed: word w of row r stands at a + (w * lda + r) * group
/// (dot_pair_rows). Y: float, bf16 or 8-bit codes. C overlaps neither A nor B; C may be the residual.
template <class Arch, Order AOrder = Order::plain, class E, class Y>
MINIVIT_KERNEL void dot_gemm(Y* c, Index ldc, const typename Dot<E>::Left* a, Index lda, const E* packed, Index m, Index n,
                             Index k, const DotEpilogue& e = {}) {
  if constexpr (MINIVIT_HAS_AMX && AOrder == Order::plain &&
                std::is_same_v<Arch, simd::best>)  // other Archs: to see what they do
    if (amx::available<E>()) return detail::amx_gemm<Arch, amx::Hardware>(c, ldc, a, lda, packed, m, n, k, e);
  const Index words = dot_words<E>(k), block = detail::dot_block_rows(words, dot_rows, Index{512} << 10);
  for (Index first = 0; first < m; first += block) {
    const Index last = std::min(m, first + block);
    for (Index column = 0; column < n; column += dot_width) {
      const E* const panel = packed + column * words * Dot<E>::group;
      const Index columns = std::min(dot_width, n - column);
      Index r = first;
      const auto run = [&]<Index R>(std::integral_constant<Index, R>) {
        for (; r + R <= last; r += R) {
          if (columns > dot_half)
            detail::dot_block<Arch, R, 2, AOrder, E>(c, ldc, a, lda, panel, words, r, column, columns, e);
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

/// C [m, n] = epilogue(X^T B), X [k, m] in float or bf16 rounded to bf16, B [k, n] packed. `memory`: m * dot_stride<bf16>(k)
/// values. AMX wants the rows of its left operand one after the other, and turning X costs less than what it saves;
/// registers take words of two rows as they come.
template <class Arch, class X>
MINIVIT_KERNEL void dot_gemm_transposed(float* c, Index ldc, const X* x, Index ldx, bf16* memory, const bf16* packed,
                                        Index m, Index n, Index k, const DotEpilogue& e = {}) {
  if constexpr (MINIVIT_HAS_AMX && std::is_same_v<Arch, simd::best>)
    if (amx::available<bf16>()) {
      const Index stride = dot_stride<bf16>(k);
      dot_transpose(memory, stride, x, ldx, k, m);
      return dot_gemm<Arch>(c, ldc, memory, stride, packed, m, n, k, e);
    }
  dot_pair_rows(memory, m, x, ldx, k, m, m);
  dot_gemm<Arch, Order::transposed>(c, ldc, memory, m, packed, m, n, k, e);
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
