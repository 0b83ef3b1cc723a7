// SPDX-License-Identifier: MIT
// Strings and numbers as JSON text, for logs and metadata. Numbers do not depend on the locale and survive a round trip; NaN
// and infinity, which JSON does not know, become null. Writes only.
#pragma once

#include <minivit/core/utf8.hpp>

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace minivit::inline MINIVIT_ISA {

/// `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
inline std::string json_string(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  while (!text.empty()) {
    const char c = text[0];
    const std::size_t length = detail::utf8_length(text);
    if (length == 0) {
      out += "\\ufffd";
    } else if (length > 1) {
      out += text.substr(0, length);
    } else if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (const auto byte = static_cast<unsigned char>(c); byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
    text.remove_prefix(length > 0 ? length : 1);
  }
  return out + '"';
}

/// The shortest text that reads back as the same number; "null" for NaN and infinity.
template <std::floating_point T>
std::string json_number(T value) {
  if (!std::isfinite(value)) return "null";
  char text[40];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return std::string(text, end);
}
template <std::integral T>
std::string json_number(T value) {
  return std::to_string(value);
}

}  // namespace minivit::inline MINIVIT_ISA
