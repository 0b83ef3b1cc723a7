// SPDX-License-Identifier: MIT
// PNG through libpng (1.6), when MINIVIT_WITH_LIBPNG is defined; call it only on files that check_png accepted. libpng
// unpacks, this file turns samples into RGB as Pillow 9.4 does: alpha is dropped, 16-bit colours keep the high byte, 16-bit
// grey is cut at 255, an index without a colour is a grey. Gamma, profiles and transparency are not applied: libpng does not
// see them.
#pragma once

#include <minivit/data/image_check.hpp>
#include <minivit/data/pixels.hpp>

#ifdef MINIVIT_WITH_LIBPNG
#include <png.h>

#include <csetjmp>
#include <cstring>

namespace minivit::inline MINIVIT_ISA::detail {

/// Turns `count` pixels of one row, a byte for each sample below 16 bits, into RGB; `step` pixels lie between two of them.
inline void png_to_rgb(const ImageHeader& header, const std::uint8_t* from, int count, std::uint8_t* to, int step) {
  const int bytes = header.depth == 16 ? 2 : 1;
  const int samples = header.colour == 2 ? 3 : header.colour == 4 ? 2 : header.colour == 6 ? 4 : 1;
  const int scale = header.depth < 8 && header.colour == 0 ? 255 / ((1 << header.depth) - 1) : 1;
  for (int i = 0; i < count; ++i, from += samples * bytes, to += 3 * step) {
    if (header.colour == 2 || header.colour == 6) {
      for (int c = 0; c < 3; ++c) to[c] = from[c * bytes];
    } else if (header.colour == 3) {
      std::copy_n(header.palette.begin() + 3 * Index{from[0]}, 3, to);
    } else {
      // Pillow opens 16-bit grey as whole numbers, which it cuts off, but grey with alpha as RGBA
      const bool cut = header.colour == 0 && header.depth == 16 && from[0] != 0;
      const int grey = cut ? 255 : from[header.colour == 0 && bytes == 2 ? 1 : 0] * scale;
      std::fill_n(to, 3, static_cast<std::uint8_t>(grey));
    }
  }
}

/// One decoding. Plain data, because libpng leaves by longjmp: what needs a destructor belongs to the caller.
struct PngJob {
  const ImageHeader* header;
  const std::byte* bytes;  // of the file
  std::size_t size;
  std::size_t at, left;  // where libpng reads, and how far until the next chunk begins
  std::uint8_t* row;     // one row of samples
  std::uint8_t* rgb;     // the result
  bool tolerant;         // warnings are no errors
  char message[160];     // why it failed
};

[[noreturn]] inline void png_failed(png_structp png, png_const_charp why) {
  auto& job = *static_cast<PngJob*>(png_get_error_ptr(png));
  std::strncpy(job.message, why, sizeof job.message - 1);
  png_longjmp(png, 1);
}
inline void png_warned(png_structp png, png_const_charp why) {
  if (!static_cast<PngJob*>(png_get_error_ptr(png))->tolerant) png_failed(png, why);
}

/// Gives libpng the chunks that make the pixels and no other: what it has to say about a profile is no fault of the picture.
inline void png_feed(png_structp png, png_bytep to, std::size_t count) {
  auto& job = *static_cast<PngJob*>(png_get_io_ptr(png));
  const auto byte = [&job](std::size_t at) { return std::to_integer<std::uint32_t>(job.bytes[at]); };
  while (count > 0) {
    while (job.left == 0) {
      if (job.size - job.at < 12) png_error(png, "the file is cut off");
      std::size_t length = 0;
      for (std::size_t i = 0; i < 4; ++i) length = length << 8 | byte(job.at + i);
      if (length > job.size - job.at - 12) png_error(png, "the file is cut off");
      const bool palette = std::memcmp(job.bytes + job.at + 4, "PLTE", 4) == 0;
      if ((byte(job.at + 4) & 0x20u) != 0 || (palette && job.header->colour != 3)) job.at += length + 12;
      else job.left = length + 12;
    }
    const std::size_t part = std::min(count, job.left);
    std::memcpy(to, job.bytes + job.at, part);
    to += part;
    count -= part;
    job.at += part;
    job.left -= part;
  }
}

[[gnu::noinline]] inline void png_decode(PngJob& job, png_structp png, png_infop info) {
  png_set_read_fn(png, &job, png_feed);
  png_set_user_limits(png, max_image_side, max_image_side);
  png_set_crc_action(png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);  // check_png has looked
  png_set_check_for_invalid_index(png, 0);
  png_read_info(png, info);
  const int width = job.header->width, height = job.header->height;
  if (png_get_image_width(png, info) != static_cast<png_uint_32>(width) ||
      png_get_image_height(png, info) != static_cast<png_uint_32>(height))
    png_error(png, "the decoder disagrees about the size");
  png_set_packing(png);
  // The passes of an interlaced file are spread here: libpng would ask for all rows at once.
  const bool interlaced = png_get_interlace_type(png, info) != PNG_INTERLACE_NONE;
  png_read_update_info(png, info);
  for (int pass = 0; pass < (interlaced ? PNG_INTERLACE_ADAM7_PASSES : 1); ++pass) {
    const int left = interlaced ? static_cast<int>(PNG_PASS_START_COL(pass)) : 0;
    const int top = interlaced ? static_cast<int>(PNG_PASS_START_ROW(pass)) : 0;
    const int across = interlaced ? 1 << PNG_PASS_COL_SHIFT(pass) : 1, down = interlaced ? 1 << PNG_PASS_ROW_SHIFT(pass) : 1;
    const int count = (width - left + across - 1) / across;
    if (width <= left) continue;  // libpng passes over such a pass, too
    for (int y = top; y < height; y += down) {
      png_read_row(png, job.row, nullptr);
      png_to_rgb(*job.header, job.row, count, job.rgb + 3 * (Index{y} * width + left), across);
    }
  }
  png_read_end(png, nullptr);
}

/// False when libpng has left; the reason is in the job. No object with a destructor lives here.
inline bool png_try(PngJob& job, png_structp png, png_infop info) {
  if (setjmp(png_jmpbuf(png)) != 0) return false;
  png_decode(job, png, info);
  return true;
}

/// The pixels of a PNG. Throws Error that names the file.
inline Image decode_png(std::span<const std::byte> bytes, std::string_view name, const ImageHeader& header, bool tolerant) {
  Image image(header.width, header.height);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(header.width) * 8);  // RGBA of 16 bits is the widest
  PngJob job{&header, bytes.data(), bytes.size(), 0, 8, row.data(), image.rgb.data(), tolerant, {}};
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &job, png_failed, png_warned);
  png_infop info = png != nullptr ? png_create_info_struct(png) : nullptr;
  const bool good = info != nullptr && png_try(job, png, info);
  png_destroy_read_struct(&png, &info, nullptr);
  const std::string where = concat({"decode ", name});
  if (!good) fail_with(where, "the image data is damaged", {}, job.message, "libpng's words");
  return image;
}

}  // namespace minivit::inline MINIVIT_ISA::detail
#endif
