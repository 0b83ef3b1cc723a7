// SPDX-License-Identifier: MIT
// Reading pictures from files: JPEG, PNG and BMP, checked before a decoder sees them, turned upright, as RGB of 8
// bits. What each kind of file becomes equals Pillow's convert("RGB") (docs/reference/images.md); colour profiles and gamma
// are not applied. Decoders: libjpeg-turbo and libpng when MINIVIT_WITH_LIBJPEG and MINIVIT_WITH_LIBPNG are defined, else
// stb_image. Writing: image_write.hpp.
#pragma once

#include <minivit/core/file.hpp>
#include <minivit/data/bmp.hpp>
#include <minivit/data/decode_jpeg.hpp>
#include <minivit/data/decode_png.hpp>
#if !defined(MINIVIT_WITH_LIBJPEG) || !defined(MINIVIT_WITH_LIBPNG)
#include <minivit/data/decode_stb.hpp>
#endif
#include <minivit/data/exif.hpp>
#include <minivit/data/image_check.hpp>
#include <minivit/data/image_check_jpeg.hpp>
#include <minivit/data/pixels.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Largest image file that is read.
inline constexpr std::uint64_t max_image_file = std::uint64_t{64} << 20;

/// How a file becomes an Image.
struct DecodeOptions {
  /// Turns the picture as its Exif data say, like Pillow's ImageOps.exif_transpose. timm and torchvision do not turn.
  bool upright = true;
  /// Takes what libjpeg-turbo or libpng only warn of: data that is damaged and was guessed. stb_image has no warnings.
  bool tolerant = false;
};

namespace detail {
inline Image decode_checked_jpeg(std::span<const std::byte> bytes, std::string_view name, const ImageHeader& header,
                                 [[maybe_unused]] const DecodeOptions& options) {
#ifdef MINIVIT_WITH_LIBJPEG
  return decode_jpeg(bytes, name, header, options.tolerant);
#else
  return stb_decode_jpeg(bytes, name, header);
#endif
}

inline Image decode_checked_png(std::span<const std::byte> bytes, std::string_view name, const ImageHeader& header,
                                [[maybe_unused]] const DecodeOptions& options) {
#ifdef MINIVIT_WITH_LIBPNG
  return decode_png(bytes, name, header, options.tolerant);
#else
  return stb_decode_png(bytes, name, header);
#endif
}
}  // namespace detail

/// Decodes a JPEG, PNG or BMP file of at most 64 MiB and 50 million pixels, told apart by its first bytes.
/// `name` appears in errors. Throws Error for anything that is damaged, cut off, too large or not supported.
inline Image decode_image(std::span<const std::byte> bytes, std::string_view name, const DecodeOptions& options = {}) {
  const detail::ByteReader in(bytes, name);
  if (bytes.size() > max_image_file) in.refuse("the image file is too large", "at most 64 MiB");
  const auto starts_with = [&](std::initializer_list<unsigned> magic) {
    std::size_t i = 0;
    return bytes.size() >= magic.size() &&
           std::all_of(magic.begin(), magic.end(), [&](unsigned m) { return in.byte_at(i++) == m; });
  };
  const auto turned = [&](Image image, const detail::ImageHeader& header) {
    return detail::upright(std::move(image), options.upright ? detail::exif_orientation(header.exif) : 1);
  };
  if (starts_with({0xFF, 0xD8})) {
    const auto header = detail::check_jpeg(bytes, name);
    return turned(detail::decode_checked_jpeg(bytes, name, header, options), header);
  }
  if (starts_with({0x89, 'P', 'N', 'G', 0x0D, 0x0A, 0x1A, 0x0A})) {
    const auto header = detail::check_png(in);
    return turned(detail::decode_checked_png(bytes, name, header, options), header);
  }
  if (starts_with({'B', 'M'})) return detail::decode_bmp(in);
  const std::string where = concat({"decode ", name});
  detail::fail_with(where, bytes.empty() ? "the file is empty" : "not an image", "a JPEG, PNG or BMP file");
}

/// Reads and decodes one image file; every error names the file.
inline Image read_image(const std::filesystem::path& path, const DecodeOptions& options = {}) {
  return decode_image(read_file(path, max_image_file), path.string(), options);
}

}  // namespace minivit::inline MINIVIT_ISA
