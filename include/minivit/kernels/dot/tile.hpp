// SPDX-License-Identifier: MIT
// The register tile of a product of words: up to 12 rows of A by 32 columns of a packed panel, summed over all of K without
// leaving the registers (24 of 32 hold sums). Without the instructions the same sums are made in plain code.
#pragma once

#include <minivit/kernels/dot/element.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// Rows of a full tile.
inline constexpr Index dot_rows = 12;

namespace detail {

#if defined(__AVX512F__)
/// sums [R, 32] = A [R, words] . B [words, 32]; MultiplyAdd(sum, a, b) adds the products of two registers of words.
template <Index R, class E, class Register, class MultiplyAdd>
inline void dot_tile_512(typename Dot<E>::Sum* sums, const typename Dot<E>::Left* a, Index lda, const E* b, Index words,
                         MultiplyAdd multiply_add) {
  constexpr Index group = Dot<E>::group;
  Register sum[R][2];
#pragma GCC unroll 12
  for (Index r = 0; r < R; ++r) sum[r][0] = sum[r][1] = Register{};
  for (Index w = 0; w < words; ++w) {
    const __m512i b0 = _mm512_loadu_si512(b + w * (group * dot_width));
    const __m512i b1 = _mm512_loadu_si512(b + w * (group * dot_width) + group * 16);
#pragma GCC unroll 12
    for (Index r = 0; r < R; ++r) {
      int word;
      std::memcpy(&word, a + r * lda + w * group, sizeof word);
      const __m512i x = _mm512_set1_epi32(word);
      sum[r][0] = multiply_add(sum[r][0], x, b0);
      sum[r][1] = multiply_add(sum[r][1], x, b1);
    }
  }
#pragma GCC unroll 12
  for (Index r = 0; r < R; ++r) {
    std::memcpy(sums + r * dot_width, &sum[r][0], 64);
    std::memcpy(sums + r * dot_width + 16, &sum[r][1], 64);
  }
}
#endif

/// The sums by their definition; the order over k is that of the instructions: even values of the words apart from odd ones
/// would differ in rounding, so bf16 results of the two ways agree to rounding only, integers exactly.
template <class E>
inline void dot_tile_plain(typename Dot<E>::Sum* sums, const typename Dot<E>::Left* a, Index lda, const E* b, Index words,
                           Index rows) {
  constexpr Index group = Dot<E>::group;
  using Sum = typename Dot<E>::Sum;
  for (Index r = 0; r < rows; ++r) {
    Sum row[dot_width] = {};
    for (Index w = 0; w < words; ++w)
      for (Index j = 0; j < dot_width; ++j)
        for (Index g = 0; g < group; ++g)
          row[j] += static_cast<Sum>(a[r * lda + w * group + g]) * static_cast<Sum>(b[(w * dot_width + j) * group + g]);
    std::copy_n(row, dot_width, sums + r * dot_width);
  }
}

}  // namespace detail

/// sums [R, 32] = A . B for R rows of A (row stride lda values) and one panel.
template <class Arch, Index R, class E>
inline void dot_tile(typename Dot<E>::Sum* sums, const typename Dot<E>::Left* a, Index lda, const E* b, Index words) {
  if constexpr (!has_dot<Arch, E>) {
    detail::dot_tile_plain<E>(sums, a, lda, b, words, R);
  } else {
#if defined(__AVX512BF16__)
    if constexpr (std::is_same_v<E, bf16>)
      detail::dot_tile_512<R, E, __m512>(sums, a, lda, b, words, [](__m512 sum, __m512i x, __m512i y) {
        return _mm512_dpbf16_ps(sum, std::bit_cast<__m512bh>(x), std::bit_cast<__m512bh>(y));
      });
#endif
#if defined(__AVX512VNNI__)
    if constexpr (std::is_same_v<E, int8>)
      detail::dot_tile_512<R, E, __m512i>(sums, a, lda, b, words,
                                          [](__m512i sum, __m512i x, __m512i y) { return _mm512_dpbusd_epi32(sum, x, y); });
#endif
  }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
