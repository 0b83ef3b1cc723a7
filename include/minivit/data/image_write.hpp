// SPDX-License-Identifier: MIT
// Writing pictures as PNG and JPEG files, by stb_image_write.
#pragma once

#include <minivit/core/file.hpp>
#include <minivit/data/pixels.hpp>
#include <minivit/data/stb.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// Lets one of stb's encoders, given as encode(append, bytes), write into memory. Each has its own caller, so that a program
/// that writes PNG files alone is not made to compile the other.
template <class Encode>
std::vector<std::byte> encoded(const Image& image, std::string_view name, Encode&& encode) {
  if (image.width < 1 || image.height < 1 ||
      image.rgb.size() != static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3)
    detail::fail_with(concat({"write ", name}), "the image's pixels do not match its size");
  std::vector<std::byte> out;
  const auto append = [](void* to, void* data, int size) {
    const auto* const from = static_cast<const std::byte*>(data);
    auto& bytes = *static_cast<std::vector<std::byte>*>(to);
    bytes.insert(bytes.end(), from, from + size);
  };
  if (encode(append, &out) == 0) detail::fail_with(concat({"write ", name}), "the image could not be encoded");
  return out;
}
inline std::vector<std::byte> encode_png(const Image& image, std::string_view name) {
  return encoded(image, name, [&](stb::stbi_write_func* append, void* bytes) {
    return stb::stbi_write_png_to_func(append, bytes, image.width, image.height, 3, image.rgb.data(), image.width * 3);
  });
}
/// `quality` from 1 to 100.
inline std::vector<std::byte> encode_jpeg(const Image& image, std::string_view name, int quality) {
  return encoded(image, name, [&](stb::stbi_write_func* append, void* bytes) {
    return stb::stbi_write_jpg_to_func(append, bytes, image.width, image.height, 3, image.rgb.data(), quality);
  });
}
}  // namespace detail

/// Writes an 8-bit RGB PNG. Throws Error that names the file.
inline void write_png(const std::filesystem::path& path, const Image& image) {
  write_file(path, detail::encode_png(image, path.string()));
}

/// Writes a JPEG of quality 1 to 100. Throws Error that names the file.
inline void write_jpeg(const std::filesystem::path& path, const Image& image, int quality = 92) {
  write_file(path, detail::encode_jpeg(image, path.string(), std::clamp(quality, 1, 100)));
}

}  // namespace minivit::inline MINIVIT_ISA
