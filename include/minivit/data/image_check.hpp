// SPDX-License-Identifier: MIT
// Walks the structure of a PNG file before any decoder sees it: every length must lie inside the file, the checksums must be
// right, the size must be sane. stb_image takes these on trust. Looks at structure only; it does not decompress. JPEG and
// BMP files have headers of their own, image_check_jpeg.hpp and bmp.hpp.
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

/// Colours of the 256 indices, red, green, blue each.
using Palette = std::array<std::uint8_t, 768>;

/// What an index means that the file gives no colour: a grey of that level, as in Pillow.
inline constexpr Palette grey_ramp = [] {
  Palette palette{};
  for (std::size_t i = 0; i < 768; ++i) palette[i] = static_cast<std::uint8_t>(i / 3);
  return palette;
}();

/// What is known of an image whose structure is sound.
struct ImageHeader {
  int width = 0, height = 0;
  int bytes_per_pixel = 4;        ///< of the decoder's widest intermediate form
  int components = 0;             ///< JPEG
  bool adobe = false;             ///< JPEG: an Adobe marker says how the components are meant
  int colour = 0, depth = 0;      ///< PNG: colour type (0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha), bits
  std::size_t palette_chunk = 0;  ///< PNG with a palette: where its PLTE chunk starts
  std::size_t palette_chunk_end = 0;
  Palette palette = grey_ramp;        ///< PNG with a palette
  std::span<const std::byte> exif{};  ///< TIFF structure inside the file, or empty
};

/// Bytes of a file with a position; every read is checked and a refusal names the file and the byte.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  std::size_t at() const { return at_; }
  std::size_t left() const { return bytes_.size() - at_; }
  [[noreturn, gnu::cold]] void refuse(std::string_view what, std::string_view expected = {},
                                      std::string_view found = {}) const {
    const std::string where = concat({"decode ", name_});
    const std::string text = concat({what, " at byte ", at_});
    detail::fail_with(where, text, expected, found);
  }
  void need(std::size_t n, std::string_view what) const {
    if (n > left()) refuse_end(n, what);
  }
  /// Precondition: the bytes exist.
  std::span<const std::byte> bytes(std::size_t first, std::size_t count) const { return bytes_.subspan(first, count); }
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
    const std::string got = concat({width, " x ", height});
    if (width < 1 || height < 1 || width > max_image_side || height > max_image_side)
      refuse("the image has an impossible size", "sides of 1 to 16384 pixels", got);
    if (width * height > max_image_pixels) refuse("the image is too large", "at most 50 million pixels", got);
  }

 private:
  [[noreturn, gnu::cold]] void refuse_end(std::size_t n, std::string_view what) const {
    const std::string want = concat({n, " more bytes"});
    refuse(concat({"the file is cut off inside ", what}), want, std::to_string(left()));
  }

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
      const auto depth = static_cast<int>(fields.big(1, "IHDR")), colour = static_cast<int>(fields.big(1, "IHDR"));
      const bool grey = colour == 0, palette = colour == 3, rgb = colour == 2 || colour == 4 || colour == 6;
      const bool small = depth == 1 || depth == 2 || depth == 4;
      if (!((depth == 8 && (grey || palette || rgb)) || ((grey || palette) && small) || ((grey || rgb) && depth == 16)))
        in.refuse("the PNG has an unknown colour type and depth");
      header.bytes_per_pixel = depth == 16 ? 8 : 4;
      header.depth = depth;
      header.colour = colour;
    } else if (type == tag("PLTE")) {
      if (header.palette_chunk != 0 || data) in.refuse("a misplaced PLTE chunk");
      if (length == 0 || length % 3 != 0 || length > 768)
        in.refuse("the PLTE chunk has a wrong length", "3 to 768", std::to_string(length));
      header.palette_chunk = start;
      header.palette_chunk_end = end;
      for (std::size_t i = 0; i < length; ++i) header.palette[i] = static_cast<std::uint8_t>(in.byte_at(body + i));
    } else if (type == tag("IDAT")) {
      if (header.colour == 3 && header.palette_chunk == 0) in.refuse("the palette is missing");
      data = true;
    } else if (type == tag("eXIf")) {
      header.exif = in.bytes(body, length);
    } else if (type == tag("IEND")) {
      if (!data) in.refuse("the PNG has no image data");
      if (header.colour != 3) header.palette_chunk = header.palette_chunk_end = 0;
      return header;
    } else if (critical) {
      in.refuse("a PNG chunk of a kind that must not be passed over");
    }
    in.skip(std::size_t{length} + 4, "a PNG chunk");
  }
}

}  // namespace minivit::inline MINIVIT_ISA::detail
