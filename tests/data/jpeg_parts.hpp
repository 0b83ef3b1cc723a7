// SPDX-License-Identifier: MIT
// Segments from which tests build tiny JPEG files, and what check_jpeg says about them.
#pragma once

#include "picture_parts.hpp"

#include <minivit/data/image_check_jpeg.hpp>

namespace parts::jpeg {
struct Component {
  std::uint32_t id, sampling, table;
};
using Components = std::vector<Component>;
using Pairs = std::vector<std::pair<std::uint32_t, std::uint32_t>>;  // of a scan: component and its two Huffman tables

inline Bytes segment(std::uint32_t marker, const Bytes& body) {
  return joined({raw({0xFF, marker}), big(static_cast<std::uint32_t>(body.size()) + 2, 2), body});
}
/// What defines one quantisation table, of bytes.
inline Bytes dqt(std::uint32_t which) { return segment(0xDB, joined({raw({which}), zeros(which >= 16 ? 128 : 64)})); }
/// The body that defines one Huffman table, with as many codes of each length as given, from 1 bit on.
inline Bytes huffman(std::uint32_t which, std::vector<std::uint32_t> codes) {
  codes.resize(16);
  std::uint32_t count = 0;
  Bytes out = raw({which});
  for (const std::uint32_t n : codes) {
    out.push_back(static_cast<std::byte>(n));
    count += n;
  }
  return joined({out, zeros(count)});
}
inline Bytes dht(std::uint32_t which) { return segment(0xC4, huffman(which, {1})); }
inline Bytes frame_body(const Components& components, std::uint32_t width = 8, std::uint32_t height = 8,
                        std::uint32_t precision = 8) {
  Bytes out = joined(
      {big(precision, 1), big(height, 2), big(width, 2), big(static_cast<std::uint32_t>(components.size()), 1)});
  for (const auto& [id, sampling, table] : components) out = joined({out, raw({id, sampling, table})});
  return out;
}
inline const Components grey{{1, 0x11, 0}}, colour{{1, 0x11, 0}, {2, 0x11, 1}, {3, 0x11, 1}};
inline Bytes frame(const Components& components, std::uint32_t marker = 0xC0) {
  return segment(marker, frame_body(components));
}
inline Bytes scan_body(const Pairs& pairs, std::uint32_t first = 0, std::uint32_t last = 63, std::uint32_t bits = 0) {
  Bytes out = raw({static_cast<unsigned>(pairs.size())});
  for (const auto& [id, tables] : pairs) out = joined({out, raw({id, tables})});
  return joined({out, raw({first, last, bits})});
}
inline Bytes scan(const Pairs& pairs, std::uint32_t first = 0, std::uint32_t last = 63, std::uint32_t bits = 0) {
  return joined({segment(0xDA, scan_body(pairs, first, last, bits)), raw({0x55})});
}
inline const Bytes soi = raw({0xFF, 0xD8}), eoi = raw({0xFF, 0xD9});
inline const Bytes tables = joined({soi, dqt(0), dht(0x00), dht(0x10)});
inline const Pairs one{{1, 0}};
inline const Bytes rest = joined({frame(grey), scan(one), eoi});  // behind the tables: a whole file of 8 x 8 pixels

inline minivit::detail::ImageHeader header(const Bytes& bytes) { return minivit::detail::check_jpeg(bytes, "t"); }
inline std::string words(const Bytes& bytes) {
  return words_of([&] { header(bytes); });
}

}  // namespace parts::jpeg
