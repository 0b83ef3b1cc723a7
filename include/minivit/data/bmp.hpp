// SPDX-License-Identifier: MIT
// Reads uncompressed BMP files of 1, 4, 8, 16, 24 and 32 bits, as Pillow 9.4 does: alpha is dropped, five and six bits are
// scaled to 255 and rounded down. Every offset is checked against the file before a pixel is read; nothing compressed is
// read.
#pragma once

#include <minivit/data/image_check.hpp>
#include <minivit/data/pixels.hpp>

#include <bit>

namespace minivit::inline MINIVIT_ISA::detail {

/// Where the pixels are and what they mean.
struct BmpLayout {
  int width = 0, height = 0;
  bool top_first = false;  // else the last row of the picture comes first
  std::uint32_t bits = 0;
  std::size_t first = 0, stride = 0;    // byte of the first row, bytes from one row to the next
  std::array<std::uint32_t, 3> mask{};  // 16 and 32 bits: of red, green, blue
  Palette palette = grey_ramp;
};

/// Masks of a file with BI_BITFIELDS: 565 or 555, or a byte for each colour.
inline void check_bmp_masks(const ByteReader& in, BmpLayout& b) {
  using Masks = std::array<std::uint32_t, 3>;
  constexpr Masks none{}, five{0x7C00, 0x3E0, 0x1F}, six{0xF800, 0x7E0, 0x1F}, bytes{0xFF0000, 0xFF00, 0xFF};
  const auto is_byte = [](std::uint32_t m) { return m == 0xFF || m == 0xFF00 || m == 0xFF0000 || m == 0xFF000000; };
  const bool known = b.bits == 16   ? b.mask == five || b.mask == six
                     : b.bits == 24 ? b.mask == bytes
                                    : b.bits == 32 && (b.mask == none || std::all_of(b.mask.begin(), b.mask.end(), is_byte));
  if (!known) in.refuse("the BMP has unknown colour masks");
  if (b.mask == none) b.mask = bytes;
}

/// Throws Error unless header, palette and every row lie inside the file.
inline BmpLayout check_bmp(ByteReader in) {
  const std::size_t total = in.left();
  BmpLayout b;
  in.skip(10, "the BMP header");
  b.first = in.little(4, "the BMP header");
  const std::uint32_t kind = in.little(4, "the BMP header");
  if (kind != 12 && kind != 40 && kind != 56 && kind != 108 && kind != 124) in.refuse("an unknown kind of BMP");
  const std::size_t word = kind == 12 ? 2 : 4;
  const std::uint32_t width = in.little(word, "the BMP header");
  const std::int64_t raw = in.little(word, "the BMP header");
  const std::int64_t height = kind != 12 && raw >= (std::int64_t{1} << 31) ? raw - (std::int64_t{1} << 32) : raw;
  in.check_size(width, height < 0 ? -height : height);
  b.width = static_cast<int>(width);
  b.height = static_cast<int>(height < 0 ? -height : height);
  b.top_first = height < 0;
  if (in.little(2, "the BMP header") != 1) in.refuse("the BMP does not have one plane");
  b.bits = in.little(2, "the BMP header");
  if (b.bits != 1 && b.bits != 4 && b.bits != 8 && b.bits != 16 && b.bits != 24 && b.bits != 32)
    in.refuse("the BMP has an unknown depth");
  std::uint32_t compression = 0, colours = 0;
  if (kind != 12) {
    compression = in.little(4, "the BMP header");
    if (compression != 0 && compression != 3) in.refuse("compressed BMP files are not supported");
    in.skip(12, "the BMP header");
    colours = in.little(4, "the BMP header");
    in.skip(4, "the BMP header");
  }
  b.mask = b.bits == 16 ? std::array<std::uint32_t, 3>{0x7C00, 0x3E0, 0x1F}
                        : std::array<std::uint32_t, 3>{0xFF0000, 0xFF00, 0xFF};
  if (compression == 3) {  // behind a header of 40 bytes, inside a longer one: the same place
    for (auto& m : b.mask) m = in.little(4, "the BMP header");
    check_bmp_masks(in, b);
  }
  if (14 + std::size_t{kind} > in.at()) in.skip(14 + std::size_t{kind} - in.at(), "the BMP header");
  if (b.bits <= 8) {
    const std::uint32_t most = 1u << b.bits, padding = kind == 12 ? 0 : 1;
    const std::uint32_t count = colours == 0 ? most : std::min(colours, most);
    in.need(std::size_t{count} * (3 + padding), "the BMP's palette");
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t c = 3; c > 0; --c)
        b.palette[3 * i + c - 1] = static_cast<std::uint8_t>(in.little(1, "the BMP's palette"));
      in.skip(padding, "the BMP's palette");
    }
  }
  b.stride = (std::size_t{width} * b.bits + 31) / 32 * 4;
  if (b.first < 14 + std::size_t{kind} || b.first > total) in.refuse("the BMP's pixels start outside the file");
  // stride <= 65536 and height <= 16384: the product fits in 32 bits
  if (b.stride * static_cast<std::size_t>(b.height) > total - b.first) in.refuse("the BMP file is cut off");
  return b;
}

/// The pixels of a BMP file. Throws Error that names the file and the byte.
inline Image decode_bmp(const ByteReader& in) {
  const BmpLayout b = check_bmp(in);
  Image image(b.width, b.height);
  const auto colour = [&](std::uint32_t pixel, std::uint32_t mask) {
    const std::uint32_t most = mask >> std::countr_zero(mask);
    return static_cast<std::uint8_t>(((pixel & mask) >> std::countr_zero(mask)) * 255u / most);
  };
  for (int y = 0; y < b.height; ++y) {
    const std::size_t start = b.first + b.stride * static_cast<std::size_t>(b.top_first ? y : b.height - 1 - y);
    std::uint8_t* to = image.row(y);
    for (std::size_t x = 0; x < static_cast<std::size_t>(b.width); ++x, to += 3) {
      if (b.bits <= 8) {
        const std::size_t bit = x * b.bits;
        const std::uint32_t index = in.byte_at(start + bit / 8) >> (8 - b.bits - bit % 8) & ((1u << b.bits) - 1);
        std::copy_n(b.palette.begin() + 3 * Index{index}, 3, to);
        continue;
      }
      const std::size_t size = b.bits / 8;
      std::uint32_t pixel = 0;
      for (std::size_t i = 0; i < size; ++i) pixel |= in.byte_at(start + x * size + i) << 8 * i;
      for (std::size_t c = 0; c < 3; ++c) to[c] = colour(pixel, b.mask[c]);
    }
  }
  return image;
}

}  // namespace minivit::inline MINIVIT_ISA::detail
