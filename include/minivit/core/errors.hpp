// SPDX-License-Identifier: MIT
// The one exception type of the library and the one way to word it: where, what, expected, found, hint.
#pragma once

#include <minivit/core/isa.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
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

/// A piece of a message: a text, or a whole number in decimal. Does not own the text.
class TextPiece {
 public:
  TextPiece(std::string_view text)
      : text_(text.empty() ? "" : text.data()), size_(text.size()) {}        ///< as it is. NOLINT: implicit by intent
  TextPiece(const std::string& text) : TextPiece(std::string_view(text)) {}  ///< likewise. NOLINT
  TextPiece(const char* text) : TextPiece(std::string_view(text)) {}         ///< likewise. NOLINT
  template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>) TextPiece(T number)
      : size_(static_cast<std::uint64_t>(number)), negative_(number < 0) {}  ///< its digits. NOLINT

  /// Appends it.
  [[gnu::cold, gnu::noinline]] void add_to(std::string& out) const {
    if (text_ != nullptr) {
      out.append(text_, static_cast<std::size_t>(size_));
      return;
    }
    char digits[21];
    std::size_t first = sizeof digits;
    std::uint64_t left = negative_ ? ~size_ + 1 : size_;
    do digits[--first] = static_cast<char>('0' + left % 10);
    while ((left /= 10) > 0);
    if (negative_) digits[--first] = '-';
    out.append(digits + first, sizeof digits - first);
  }

 private:
  const char* text_ = nullptr;  // null: a number
  std::uint64_t size_;          // of the text, or the number
  bool negative_ = false;
};

/// concat({"at most ", n, " bytes"}). One call and one string, where a chain of + is several of each and ten times as much
/// code, most of it for the case that one of them has no memory.
[[gnu::cold, gnu::noinline]] inline std::string concat(std::initializer_list<TextPiece> pieces) {
  std::string out;
  for (const TextPiece& piece : pieces) piece.add_to(out);
  return out;
}

/// Every run-time failure of the library. `what()` is one line of at most about 500 characters.
class Error : public std::runtime_error {
 public:
  explicit Error(const Problem& p) : std::runtime_error(message(p)) {}  ///< worded by message()

  /// "where: what: expected E, found F (hint)"
  [[gnu::cold]] static std::string message(const Problem& p) {
    const auto part = [](const char* before, std::string_view text, std::size_t limit, const char* after) {
      return text.empty() ? std::string() : concat({before, printable(text, limit), after});
    };
    return concat({printable(p.where, 200), ": ", printable(p.what, 200), part(": expected ", p.expected, 160, ""),
                   part(p.expected.empty() ? ": found " : ", found ", p.found, 160, ""), part(" (", p.hint, 200, ")")});
  }
};

/// Throws an Error: the only way in which the library throws one.
[[noreturn, gnu::cold]] inline void fail(const Problem& p) { throw Error(p); }

}  // namespace minivit::inline MINIVIT_ISA
