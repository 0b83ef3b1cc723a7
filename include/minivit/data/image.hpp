// SPDX-License-Identifier: MIT
// Image: 8-bit RGB pixels, and reading and writing them as files. JPEG, PNG and BMP are read through stb_image after
// their structure has been checked; PNG and JPEG are written. Alpha is dropped, grey is copied to three channels,
// 16-bit PNG keeps the high byte. Embedded colour profiles and rotation tags are ignored.
#pragma once

#include <minivit/core/file.hpp>
#include <minivit/data/image_check.hpp>
#include <minivit/data/image_check_jpeg.hpp>
#include <minivit/data/stb.hpp>

#include <memory>

namespace minivit::inline MINIVIT_ISA {

/// Pixels in rows from top to bottom, each pixel red, green, blue.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  // (height, width, 3)

  Image() = default;
  /// A black image. Precondition: both sides are positive.
  Image(int w, int h) : width(w), height(h), rgb(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3) {}
  std::uint8_t* row(int y) { return rgb.data() + Index{y} * width * 3; }
  const std::uint8_t* row(int y) const { return rgb.data() + Index{y} * width * 3; }
  bool operator==(const Image&) const = default;
};

/// Largest image file that is read.
inline constexpr std::uint64_t max_image_file = std::uint64_t{64} << 20;

namespace detail {
/// The same PNG with its palette filled up to 256 colours, so that a damaged index means black and not old memory.
inline std::vector<std::byte> fill_palette(std::span<const std::byte> bytes, const ImageHeader& header) {
  const auto from = [&](std::size_t a, std::size_t b) { return bytes.subspan(a, b - a); };
  constexpr std::byte length[4] = {std::byte{0}, std::byte{0}, std::byte{3}, std::byte{0}};  // 768
  std::vector<std::byte> out;
  const auto append = [&](std::span<const std::byte> part) { out.insert(out.end(), part.begin(), part.end()); };
  append(from(0, header.palette_chunk));
  append(length);
  append(from(header.palette_chunk + 4, header.palette_chunk_end - 4));
  const std::size_t had = header.palette_chunk_end - header.palette_chunk - 12;
  out.resize(out.size() + (768 - had) + 4);  // black, and a checksum that stb does not look at
  append(from(header.palette_chunk_end, bytes.size()));
  return out;
}

inline Image decode_checked(std::span<const std::byte> bytes, std::string_view name, const ImageHeader& header) {
  // Room for the decoder's planes, coefficients and result, padded to whole blocks, and the compressed data.
  const auto padded = [](int n) { return static_cast<std::size_t>(n + 63); };
  const std::size_t limit =
      padded(header.width) * padded(header.height) * static_cast<std::size_t>(header.bytes_per_pixel) * 6 +
      bytes.size() * 8 + (std::size_t{1} << 20);
  const stb::Pool pool(limit);
  const std::string where = "decode " + std::string(name);
  const std::string expected = std::to_string(header.width) + " x " + std::to_string(header.height);
  int width = 0, height = 0;
  const unsigned char* pixels = nullptr;
  try {
    pixels =
        stb::load_rgb(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()), &width, &height);
  } catch (const stb::Confused&) {
    detail::fail_with(where, "the image data is damaged");
  }
  if (pixels == nullptr) {
    const char* const reason = stb::failure_reason();
    detail::fail_with(where, "the image data is damaged", {}, reason != nullptr ? reason : "");
  }
  if (width != header.width || height != header.height)
    detail::fail_with(where, "the decoder disagrees about the size", expected,
                      std::to_string(width) + " x " + std::to_string(height));
  Image image(width, height);
  std::memcpy(image.rgb.data(), pixels, image.rgb.size());
  return image;
}
}  // namespace detail

/// Decodes a JPEG, PNG or BMP file of at most 64 MiB and 50 million pixels, told apart by its first bytes.
/// `name` appears in errors. Throws Error for anything that is damaged, cut off, too large or not supported.
inline Image decode_image(std::span<const std::byte> bytes, std::string_view name) {
  const detail::ByteReader in(bytes, name);
  if (bytes.size() > max_image_file) in.refuse("the image file is too large", "at most 64 MiB");
  const auto starts_with = [&](std::initializer_list<unsigned> magic) {
    std::size_t i = 0;
    return bytes.size() >= magic.size() &&
           std::all_of(magic.begin(), magic.end(), [&](unsigned m) { return in.byte_at(i++) == m; });
  };
  if (starts_with({0xFF, 0xD8})) return detail::decode_checked(bytes, name, detail::check_jpeg(bytes, name));
  if (starts_with({0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A})) {
    const auto header = detail::check_png(in);
    if (header.palette_chunk == 0) return detail::decode_checked(bytes, name, header);
    return detail::decode_checked(detail::fill_palette(bytes, header), name, header);
  }
  if (starts_with({'B', 'M'})) return detail::decode_checked(bytes, name, detail::check_bmp(in));
  const std::string where = "decode " + std::string(name);
  detail::fail_with(where, bytes.empty() ? "the file is empty" : "not an image", "a JPEG, PNG or BMP file");
}

/// Reads and decodes one image file; every error names the file.
inline Image read_image(const std::filesystem::path& path) {
  return decode_image(read_file(path, max_image_file), path.string());
}

namespace detail {
inline std::vector<std::byte> encode_image(const Image& image, std::string_view name, int jpeg_quality) {
  if (image.width < 1 || image.height < 1 ||
      image.rgb.size() != static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3)
    detail::fail_with("write " + std::string(name), "the image's pixels do not match its size");
  std::vector<std::byte> out;
  const auto append = [](void* to, void* data, int size) {
    const auto* const from = static_cast<const std::byte*>(data);
    auto& bytes = *static_cast<std::vector<std::byte>*>(to);
    bytes.insert(bytes.end(), from, from + size);
  };
  const int ok =
      jpeg_quality > 0
          ? stb::stbi_write_jpg_to_func(append, &out, image.width, image.height, 3, image.rgb.data(), jpeg_quality)
          : stb::stbi_write_png_to_func(append, &out, image.width, image.height, 3, image.rgb.data(), image.width * 3);
  if (ok == 0) detail::fail_with("write " + std::string(name), "the image could not be encoded");
  return out;
}
}  // namespace detail

/// Writes an 8-bit RGB PNG. Throws Error that names the file.
inline void write_png(const std::filesystem::path& path, const Image& image) {
  write_file(path, detail::encode_image(image, path.string(), 0));
}

/// Writes a JPEG of quality 1 to 100. Throws Error that names the file.
inline void write_jpeg(const std::filesystem::path& path, const Image& image, int quality = 92) {
  write_file(path, detail::encode_image(image, path.string(), std::clamp(quality, 1, 100)));
}

}  // namespace minivit::inline MINIVIT_ISA
