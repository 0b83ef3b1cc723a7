// SPDX-License-Identifier: MIT
// Names the decoders that this build reads images with. MINIVIT_WITH_LIBJPEG and MINIVIT_WITH_LIBPNG choose them; CMake
// defines both when it finds the libraries. Without CMake define neither, or both and link -ljpeg -lpng, and the same in
// every file of a program.
#pragma once

#include <minivit/core/isa.hpp>

#include <string>

#ifdef MINIVIT_WITH_LIBJPEG
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>
#endif
#ifdef MINIVIT_WITH_LIBPNG
#include <png.h>
#endif

namespace minivit::inline MINIVIT_ISA {

/// Decoder of each kind of file, with its version where it is known.
struct ImageDecoders {
  std::string jpeg, png, bmp;  ///< one line for each kind of file
};

/// Of this build, as `minivit --version` prints them.
inline ImageDecoders image_decoders() {
  ImageDecoders names{.jpeg = "stb_image", .png = "stb_image", .bmp = "built in"};
#ifdef MINIVIT_WITH_LIBJPEG
#define MINIVIT_TEXT_OF_(x) #x
#define MINIVIT_TEXT_OF(x) MINIVIT_TEXT_OF_(x)
#ifdef LIBJPEG_TURBO_VERSION
  names.jpeg = "libjpeg-turbo " MINIVIT_TEXT_OF(LIBJPEG_TURBO_VERSION);
#else
  names.jpeg = "libjpeg " MINIVIT_TEXT_OF(JPEG_LIB_VERSION);
#endif
#undef MINIVIT_TEXT_OF
#undef MINIVIT_TEXT_OF_
#endif
#ifdef MINIVIT_WITH_LIBPNG
  names.png = std::string("libpng ") + png_get_libpng_ver(nullptr);
#endif
  return names;
}

}  // namespace minivit::inline MINIVIT_ISA
