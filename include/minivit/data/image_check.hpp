// SPDX-License-Identifier: MIT
// Walks the structure of a PNG, JPEG or BMP file before any decoder sees it: every length must lie inside the file,
// every table must be complete, the size must be sane. stb_image takes these on trust (its 2.27 reads and writes out of
// bounds on damaged JPEGs). Looks at structure only; it does not decompress.
#pragma once

#include <minivit/core/file.hpp>
#include <minivit/core/view.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace minivit::inline MINIVIT_ISA::detail {

inline constexpr int max_image_side = 16384;
inline constexpr std::int64_t max_image_pixels = 50'000'000;

/// Size of an image whose structure is sound.
struct ImageHeader {
  int width = 0, height = 0;
  int bytes_per_pixel = 4;        ///< of the decoder's widest intermediate form
  std::size_t palette_chunk = 0;  ///< PNG with a palette: where its PLTE chunk starts
  std::size_t palette_chunk_end = 0;
};

/// Bytes of a file with a position; every read is checked and a refusal names the file and the byte.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }
  [[noreturn]] void refuse(std::string_view what, std::string_view expected = {}, std::string_view found = {}) const {
    const std::string where = "decode " + std::string(name_);
    const std::string text = std::string(what) + " at byte " + std::to_string(at_);
    detail::fail_with(where, text, expected, found);
  }
  void need(std::size_t n, std::string_view what) const {
    if (n <= left()) return;
    const std::string want = std::to_string(n) + " more bytes";
    refuse(std::string("the file is cut off inside ") + std::string(what), want, std::to_string(left()));
  }
  std::uint32_t byte_at(std::size_t i) const { return std::to_integer<std::uint32_t>(bytes_[i]); }
  /// n-byte unsigned number, n <= 4, most significant byte first.
  std::uint32_t big(std::size_t n, std::string_view what) {
    need(n, what);
    std::uint32_t v = 0;
    for (std::size_t i = 0; i < n; ++i) v = v << 8 | byte_at(at_++);
    return v;
  }
  std::uint32_t little(std::size_t n, std::string_view what) {
    need(n, what);
    std::uint32_t v = 0;
    for (std::size_t i = 0; i < n; ++i) v |= byte_at(at_++) << (8 * i);
    return v;
  }
  void skip(std::size_t n, std::string_view what) {
    need(n, what);
    at_ += n;
  }
  /// The next n bytes as a reader of their own. Precondition: they exist.
  ByteReader part(std::size_t n) const {
    ByteReader segment(bytes_.first(at_ + n), name_);
    segment.at_ = at_;
    return segment;
  }
  /// Throws when the size is zero or beyond the limits.
  void check_size(std::int64_t width, std::int64_t height) const {
    const std::string got = std::to_string(width) + " x " + std::to_string(height);
    if (width < 1 || height < 1 || width > max_image_side || height > max_image_side)
      refuse("the image has an impossible size", "sides of 1 to 16384 pixels", got);
    if (width * height > max_image_pixels) refuse("the image is too large", "at most 50 million pixels", got);
  }

 private:
  std::span<const std::byte> bytes_;
  std::string_view name_;
  std::size_t at_ = 0;
};

inline constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1u) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}();

/// CRC-32 of [first, last) as PNG defines it.
inline std::uint32_t png_crc(const ByteReader& in, std::size_t first, std::size_t last) {
  std::uint32_t c = 0xFFFFFFFFu;
  for (std::size_t i = first; i < last; ++i) c = crc_table[(c ^ in.byte_at(i)) & 255u] ^ (c >> 8);
  return ~c;
}

/// PNG (ISO 15948): IHDR first, chunks inside the file, checksums right, IDAT present, IEND last.
inline ImageHeader check_png(ByteReader in) {
  constexpr auto tag = [](const char(&name)[5]) {
    std::uint32_t v = 0;
    for (int i = 0; i < 4; ++i) v = v << 8 | static_cast<unsigned char>(name[i]);
    return v;
  };
  ImageHeader header;
  std::uint32_t colour = 0, depth = 0;
  bool data = false;
  in.skip(8, "the PNG signature");
  for (bool first = true;; first = false) {
    const std::size_t start = in.at();
    const std::uint32_t length = in.big(4, "a PNG chunk");
    const std::uint32_t type = in.big(4, "a PNG chunk");
    const std::size_t body = in.at();
    in.need(std::size_t{length} + 4, "a PNG chunk");
    ByteReader after = in;
    after.skip(length, "a PNG chunk");
    const std::size_t end = after.at() + 4;
    const bool critical = (type & 0x20000000u) == 0;
    if (critical && after.big(4, "a PNG chunk") != png_crc(in, body - 4, body + length))
      in.refuse("a PNG chunk has a wrong checksum");
    if (first != (type == tag("IHDR"))) in.refuse(first ? "the PNG does not begin with IHDR" : "a second IHDR chunk");
    if (type == tag("IHDR")) {
      if (length != 13) in.refuse("the IHDR chunk has a wrong length", "13", std::to_string(length));
      ByteReader fields = in.part(13);
      const std::int64_t width = fields.big(4, "IHDR"), height = fields.big(4, "IHDR");
      in.check_size(width, height);
      header.width = static_cast<int>(width);
      header.height = static_cast<int>(height);
      depth = fields.big(1, "IHDR");
      colour = fields.big(1, "IHDR");
      const bool grey = colour == 0, palette = colour == 3, rgb = colour == 2 || colour == 4 || colour == 6;
      const bool small = depth == 1 || depth == 2 || depth == 4;
      if (!(depth == 8 || ((grey || palette) && small) || ((grey || rgb) && depth == 16)))
        in.refuse("the PNG has an unknown colour type and depth");
      header.bytes_per_pixel = depth == 16 ? 8 : 4;
    } else if (type == tag("PLTE")) {
      if (header.palette_chunk != 0 || data) in.refuse("a misplaced PLTE chunk");
      if (length == 0 || length % 3 != 0 || length > 768)
        in.refuse("the PLTE chunk has a wrong length", "3 to 768", std::to_string(length));
      header.palette_chunk = start;
      header.palette_chunk_end = end;
    } else if (type == tag("IDAT")) {
      if (colour == 3 && header.palette_chunk == 0) in.refuse("the palette is missing");
      data = true;
    } else if (type == tag("IEND")) {
      if (!data) in.refuse("the PNG has no image data");
      if (colour != 3) header.palette_chunk = header.palette_chunk_end = 0;
      return header;
    }
    in.skip(std::size_t{length} + 4, "a PNG chunk");
  }
}

/// BMP: known header, uncompressed, every row inside the file.
inline ImageHeader check_bmp(ByteReader in) {
  const std::size_t total = in.left();
  in.skip(10, "the BMP header");
  const std::uint32_t offset = in.little(4, "the BMP header");
  const std::uint32_t kind = in.little(4, "the BMP header");
  if (kind != 12 && kind != 40 && kind != 56 && kind != 108 && kind != 124) in.refuse("an unknown kind of BMP");
  const std::size_t word = kind == 12 ? 2 : 4;
  const std::uint32_t width = in.little(word, "the BMP header");
  const std::int64_t raw = in.little(word, "the BMP header");
  const std::int64_t signed_height = kind != 12 && raw >= (std::int64_t{1} << 31) ? raw - (std::int64_t{1} << 32) : raw;
  const std::int64_t height = signed_height < 0 ? -signed_height : signed_height;  // negative: the first row is on top
  in.check_size(width, height);
  if (in.little(2, "the BMP header") != 1) in.refuse("the BMP does not have one plane");
  const std::uint32_t bits = in.little(2, "the BMP header");
  if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32)
    in.refuse("the BMP has an unknown depth");
  if (kind != 12) {
    const std::uint32_t compression = in.little(4, "the BMP header");
    if (compression != 0 && compression != 3) in.refuse("compressed BMP files are not supported");
  }
  const std::uint64_t row = (std::uint64_t{width} * bits + 31) / 32 * 4;
  if (offset < 14 + kind || offset > total) in.refuse("the BMP's pixels start outside the file");
  if (std::uint64_t{offset} + row * static_cast<std::uint64_t>(height) > total) in.refuse("the BMP file is cut off");
  return {.width = static_cast<int>(width), .height = static_cast<int>(height)};
}

}  // namespace minivit::inline MINIVIT_ISA::detail
