// SPDX-License-Identifier: MIT
// The orientation that a camera wrote beside the pixels (Exif 2.3, tag 0x0112), and the turning that undoes it, as Pillow's
// ImageOps.exif_transpose. Nothing else of Exif is read. Damaged Exif data means "upright" and is no error: it says nothing
// about the pixels.
#pragma once

#include <minivit/data/pixels.hpp>

#include <algorithm>
#include <span>

namespace minivit::inline MINIVIT_ISA::detail {

/// 1 (upright) to 8 from a TIFF structure: byte order, directory, entries of 12 bytes. Every offset is checked.
inline int exif_orientation(std::span<const std::byte> tiff) {
  const auto byte = [&](std::size_t at) { return std::to_integer<std::uint32_t>(tiff[at]); };
  if (tiff.size() < 8) return 1;
  const bool little = byte(0) == 'I' && byte(1) == 'I', big = byte(0) == 'M' && byte(1) == 'M';
  if (!little && !big) return 1;
  const auto number = [&](std::size_t at, std::size_t bytes) {  // precondition: at + bytes <= size
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) value |= byte(at + i) << 8 * (little ? i : bytes - 1 - i);
    return value;
  };
  if (number(2, 2) != 42) return 1;
  const std::size_t directory = number(4, 4);
  if (directory > tiff.size() - 2) return 1;
  const std::size_t count = number(directory, 2);
  int found = 1;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t entry = directory + 2 + 12 * i;  // at most 2^32 + 2^20, no overflow
    if (entry + 12 > tiff.size()) break;
    constexpr std::uint32_t short_type = 3, long_type = 4;
    const std::uint32_t type = number(entry + 2, 2);
    if (number(entry, 2) != 0x0112 || number(entry + 4, 4) != 1 || (type != short_type && type != long_type)) continue;
    const std::uint32_t value = number(entry + 8, type == short_type ? 2 : 4);
    found = value >= 1 && value <= 8 ? static_cast<int>(value) : 1;  // of two entries the last, as in Pillow
  }
  return found;
}

/// The picture as its camera was held. Orientations 5 to 8 exchange width and height.
inline Image upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const int w = image.width, h = image.height;
  const bool swaps = orientation >= 5;
  // Where pixel (x, y) of the result comes from: mirrored across, down, or both, after the exchange of x and y.
  const bool across = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool down = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image out(swaps ? h : w, swaps ? w : h);
  for (int y = 0; y < out.height; ++y) {
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < out.width; ++x, to += 3) {
      const int column = swaps ? y : x, line = swaps ? x : y;
      std::copy_n(image.row(down ? h - 1 - line : line) + 3 * Index{across ? w - 1 - column : column}, 3, to);
    }
  }
  return out;
}

}  // namespace minivit::inline MINIVIT_ISA::detail
