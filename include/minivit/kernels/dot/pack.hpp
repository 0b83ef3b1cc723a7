// SPDX-License-Identifier: MIT
// Packing of the right-hand matrix B [K, N] of a product of words: panels of 32 columns (the last 16 or 32), word by word,
// so that the inner loop reads them front to back. Columns behind N and values behind K are zero.
#pragma once

#include <minivit/kernels/dot/element.hpp>
#include <minivit/kernels/matrix.hpp>
#include <minivit/simd/transpose.hpp>

#include <algorithm>
#include <cmath>

namespace minivit::inline MINIVIT_ISA::kernels {

/// Elements of packed B [k, n].
template <class E>
constexpr Index dot_packed_size(Index k, Index n) {
  return dot_stride<E>(k) * dot_columns(n);
}

/// Packs B [k, n] into `dst`; value(p, j) gives B(p, j).
template <class E, class Value>
void dot_pack_values(E* dst, Index k, Index n, Value&& value) {
  constexpr Index group = Dot<E>::group;
  for (Index column = 0; column < n; column += dot_width)
    for (Index p = 0; p < dot_stride<E>(k); p += group)
      for (Index j = column; j < std::min(column + dot_width, dot_columns(n)); ++j)
        for (Index g = 0; g < group; ++g) *dst++ = p + g < k && j < n ? value(p + g, j) : E{};
}

namespace detail {

/// Rounds; a bf16 stays as it is.
template <class X>
inline bf16 to_bf16(X x) {
  if constexpr (std::is_same_v<X, bf16>) return x;
  else return bf16(static_cast<float>(x));
}

#if defined(__AVX512BF16__)
inline __m256i sixteen_bf16(const bf16* x) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)); }
inline __m256i sixteen_bf16(const float* x) { return std::bit_cast<__m256i>(_mm512_cvtneps_pbh(_mm512_loadu_ps(x))); }
#endif

}  // namespace detail

/// Words of two rows: word (w, j), at dst + 2 * (w * ld + j), holds x(2 w, j) and x(2 w + 1, j). A row behind the last one
/// and the columns from n to `width` are zero. X: float or bf16.
template <class X>
MINIVIT_KERNEL void dot_pair_rows(bf16* dst, Index ld, const X* x, Index ldx, Index rows, Index n, Index width) {
  for (Index w = 0; w < dot_words<bf16>(rows); ++w, dst += 2 * ld) {
    const X* const even = x + 2 * w * ldx;
    const X* const odd = 2 * w + 1 < rows ? even + ldx : nullptr;
    Index j = 0;
#if defined(__AVX512BF16__)
    if constexpr (!std::is_same_v<X, double> && has_dot<simd::best, bf16>)
      for (; odd && j + 16 <= n; j += 16) {  // full masks: see simd/bf16.hpp
        const __m512i low = _mm512_maskz_cvtepu16_epi32(0xffff, detail::sixteen_bf16(even + j));
        const __m512i high = _mm512_maskz_cvtepu16_epi32(0xffff, detail::sixteen_bf16(odd + j));
        _mm512_storeu_si512(dst + 2 * j, _mm512_or_si512(low, _mm512_maskz_slli_epi32(0xffff, high, 16)));
      }
#endif
    for (; j < n; ++j) {
      dst[2 * j] = detail::to_bf16(even[j]);
      dst[2 * j + 1] = odd ? detail::to_bf16(odd[j]) : bf16{};
    }
    std::fill(dst + 2 * n, dst + 2 * width, bf16{});
  }
}

/// The transpose of X [k, m] as rows of a left operand, `ldd` >= dot_stride<bf16>(k) values apart: row j holds column j of
/// X, zero behind k up to the whole word. X: float or bf16.
template <class X>
MINIVIT_KERNEL void dot_transpose(bf16* dst, Index ldd, const X* x, Index ldx, Index k, Index m) {
  constexpr Index side = dot_half;
  alignas(64) bf16 words[2 * side * side];  // [word of a row of dst, row of dst]
  for (Index p = 0; p < k; p += 2 * side)
    for (Index j = 0; j < m; j += side) {
      const Index rows = std::min(2 * side, k - p), columns = std::min(side, m - j);
      dot_pair_rows(words, side, x + p * ldx + j, ldx, rows, columns, side);
      bf16* const to = dst + j * ldd + p;
      if constexpr (simd::transpose_side<simd::best> == side)
        if (rows > 2 * side - 2 && columns == side) {
          simd::transpose<simd::best>(to, ldd * 2, words, side * 4, side);
          continue;
        }
      for (Index c = 0; c < columns; ++c)
        for (Index w = 0; w < dot_words<bf16>(rows); ++w) std::memcpy(to + c * ldd + 2 * w, words + 2 * (w * side + c), 4);
    }
}

/// Packs B [k, n] in bf16 from float or bf16 in memory. Order::plain: B(p, j) = b[p * ldb + j]; transposed: b[j * ldb + p].
template <class X>
MINIVIT_KERNEL void dot_pack(bf16* dst, const X* b, Index ldb, Order order, Index k, Index n) {
  const Index words = dot_words<bf16>(k);
  for (Index column = 0; column < n; column += dot_width) {
    const Index valid = std::min(dot_width, n - column), width = dot_columns(valid);
    if (order == Order::plain) {
      dot_pair_rows(dst, width, b + column, ldb, k, valid, width);
    } else {
      Index done = 0;  // words of each column
      if constexpr (std::is_same_v<X, bf16> && simd::transpose_side<simd::best> == dot_half) {
        // a word of the panel is a word of the source
        constexpr Index side = dot_half;
        done = k / (2 * side) * side;
        for (Index j = 0; j < width; j += side)
          for (Index w = 0; w < done; w += side)
            simd::transpose<simd::best>(dst + (w * width + j) * 2, width * 4, b + (column + j) * ldb + 2 * w, ldb * 2,
                                        std::clamp(valid - j, Index{0}, side));
      }
      constexpr Index strip = 16;  // words of a column at a time, so that whole lines are read and written
      for (Index w0 = done; w0 < words; w0 += strip)
        for (Index j = 0; j < width; ++j) {
          const X* const source = b + (column + j) * ldb;
          for (Index w = w0; w < std::min(words, w0 + strip); ++w) {
            bf16* const word = dst + (w * width + j) * 2;
            word[0] = j < valid ? detail::to_bf16(source[2 * w]) : bf16{};
            word[1] = j < valid && 2 * w + 1 < k ? detail::to_bf16(source[2 * w + 1]) : bf16{};
          }
        }
    }
    dst += words * 2 * width;
  }
}

/// What the epilogue needs to turn sums of 8-bit products back into numbers: x ~ scale * (code - zero) for row m of the left
/// operand, w = scale * code for column n of the right.
struct RowScale {
  float scale = 0;  ///< step between codes; 0 for a row of zeros or, as a setting, for none
  float zero = 0;   ///< the code of 0, an integer
};

/// Quantises the weights W [n, k] (row-major, row stride k) to packed B = W^T: codes in [-127, 127], symmetric, one scale
/// per output channel; a row of zeros gets scale 0. `scale` and `sum` (of the codes, for the zero points of the left
/// operand) have dot_columns(n) elements.
template <class T>
MINIVIT_KERNEL void dot_pack_quantised(int8* dst, float* scale, float* sum, const T* w, Index k, Index n) {
  for (Index j = 0; j < dot_columns(n); ++j) {
    float largest = 0;
    for (Index p = 0; j < n && p < k; ++p) largest = std::max(largest, std::abs(static_cast<float>(w[j * k + p])));
    scale[j] = largest / 127;
    sum[j] = 0;
  }
  dot_pack_values(dst, k, n, [&](Index p, Index j) {
    const float code = scale[j] > 0 ? std::nearbyint(static_cast<float>(w[j * k + p]) / scale[j]) : 0.f;
    const float inside = std::min(127.f, std::max(-127.f, code));
    sum[j] += inside;  // an integer below 2^24, exact
    return static_cast<int8>(inside);
  });
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
