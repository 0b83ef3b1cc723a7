// SPDX-License-Identifier: MIT
// Matrix product C = epilogue(A B). A [M, K] is read where it lies, in either order; B [K, N] comes packed in panels
// (pack.hpp) or is packed panel by panel on the way. A register tile of C stays in registers for a whole block of K, and
// starts from bias and residual, so these two cost nothing. The sum over k runs front to back in one fixed order for every
// tile, so the result does not depend on how rows are split between threads.
//
// Tried and not kept: packing A as well (2 % slower for N <= 1536: the copy costs more than the strided broadcast).
#pragma once

#include <minivit/kernels/pack.hpp>
#include <minivit/kernels/pointwise.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

namespace detail {

/// One register tile: R rows, V vectors wide, over `depth` steps of K. `tail` lanes of the last vector are stored.
/// Sums start from `start` (row stride `lds`, may be null) plus `bias` (may be null).
template <class Arch, Index R, Index V, Order AOrder, class T, class W>
inline void tile(T* c, Index ldc, const T* a, Index lda, const W* b, Index depth, Index tail, const T* bias, const T* start,
                 Index lds) {
  using Batch = simd::Batch<T, Arch>;
  constexpr Index L = simd::lanes<T, Arch>;
  Batch sum[R][V];
#pragma GCC unroll 8
  for (Index v = 0; v < V; ++v) {
    const Index count = v + 1 == V ? tail : L;
    const Batch first = bias ? simd::load_partial<Arch>(bias + v * L, count) : Batch(T{0});
#pragma GCC unroll 8
    for (Index r = 0; r < R; ++r)
      sum[r][v] = start ? first + simd::load_partial<Arch>(start + r * lds + v * L, count) : first;
  }
  for (Index k = 0; k < depth; ++k) {
    Batch row[V];
#pragma GCC unroll 8
    for (Index v = 0; v < V; ++v) row[v] = simd::load<Arch>(b + k * (V * L) + v * L);
#pragma GCC unroll 8
    for (Index r = 0; r < R; ++r) {
      const Batch x(AOrder == Order::plain ? a[r * lda + k] : a[k * lda + r]);
#pragma GCC unroll 8
      for (Index v = 0; v < V; ++v) sum[r][v] = simd::fma(x, row[v], sum[r][v]);
    }
  }
#pragma GCC unroll 8
  for (Index r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (Index v = 0; v + 1 < V; ++v) simd::store<Arch>(c + r * ldc + v * L, sum[r][v]);
    if (tail == L) simd::store<Arch>(c + r * ldc + (V - 1) * L, sum[r][V - 1]);
    else simd::store_partial<Arch>(c + r * ldc + (V - 1) * L, sum[r][V - 1], tail);
  }
}

/// All rows of one panel: tiles of 8 (or 4) rows, then 4, 2 and 1 for the rest.
template <class Arch, Index V, Order AOrder, class T, class W>
MINIVIT_KERNEL void panel(T* c, Index ldc, const T* a, Index lda, const W* b, Index rows, Index depth, Index tail,
                          const T* bias, const T* start, Index lds) {
  Index r = 0;
  const auto run = [&]<Index R>(std::integral_constant<Index, R>) {
    for (; r + R <= rows; r += R)
      tile<Arch, R, V, AOrder>(c + r * ldc, ldc, AOrder == Order::plain ? a + r * lda : a + r, lda, b, depth, tail, bias,
                               start ? start + r * lds : nullptr, lds);
  };
  if constexpr (Tile<Arch, T>::rows == 8) run(std::integral_constant<Index, 8>{});
  run(std::integral_constant<Index, 4>{});
  run(std::integral_constant<Index, 2>{});
  run(std::integral_constant<Index, 1>{});
}

/// The loops around the panels. `panel_at(column, width, k0, depth)` gives the packed block of B.
template <class Arch, Order AOrder, class T, class PanelAt>
void blocked(T* c, Index ldc, const T* a, Index lda, Index m, Index n, Index k, Index block_rows, const Epilogue<T>& e,
             PanelAt&& panel_at) {
  using Shape = Tile<Arch, T>;
  for (Index k0 = 0; k0 < k || k0 == 0; k0 += block_depth) {
    const Index depth = std::min(block_depth, k - k0);
    const bool first = k0 == 0;
    const bool last = k0 + block_depth >= k;
    for (Index i = 0; i < m; i += block_rows) {
      const Index rows = std::min(block_rows, m - i);
      const T* const ai = AOrder == Order::plain ? a + i * lda + k0 : a + k0 * lda + i;
      for (Index column = 0; column < n;) {
        const Index width = panel_width<Arch, T>(n - column), columns = std::min(width, n - column),
                    vectors = width / Shape::lanes;
        const Index tail = columns - (vectors - 1) * Shape::lanes;
        T* const target = c + i * ldc + column;
        const T* const bias = first && e.bias ? e.bias + column : nullptr;
        const T* start = first ? e.residual : c;  // later blocks of K go on from what the earlier ones stored
        const Index lds = first ? e.ldr : ldc;
        if (start) start += i * lds + column;
        const auto* const b = panel_at(column, width, k0, depth);
        if (vectors == 3) panel<Arch, 3, AOrder>(target, ldc, ai, lda, b, rows, depth, tail, bias, start, lds);
        else if (vectors == 2) panel<Arch, 2, AOrder>(target, ldc, ai, lda, b, rows, depth, tail, bias, start, lds);
        else panel<Arch, 1, AOrder>(target, ldc, ai, lda, b, rows, depth, tail, bias, start, lds);
        if (last && e.gelu) gelu_rows<Arch>(target, ldc, rows, columns);
        column += width;
      }
    }
  }
}

}  // namespace detail

/// C [m, n] = epilogue(A [m, k] B [k, n]) with B packed by pack<Arch, T>. A(i, p) = a[i * lda + p].
/// Preconditions: m, n >= 0, k >= 1; C overlaps neither A nor B.
template <class Arch, class T, class W>
MINIVIT_KERNEL void gemm(T* c, Index ldc, const T* a, Index lda, const W* packed, Index m, Index n, Index k,
                         const Epilogue<T>& e = {}) {
  constexpr Index block_rows = 128;  // 128 x 512 floats of A are 256 KiB: they and one panel share L2
  detail::blocked<Arch, Order::plain>(
      c, ldc, a, lda, m, n, k, block_rows, e,
      [&](Index column, Index width, Index k0, Index) { return packed + k * column + k0 * width; });
}

/// Elements of scratch that gemm_unpacked needs.
template <class Arch, class T>
constexpr Index unpacked_scratch(Index k) {
  return std::min(k, block_depth) * Tile<Arch, T>::width;
}

/// The same with B in either order as it lies in memory, packed panel by panel into `scratch`; A in either order as well:
/// Order::transposed means A(i, p) = a[p * lda + i].
template <class Arch, class T>
MINIVIT_KERNEL void gemm_unpacked(T* c, Index ldc, const T* a, Index lda, Order a_order, const T* b, Index ldb,
                                  Order b_order, Index m, Index n, Index k, T* scratch, const Epilogue<T>& e = {}) {
  const auto pack_next = [&](Index column, Index width, Index k0, Index depth) {
    pack_panel<Arch>(scratch, b, ldb, b_order, k0, depth, column, width, n);
    return static_cast<const T*>(scratch);
  };
  if (a_order == Order::plain)
    detail::blocked<Arch, Order::plain>(c, ldc, a, lda, m, n, k, std::max<Index>(m, 1), e, pack_next);
  else detail::blocked<Arch, Order::transposed>(c, ldc, a, lda, m, n, k, std::max<Index>(m, 1), e, pack_next);
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
