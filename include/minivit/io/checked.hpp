// SPDX-License-Identifier: MIT
// Checked unsigned arithmetic: the only arithmetic that may touch a number read from a file. A result that does not
// fit is no result, never a wrapped one.
#pragma once

#include <minivit/core/isa.hpp>

#include <cstdint>
#include <limits>
#include <optional>

namespace minivit::inline MINIVIT_ISA::checked {

/// a + b, or nothing when it exceeds 64 bits.
constexpr std::optional<std::uint64_t> add(std::uint64_t a, std::uint64_t b) {
  if (a > std::numeric_limits<std::uint64_t>::max() - b) return std::nullopt;
  return a + b;
}

/// a * b, or nothing when it exceeds 64 bits.
constexpr std::optional<std::uint64_t> mul(std::uint64_t a, std::uint64_t b) {
  if (a != 0 && b > std::numeric_limits<std::uint64_t>::max() / a) return std::nullopt;
  return a * b;
}

}  // namespace minivit::inline MINIVIT_ISA::checked
