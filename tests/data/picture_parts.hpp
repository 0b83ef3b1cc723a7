// SPDX-License-Identifier: MIT
// Pieces from which tests build tiny pictures, and the exact words in which a damaged one is refused.
#pragma once

#include "../catch.hpp"
#include "../scratch.hpp"

#include <minivit/data/image_check.hpp>

#include <initializer_list>
#include <vector>

namespace parts {
using Bytes = std::vector<std::byte>;

inline Bytes raw(std::initializer_list<unsigned> values) {
  Bytes out;
  for (const unsigned v : values) out.push_back(static_cast<std::byte>(v));
  return out;
}
inline Bytes text(std::string_view letters) {
  Bytes out;
  for (const char c : letters) out.push_back(static_cast<std::byte>(c));
  return out;
}
inline Bytes zeros(std::size_t n) { return Bytes(n); }
inline Bytes joined(std::initializer_list<Bytes> pieces) {
  Bytes out;
  for (const Bytes& piece : pieces) out.insert(out.end(), piece.begin(), piece.end());
  return out;
}
inline Bytes big(std::uint32_t value, int bytes) {
  Bytes out;
  for (int i = bytes - 1; i >= 0; --i) out.push_back(static_cast<std::byte>(value >> 8 * i & 255u));
  return out;
}
inline Bytes little(std::uint32_t value, int bytes) {
  Bytes out = big(value, bytes);
  return {out.rbegin(), out.rend()};
}
inline Bytes first_of(const Bytes& all, std::size_t n) {
  return {all.begin(), all.begin() + static_cast<minivit::Index>(n)};
}

/// What a refusal says behind the name of the file.
inline std::string says(std::string_view what, std::size_t byte, std::string_view expected = {},
                        std::string_view found = {}) {
  std::string out = std::string(what) + " at byte " + std::to_string(byte);
  if (!expected.empty()) out += ": expected " + std::string(expected);
  if (!found.empty()) out += (expected.empty() ? ": found " : ", found ") + std::string(found);
  return out;
}
inline std::string cut_off(std::string_view part, std::size_t byte, std::size_t expected, std::size_t found) {
  return says("the file is cut off inside " + std::string(part), byte, std::to_string(expected) + " more bytes",
              std::to_string(found));
}
/// The words of the Error that f() throws, behind "decode t: "; empty when it throws none.
template <class F>
std::string words_of(F&& f) {
  const std::string all = scratch::message_of(f);
  constexpr std::string_view before = "decode t: ";
  if (all.empty()) return {};
  REQUIRE(all.starts_with(before));
  return all.substr(before.size());
}

/// A part of a file that is read at once: cut inside it, the file is refused at its beginning.
struct Field {
  std::size_t size;
  const char* name;
};
/// Cuts the file at every byte of the fields, which follow each other from `at` on. Gives where they end.
template <class Words>
std::size_t cut_everywhere(const Bytes& file, const std::vector<Field>& fields, Words&& words, std::size_t at = 0) {
  for (const Field& field : fields) {
    REQUIRE(at + field.size <= file.size());
    for (std::size_t n = 0; n < field.size; ++n)
      CHECK(words(first_of(file, at + n)) == cut_off(field.name, at, field.size, n));
    at += field.size;
  }
  return at;
}

}  // namespace parts
