// SPDX-License-Identifier: MIT
// JPEG through libjpeg-turbo, when MINIVIT_WITH_LIBJPEG is defined; call it only on files that check_jpeg accepted. The
// settings are Pillow's (slow integer transform, smooth upsampling), and CMYK becomes RGB as Pillow 9.4 does it: stored
// inverted, as Adobe does, and each colour weakened by the black. Colour profiles are not applied.
#pragma once

#include <minivit/data/image_check.hpp>
#include <minivit/data/pixels.hpp>

#ifdef MINIVIT_WITH_LIBJPEG
#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jpeglib.h>

namespace minivit::inline MINIVIT_ISA::detail {

/// One decoding. Plain data, because libjpeg leaves by longjmp: what needs a destructor belongs to the caller.
struct JpegJob {
  jpeg_error_mgr errors;  // first: libjpeg gives its address back
  std::jmp_buf leave;
  const ImageHeader* header;
  const std::byte* bytes;
  std::size_t size;
  long memory;        // libjpeg may take
  std::uint8_t* row;  // one row of samples
  std::uint8_t* rgb;  // the result
  bool tolerant;      // warnings are no errors
  char message[JMSG_LENGTH_MAX];
};

[[noreturn]] inline void jpeg_failed(j_common_ptr info) {
  auto& job = *reinterpret_cast<JpegJob*>(info->err);
  (*info->err->format_message)(info, job.message);
  std::longjmp(job.leave, 1);
}
/// Level -1 is a warning: data that is damaged but could be guessed; above are the decoder's own remarks.
inline void jpeg_warned(j_common_ptr info, int level) {
  if (level < 0 && !reinterpret_cast<JpegJob*>(info->err)->tolerant) jpeg_failed(info);
}
inline void jpeg_silent(j_common_ptr) {}

/// RGB of one row of the decoder's output.
inline void jpeg_to_rgb(const std::uint8_t* from, int components, int width, std::uint8_t* to) {
  for (int x = 0; x < width; ++x, from += components, to += 3) {
    for (int c = 0; c < 3; ++c) {
      if (components != 4) {
        to[c] = from[components == 1 ? 0 : c];
        continue;
      }
      // ink 255 - from[c], black 255 - from[3]: what the ink leaves of the light that the black leaves, rounded
      const int light = from[3], product = (255 - from[c]) * light + 128;
      to[c] = static_cast<std::uint8_t>(std::max(light - ((product + (product >> 8)) >> 8), 0));
    }
  }
}

[[gnu::noinline]] inline void jpeg_decode(JpegJob& job, jpeg_decompress_struct& info) {
  jpeg_create_decompress(&info);
  info.mem->max_memory_to_use = job.memory;
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(job.bytes), static_cast<unsigned long>(job.size));
  jpeg_read_header(&info, TRUE);
  const int components = job.header->components;
  info.out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
  jpeg_start_decompress(&info);
  const auto width = static_cast<JDIMENSION>(job.header->width), height = static_cast<JDIMENSION>(job.header->height);
  if (info.output_width != width || info.output_height != height || info.output_components != components) {
    std::strcpy(job.message, "the decoder disagrees about the size");
    std::longjmp(job.leave, 1);
  }
  while (info.output_scanline < info.output_height) {
    std::uint8_t* const to = job.rgb + std::size_t{info.output_scanline} * width * 3;
    std::uint8_t* row = components == 3 ? to : job.row;
    jpeg_read_scanlines(&info, &row, 1);
    if (components != 3) jpeg_to_rgb(row, components, job.header->width, to);
  }
  jpeg_finish_decompress(&info);
}

/// False when libjpeg has left; the reason is in the job. No object with a destructor lives here.
inline bool jpeg_try(JpegJob& job, jpeg_decompress_struct& info) {
  if (setjmp(job.leave) != 0) return false;
  jpeg_decode(job, info);
  return true;
}

/// The pixels of a JPEG. Throws Error that names the file.
inline Image decode_jpeg(std::span<const std::byte> bytes, std::string_view name, const ImageHeader& header, bool tolerant) {
  Image image(header.width, header.height);
  std::vector<std::uint8_t> row(static_cast<std::size_t>(header.width) * 4);
  JpegJob job{};
  jpeg_decompress_struct info{};
  info.err = jpeg_std_error(&job.errors);
  job.errors.error_exit = jpeg_failed;
  job.errors.emit_message = jpeg_warned;
  job.errors.output_message = jpeg_silent;
  job.header = &header;
  job.bytes = bytes.data();
  job.size = bytes.size();
  // Coefficients of four components in whole blocks, and as much again for its rows and tables.
  job.memory = static_cast<long>(Index{header.width + 63} * (header.height + 63) * 16 + (1 << 22));
  job.row = row.data();
  job.rgb = image.rgb.data();
  job.tolerant = tolerant;
  const bool good = jpeg_try(job, info);
  jpeg_destroy_decompress(&info);
  const std::string where = concat({"decode ", name});
  if (!good) fail_with(where, "the image data is damaged", {}, job.message, "libjpeg's words");
  return image;
}

}  // namespace minivit::inline MINIVIT_ISA::detail
#endif
