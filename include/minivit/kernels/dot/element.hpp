// SPDX-License-Identifier: MIT
// Products of narrow numbers: four bytes along K, two bf16 or four 8-bit integers, form a word, and one instruction
// multiplies and adds the words of sixteen columns (AVX512_BF16 vdpbf16ps, AVX512_VNNI vpdpbusd). This file says what a word
// is made of and which instruction sets have such an instruction.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/simd/bf16.hpp>

#include <cstdint>

namespace minivit::inline MINIVIT_ISA {

/// Storage type of weights quantised to 8 bits, one scale for each output channel.
using int8 = std::int8_t;

namespace kernels {

/// E names the product by the type of its weights.
template <class E>
struct Dot;

/// bf16 x bf16, summed in float32. Subnormal inputs count as zero where the hardware multiplies.
template <>
struct Dot<bf16> {
  using Left = bf16;                 ///< type of the left operand, activations
  using Sum = float;                 ///< type the products are added up in
  static constexpr Index group = 2;  ///< values in a word
};

/// Unsigned 8 bits (activations) x signed 8 bits (weights), summed exactly in 32 bits: no overflow for K <= 65,000.
template <>
struct Dot<int8> {
  using Left = std::uint8_t;         ///< activations: codes beside a scale and a zero point
  using Sum = std::int32_t;          ///< exact
  static constexpr Index group = 4;  ///< values in a word
};

/// Columns of a packed panel: two registers of AVX-512. The last panel of a matrix may be half as wide.
inline constexpr Index dot_width = 32;
inline constexpr Index dot_half = dot_width / 2;  ///< columns of one register, the narrowest panel

/// Columns that panels of n columns hold.
constexpr Index dot_columns(Index n) { return round_up(n, dot_half); }

/// Words that hold k values.
template <class E>
constexpr Index dot_words(Index k) {
  return (k + Dot<E>::group - 1) / Dot<E>::group;
}

/// Row length, in values, of a left operand: k rounded up to whole words. What stands behind k must be finite (zero).
template <class E>
constexpr Index dot_stride(Index k) {
  return dot_words<E>(k) * Dot<E>::group;
}

/// Whether Arch multiplies words in hardware as far as this translation unit may use it.
template <class Arch, class E>
inline constexpr bool has_dot =
#if defined(__AVX512BF16__)
    (std::is_same_v<E, bf16> && sizeof(typename simd::Batch<float, Arch>::register_type) == 64) ||
#endif
#if defined(__AVX512VNNI__)
    (std::is_same_v<E, int8> && sizeof(typename simd::Batch<float, Arch>::register_type) == 64) ||
#endif
    false;

}  // namespace kernels
}  // namespace minivit::inline MINIVIT_ISA
