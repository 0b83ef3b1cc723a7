// SPDX-License-Identifier: MIT
// The register tile of a product of words: up to 12 rows of A by 32 (or 16) columns of a packed panel, summed over all of K
// without leaving the registers (24 of 32 hold sums). Without the instructions the same sums are made in plain code.
#pragma once

#include <minivit/kernels/dot/element.hpp>
#include <minivit/kernels/matrix.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// Rows of a full tile.
inline constexpr Index dot_rows = 12;

namespace detail {

#if defined(__AVX512F__)
/// sums [R, 16 V] = A [R, words] . B [words, 16 V]; MultiplyAdd(sum, a, b) adds the products of two registers of words.
template <Index R, Index V, class E, Order AOrder, class Register, class MultiplyAdd>
inline void dot_tile_512(typename Dot<E>::Sum* sums, const typename Dot<E>::Left* a, Index lda, const E* b, Index words,
                         MultiplyAdd multiply_add) {
  constexpr Index group = Dot<E>::group;
  Register sum[R][V];
#pragma GCC unroll 12
  for (Index r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (Index v = 0; v < V; ++v) sum[r][v] = Register{};
  const Index row = AOrder == Order::plain ? lda : group, step = AOrder == Order::plain ? group : lda * group;
  const auto* a0 = a;  // three pointers and multiples of a row reach 12 rows without spilling addresses
  const auto* a4 = a + (R > 4 ? 4 * row : 0);
  const auto* a8 = a + (R > 8 ? 8 * row : 0);
  for (Index w = 0; w < words; ++w, a0 += step, a4 += step, a8 += step) {
    __m512i column[V];
#pragma GCC unroll 2
    for (Index v = 0; v < V; ++v) column[v] = _mm512_loadu_si512(b + (w * V + v) * (group * dot_half));
#pragma GCC unroll 12
    for (Index r = 0; r < R; ++r) {
      int word;
      std::memcpy(&word, (r < 4 ? a0 : r < 8 ? a4 : a8) + r % 4 * row, sizeof word);
      const __m512i x = _mm512_set1_epi32(word);
#pragma GCC unroll 2
      for (Index v = 0; v < V; ++v) sum[r][v] = multiply_add(sum[r][v], x, column[v]);
    }
  }
#pragma GCC unroll 12
  for (Index r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (Index v = 0; v < V; ++v) std::memcpy(sums + (r * V + v) * dot_half, &sum[r][v], 64);
}
#endif

/// The sums by their definition. The instruction adds the two products of a bf16 word in another order, so bf16 results of
/// the two ways agree to rounding, those of integers exactly.
template <Index V, class E, Order AOrder>
inline void dot_tile_plain(typename Dot<E>::Sum* sums, const typename Dot<E>::Left* a, Index lda, const E* b, Index words,
                           Index rows) {
  constexpr Index group = Dot<E>::group;
  using Sum = typename Dot<E>::Sum;
  for (Index r = 0; r < rows; ++r) {
    Sum row[V * dot_half] = {};
    for (Index w = 0; w < words; ++w)
      for (Index j = 0; j < V * dot_half; ++j)
        for (Index g = 0; g < group; ++g)
          row[j] += static_cast<Sum>(a[(AOrder == Order::plain ? r * lda + w * group : (w * lda + r) * group) + g]) *
                    static_cast<Sum>(b[(w * V * dot_half + j) * group + g]);
    std::copy_n(row, V * dot_half, sums + r * V * dot_half);
  }
}

}  // namespace detail

/// sums [R, 16 V] = A . B for R rows of A and one panel of V registers. Order::plain: rows of A are `lda` values apart.
/// Order::transposed: word w of row r is at a + (w * lda + r) * group.
template <class Arch, Index R, Index V, Order AOrder, class E>
MINIVIT_KERNEL void dot_tile(typename Dot<E>::Sum* sums, const typename Dot<E>::Left* a, Index lda, const E* b,
                             Index words) {
  if constexpr (!has_dot<Arch, E>) {
    detail::dot_tile_plain<V, E, AOrder>(sums, a, lda, b, words, R);
  } else {
#if defined(__AVX512BF16__)
    if constexpr (std::is_same_v<E, bf16>)
      detail::dot_tile_512<R, V, E, AOrder, __m512>(sums, a, lda, b, words, [](__m512 sum, __m512i x, __m512i y) {
        return _mm512_dpbf16_ps(sum, std::bit_cast<__m512bh>(x), std::bit_cast<__m512bh>(y));
      });
#endif
#if defined(__AVX512VNNI__)
    if constexpr (std::is_same_v<E, int8>)
      detail::dot_tile_512<R, V, E, AOrder, __m512i>(
          sums, a, lda, b, words, [](__m512i sum, __m512i x, __m512i y) { return _mm512_dpbusd_epi32(sum, x, y); });
#endif
  }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
