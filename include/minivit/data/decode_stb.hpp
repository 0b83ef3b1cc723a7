// SPDX-License-Identifier: MIT
// PNG and JPEG through stb_image, for builds without libpng or libjpeg. Call it only on files that check_png or check_jpeg
// accepted. PNG pixels are those of libpng; JPEG pixels differ by a few levels, because stb_image rounds its transform and
// its colours in another way (docs/reference/images.md has the figures). It knows no warnings: checksums of the compressed
// data are not looked at.
#pragma once

#include <minivit/data/image_check.hpp>
#include <minivit/data/pixels.hpp>
#include <minivit/data/stb.hpp>

namespace minivit::inline MINIVIT_ISA::detail {

inline void append_bytes(std::vector<std::byte>& out, std::initializer_list<unsigned> more) {
  for (const unsigned byte : more) out.push_back(static_cast<std::byte>(byte));
}

/// The same PNG with its palette filled up to 256 colours, so that a damaged index does not mean old memory.
inline std::vector<std::byte> with_whole_palette(std::span<const std::byte> bytes, const ImageHeader& header) {
  std::vector<std::byte> out(bytes.begin(), bytes.begin() + static_cast<Index>(header.palette_chunk));
  append_bytes(out, {0, 0, 3, 0, 'P', 'L', 'T', 'E'});
  for (const std::uint8_t level : header.palette) out.push_back(static_cast<std::byte>(level));
  append_bytes(out, {0, 0, 0, 0});  // a checksum that stb does not look at
  out.insert(out.end(), bytes.begin() + static_cast<Index>(header.palette_chunk_end), bytes.end());
  return out;
}

/// The same JPEG with an Adobe marker that says CMYK, which others take four components for, and stb only then.
inline std::vector<std::byte> with_cmyk_marker(std::span<const std::byte> bytes) {
  std::vector<std::byte> out(bytes.begin(), bytes.begin() + 2);
  append_bytes(out, {0xFF, 0xEE, 0, 14, 'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0});
  out.insert(out.end(), bytes.begin() + 2, bytes.end());
  return out;
}

inline Image stb_decode(std::span<const std::byte> bytes, std::string_view name, const ImageHeader& header) {
  // Room for the decoder's planes, coefficients and result, padded to whole blocks, and the compressed data.
  const auto padded = [](int n) { return static_cast<std::size_t>(n + 63); };
  const std::size_t limit = padded(header.width) * padded(header.height) * static_cast<std::size_t>(header.bytes_per_pixel) *
                                6 +
                            bytes.size() * 8 + (std::size_t{1} << 20);
  const stb::Pool pool(limit);
  const std::string where = "decode " + std::string(name);
  const std::string expected = std::to_string(header.width) + " x " + std::to_string(header.height);
  const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto size = static_cast<int>(bytes.size());
  const bool wide_grey = header.depth == 16 && header.colour == 0;
  int width = 0, height = 0;
  const unsigned char* pixels = nullptr;
  const std::uint16_t* greys = nullptr;
  try {
    if (wide_grey) greys = stb::load_grey16(data, size, &width, &height);
    else pixels = stb::load_rgb(data, size, &width, &height);
  } catch (const stb::Confused&) {
    fail_with(where, "the image data is damaged");
  }
  if (pixels == nullptr && greys == nullptr) {
    const char* const reason = stb::failure_reason();
    fail_with(where, "the image data is damaged", {}, reason != nullptr ? reason : "", "stb_image's words");
  }
  if (width != header.width || height != header.height)
    fail_with(where, "the decoder disagrees about the size", expected,
              std::to_string(width) + " x " + std::to_string(height));
  Image image(width, height);
  if (!wide_grey) {
    std::memcpy(image.rgb.data(), pixels, image.rgb.size());
    return image;
  }
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>(std::min<int>(greys[i / 3], 255));
  return image;
}

inline Image stb_decode_png(std::span<const std::byte> bytes, std::string_view name, const ImageHeader& header) {
  return header.palette_chunk == 0 ? stb_decode(bytes, name, header)
                                   : stb_decode(with_whole_palette(bytes, header), name, header);
}

inline Image stb_decode_jpeg(std::span<const std::byte> bytes, std::string_view name, const ImageHeader& header) {
  return header.components != 4 || header.adobe ? stb_decode(bytes, name, header)
                                                : stb_decode(with_cmyk_marker(bytes), name, header);
}

}  // namespace minivit::inline MINIVIT_ISA::detail
