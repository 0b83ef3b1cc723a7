// SPDX-License-Identifier: MIT
// What `minivit --version` prints: all that can make two builds differ in speed or results.
#include "commands.hpp"

#include <minivit/core/threads.hpp>
#include <minivit/data/decoders.hpp>
#include <minivit/kernels/dot/amx.hpp>

#include <fmt/format.h>

#ifndef MINIVIT_BUILD_FLAGS
#define MINIVIT_BUILD_FLAGS "unknown"
#endif

namespace cli {

namespace mv = minivit;

std::string version_text() {
  std::string products = mv::instruction_set();
#ifdef __AVX512BF16__
  products += " + avx512_bf16";
#endif
#ifdef __AVX512VNNI__
  products += " + avx512_vnni";
#endif
  std::string amx = mv::kernels::amx::available<mv::bf16>() ? "bf16" : "";
  if (mv::kernels::amx::available<mv::int8>()) amx += amx.empty() ? "int8" : ", int8";
  const auto images = mv::image_decoders();
#ifdef MINIVIT_NO_TBB
  const char* const threads = "serial";
#else
  const char* const threads = "oneTBB";
#endif
  if (mv::fixed_order()) products += ", sums in a fixed order";
  return fmt::format("minivit {}.{}.{} for {}, {}\n", MINIVIT_VERSION_MAJOR, MINIVIT_VERSION_MINOR, MINIVIT_VERSION_PATCH,
                     mv::instruction_set(), compiler) +
         fmt::format("instructions: {}; amx of this machine: {}\n", products, amx.empty() ? "none" : amx) +
         fmt::format("threads: {}, {} available\n", threads, mv::Threads::available()) +
         fmt::format("images: JPEG by {}, PNG by {}, BMP {}\n", images.jpeg, images.png, images.bmp) +
         fmt::format("flags: {}", MINIVIT_BUILD_FLAGS);
}

}  // namespace cli
