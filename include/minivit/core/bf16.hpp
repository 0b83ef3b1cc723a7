// SPDX-License-Identifier: MIT
// bf16: the upper half of a float32, for weights in half the memory, in files and in the inputs of dot-product instructions.
#pragma once

#include <minivit/core/isa.hpp>

#include <bit>
#include <cstdint>

namespace minivit::inline MINIVIT_ISA {

/// Storage type: 1 sign, 8 exponent and 7 mantissa bits. Relative rounding error at most 2^-8.
struct bf16 {
  std::uint16_t bits = 0;  ///< sign, exponent, mantissa, as in the upper half of a float

  bf16() = default;  ///< +0
  /// Rounded to nearest, ties to even; NaN stays NaN, beyond the largest value is infinity.
  explicit constexpr bf16(float value) {
    const auto u = std::bit_cast<std::uint32_t>(value);
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<std::uint16_t>(nan ? (u >> 16) | 0x40u : (u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
  }
  /// Exact.
  explicit constexpr operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

}  // namespace minivit::inline MINIVIT_ISA
