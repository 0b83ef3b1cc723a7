// SPDX-License-Identifier: MIT
// The JPEG part of image_check.hpp (ITU-T T.81): markers from SOI to EOI, one frame header, Huffman tables that are
// complete before a scan refers to them, at least one bit of data for each block, and no more scans than an encoder writes.
#pragma once

#include <minivit/data/image_check.hpp>

namespace minivit::inline MINIVIT_ISA::detail {

/// What the markers read so far have defined.
struct JpegState {
  ImageHeader header;
  bool progressive = false;
  std::uint32_t components = 0;
  std::array<std::uint32_t, 4> id{}, table{};  // per component: identifier and quantisation table
  std::uint32_t quantisation = 0;              // bit i: table i is defined
  std::array<std::uint32_t, 2> huffman{};      // [DC, AC] bit i: table i is defined
  std::int64_t blocks = 0;                     // minimum coded units of an interleaved scan
  std::size_t scanned = 0;                     // bytes of entropy-coded data
  int scans = 0;
};

/// Every scan of a progressive file visits every block, however little data it holds; real ones have about ten.
inline constexpr int max_jpeg_scans = 256;

inline void check_jpeg_frame(ByteReader in, JpegState& s) {
  if (s.components != 0) in.refuse("a second JPEG frame header");
  if (const auto precision = in.big(1, "the frame header"); precision != 8)
    in.refuse("the JPEG has an unsupported depth", "8 bits", std::to_string(precision));
  const std::int64_t height = in.big(2, "the frame header"), width = in.big(2, "the frame header");
  in.check_size(width, height);
  s.components = in.big(1, "the frame header");
  if (s.components != 1 && s.components != 3 && s.components != 4)
    in.refuse("the JPEG has an unsupported number of components");
  std::int64_t most_h = 1, most_v = 1;
  for (std::uint32_t c = 0; c < s.components; ++c) {
    s.id[c] = in.big(1, "the frame header");
    const std::uint32_t sampling = in.big(1, "the frame header");
    s.table[c] = in.big(1, "the frame header");
    const std::int64_t h = sampling >> 4, v = sampling & 15;
    if (h < 1 || h > 4 || v < 1 || v > 4 || s.table[c] > 3) in.refuse("the JPEG frame header is damaged");
    most_h = std::max(most_h, h);
    most_v = std::max(most_v, v);
  }
  if (in.left() != 0) in.refuse("the JPEG frame header has a wrong length");
  s.header.width = static_cast<int>(width);
  s.header.height = static_cast<int>(height);
  s.header.components = static_cast<int>(s.components);
  s.blocks = ((width + 8 * most_h - 1) / (8 * most_h)) * ((height + 8 * most_v - 1) / (8 * most_v));
}

inline void check_jpeg_huffman(ByteReader in, JpegState& s) {
  while (in.left() > 0) {
    const std::uint32_t which = in.big(1, "a Huffman table");
    if (which >> 4 > 1 || (which & 15u) > 3) in.refuse("a Huffman table has an unknown number");
    std::uint32_t count = 0, space = 0;
    for (std::uint32_t bits = 1; bits <= 16; ++bits) {
      const std::uint32_t n = in.big(1, "a Huffman table");
      count += n;
      space += n << (16 - bits);
    }
    if (count > 256 || space > 65536) in.refuse("a Huffman table has too many codes");
    in.skip(count, "a Huffman table");
    s.huffman[which >> 4] |= 1u << (which & 15u);
  }
}

inline void check_jpeg_quantisation(ByteReader in, JpegState& s) {
  while (in.left() > 0) {
    const std::uint32_t which = in.big(1, "a quantisation table");
    if (which >> 4 > 1 || (which & 15u) > 3) in.refuse("a quantisation table has an unknown number");
    in.skip(which >> 4 != 0 ? 128 : 64, "a quantisation table");
    s.quantisation |= 1u << (which & 15u);
  }
}

inline void check_jpeg_scan(ByteReader in, const JpegState& s) {
  if (s.components == 0) in.refuse("JPEG data before the frame header");
  const std::uint32_t count = in.big(1, "a scan header");
  if (count < 1 || count > s.components) in.refuse("a JPEG scan has a wrong number of components");
  if (in.left() != 2 * count + 3) in.refuse("a JPEG scan header has a wrong length");
  std::array<std::uint32_t, 4> dc{}, ac{};
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t id = in.big(1, "a scan header"), tables = in.big(1, "a scan header");
    const auto* const end = s.id.begin() + s.components;
    const auto* const found = std::find(s.id.begin(), end, id);
    if (found == end) in.refuse("a JPEG scan names an unknown component");
    if ((s.quantisation >> s.table[static_cast<std::size_t>(found - s.id.begin())] & 1u) == 0)
      in.refuse("a JPEG scan needs a quantisation table that is missing");
    dc[i] = tables >> 4;
    ac[i] = tables & 15u;
    if (dc[i] > 3 || ac[i] > 3) in.refuse("a JPEG scan names an unknown Huffman table");
  }
  const std::uint32_t first = in.big(1, "a scan header"), last = in.big(1, "a scan header"),
                      bits = in.big(1, "a scan header");
  const bool refines = bits >> 4 != 0;
  if (first > 63 || last > 63 || first > last || (s.progressive && first == 0 && last != 0) || (bits & 15u) > 13 ||
      bits >> 4 > 13)
    in.refuse("a JPEG scan header is damaged");
  const bool needs_dc = s.progressive ? first == 0 && !refines : true;
  const bool needs_ac = s.progressive ? first > 0 : true;
  if (s.progressive && first > 0 && count != 1) in.refuse("a JPEG scan has a wrong number of components");
  for (std::uint32_t i = 0; i < count; ++i)
    if ((needs_dc && (s.huffman[0] >> dc[i] & 1u) == 0) || (needs_ac && (s.huffman[1] >> ac[i] & 1u) == 0))
      in.refuse("a JPEG scan needs a Huffman table that is missing");
}

/// Exif data (the first, as in Pillow) and Adobe's word on the colours.
inline void check_jpeg_application(const ByteReader& in, std::uint32_t marker, JpegState& s) {
  const auto begins = [&](std::string_view word) {
    return in.left() >= word.size() && std::equal(word.begin(), word.end(), in.bytes(in.at(), word.size()).begin(),
                                                  [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
  };
  if (marker == 0xE1 && s.header.exif.empty() && begins(std::string_view("Exif\0\0", 6)))
    s.header.exif = in.bytes(in.at() + 6, in.left() - 6);
  if (marker == 0xEE && in.left() >= 12 && begins("Adobe")) s.header.adobe = true;
}

/// Throws Error unless the markers of a baseline or progressive JPEG are sound from SOI to EOI.
inline ImageHeader check_jpeg(std::span<const std::byte> bytes, std::string_view name) {
  ByteReader in(bytes, name);
  JpegState s;
  in.skip(2, "the JPEG signature");
  for (;;) {
    if (in.big(1, "JPEG markers") != 0xFF) in.refuse("something that is not a JPEG marker");
    std::uint32_t marker = 0xFF;
    while (marker == 0xFF) marker = in.big(1, "JPEG markers");
    if (marker == 0xD9) break;  // end of image
    if (marker == 0 || marker == 0xD8 || (marker >= 0xD0 && marker <= 0xD7) || marker == 0x01)
      in.refuse("an unexpected JPEG marker");
    const std::uint32_t length = in.big(2, "a JPEG segment");
    if (length < 2) in.refuse("a JPEG segment has an impossible length");
    in.need(length - 2, "a JPEG segment");
    const ByteReader segment = in.part(length - 2);
    in.skip(length - 2, "a JPEG segment");
    if (marker == 0xC4) {
      check_jpeg_huffman(segment, s);
    } else if (marker == 0xDB) {
      check_jpeg_quantisation(segment, s);
    } else if (marker >= 0xC0 && marker <= 0xC2) {
      s.progressive = marker == 0xC2;
      check_jpeg_frame(segment, s);
    } else if (marker >= 0xC3 && marker <= 0xCF) {
      in.refuse("this kind of JPEG (arithmetic, lossless or hierarchical) is not supported");
    } else if (marker == 0xDD && length != 4) {
      in.refuse("a JPEG restart interval has a wrong length");
    } else if (marker == 0xE1 || marker == 0xEE) {
      check_jpeg_application(segment, marker, s);
    } else if (marker == 0xDA) {
      if (++s.scans > max_jpeg_scans) in.refuse("the JPEG has too many scans", "at most 256");
      check_jpeg_scan(segment, s);
      const std::size_t start = in.at();
      for (;;) {  // entropy-coded data ends at a marker that is neither a stuffed zero nor a restart
        in.need(2, "the JPEG's image data");
        const std::uint32_t next = in.byte_at(in.at() + 1);
        if (in.byte_at(in.at()) == 0xFF && next != 0 && next != 0xFF && !(next >= 0xD0 && next <= 0xD7)) break;
        in.skip(1, "the JPEG's image data");
      }
      s.scanned += in.at() - start;
    }
  }
  if (s.scanned == 0) in.refuse("the JPEG has no image data");
  if (static_cast<std::int64_t>(s.scanned) * 8 < s.blocks) in.refuse("the JPEG has too little data for its size");
  return s.header;
}

}  // namespace minivit::inline MINIVIT_ISA::detail
