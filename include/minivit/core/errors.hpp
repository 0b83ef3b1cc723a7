// SPDX-License-Identifier: MIT
// The one exception type of the library and the one way to word it: where, what, expected, found, hint.
#pragma once

#include <minivit/core/isa.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

namespace minivit::inline MINIVIT_ISA {

/// What went wrong. Only `where` and `what` are required; empty fields are left out of the message.
struct Problem {
  std::string_view where = {};     ///< operation and file, e.g. "load mine.safetensors"
  std::string_view what = {};      ///< e.g. "tensor 'head.weight' has the wrong shape"
  std::string_view expected = {};  ///< e.g. "[10, 192]"
  std::string_view found = {};     ///< e.g. "[1000, 192]"
  std::string_view hint = {};      ///< what to do about it
};

/// Replaces control bytes by `\xNN` and cuts at `limit` bytes, so that text from a file cannot forge or flood a message.
[[gnu::cold]] inline std::string printable(std::string_view text, std::size_t limit = 160) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (out.size() >= limit) return out + "...";
    if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += digits[byte >> 4];
      out += digits[byte & 15];
    } else {
      out += c;
    }
  }
  return out;
}

/// Every run-time failure of the library. `what()` is one line of at most about 500 characters.
class Error : public std::runtime_error {
 public:
  explicit Error(const Problem& p) : std::runtime_error(message(p)) {}  ///< worded by message()

  /// "where: what: expected E, found F (hint)"
  [[gnu::cold]] static std::string message(const Problem& p) {
    std::string text = printable(p.where, 200) + ": " + printable(p.what, 200);
    if (!p.expected.empty()) text += ": expected " + printable(p.expected);
    if (!p.found.empty()) text += std::string(p.expected.empty() ? ": " : ", ") + "found " + printable(p.found);
    if (!p.hint.empty()) text += " (" + printable(p.hint, 200) + ")";
    return text;
  }
};

/// Throws an Error: the only way in which the library throws one.
[[noreturn, gnu::cold]] inline void fail(const Problem& p) { throw Error(p); }

}  // namespace minivit::inline MINIVIT_ISA
