// SPDX-License-Identifier: MIT
// Packing of the right-hand matrix B [K, N] of a product of words: panels of 32 columns (the last 16 or 32), word by word, so
// that the inner loop reads them front to back. Columns behind N and values behind K are zero.
#pragma once

#include <minivit/kernels/dot/element.hpp>
#include <minivit/kernels/matrix.hpp>

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

/// The same from bf16 in memory, for operands that are made anew for every image. Order::transposed: B(p, j) = b[j * ldb + p].
inline void dot_pack(bf16* dst, const bf16* b, Index ldb, Order order, Index k, Index n) {
  const Index words = dot_words<bf16>(k), whole = k / 2;
  for (Index column = 0; column < n; column += dot_width) {
    const Index valid = std::min(dot_width, n - column), width = dot_columns(valid);
    std::fill_n(dst, valid < width || whole < words ? words * 2 * width : 0, bf16{});
    if (order == Order::transposed) {
      for (Index j = 0; j < valid; ++j) {  // both values of a word are neighbours
        const bf16* const source = b + (column + j) * ldb;
        for (Index w = 0; w < whole; ++w) std::memcpy(dst + (w * width + j) * 2, source + 2 * w, 2 * sizeof(bf16));
        if (whole < words) dst[(whole * width + j) * 2] = source[k - 1];
      }
    } else {
      for (Index w = 0; w < words; ++w) {  // a word takes one value from each of two rows
        const bf16* const even = b + 2 * w * ldb + column;
        bf16* const to = dst + w * 2 * width;
        for (Index j = 0; j < valid; ++j) to[2 * j] = even[j];
        if (w < whole)
          for (Index j = 0; j < valid; ++j) to[2 * j + 1] = even[ldb + j];
      }
    }
    dst += words * 2 * width;
  }
}

/// What the epilogue needs to turn sums of 8-bit products back into numbers: x ~ scale * (code - zero) for row m of the left
/// operand, w = scale * code for column n of the right.
struct RowScale {
  float scale = 0;
  float zero = 0;  ///< the code of 0, an integer
};

/// Quantises the weights W [n, k] (row-major, row stride k) to packed B = W^T: codes in [-127, 127], symmetric, one scale per
/// output channel; a row of zeros gets scale 0. `scale` and `sum` (of the codes, for the zero points of the left operand)
/// have dot_columns(n) elements.
template <class T>
void dot_pack_quantised(int8* dst, float* scale, float* sum, const T* w, Index k, Index n) {
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
