// SPDX-License-Identifier: MIT
// Which bytes are UTF-8, for texts of strangers on their way into JSON and SVG.
#pragma once

#include <minivit/core/isa.hpp>

#include <cstddef>
#include <string_view>

namespace minivit::inline MINIVIT_ISA {

namespace detail {

/// Length of the valid UTF-8 sequence at the start of `text`, 0 when there is none (RFC 3629: no overlong forms, no
/// surrogates).
constexpr std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xC2 && first <= 0xDF) return tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool range = first == 0xE0 ? byte(1) >= 0xA0 : first == 0xED ? byte(1) < 0xA0 : true;
    return range && tail(1) && tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool range = first == 0xF0 ? byte(1) >= 0x90 : first == 0xF4 ? byte(1) < 0x90 : true;
    return range && tail(1) && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
