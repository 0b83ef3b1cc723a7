// SPDX-License-Identifier: MIT
// The only includer of stb_image and stb_image_write. Both are compiled privately into a namespace of this library, so
// a program may use its own copy (implemented in a file that does not include this header). Memory comes zeroed from a pool
// with a byte limit that is emptied when decoding ends in any way, and a failed internal check becomes an exception. Call it
// only on files that image_check.hpp accepted.
#pragma once

#include <minivit/core/isa.hpp>

#include <climits>
#include <cmath>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#ifdef stbi__errpuc
#error "minivit: define STB_IMAGE_IMPLEMENTATION in a file that does not include minivit's data headers"
#endif

namespace minivit::inline MINIVIT_ISA::detail::stb {

/// Thrown when stb_image finds itself in a state it did not expect.
struct Confused {};

/// The memory of one decoding. Blocks are zeroed, so a damaged file gives the same pixels each time.
class Pool {
 public:
  explicit Pool(std::size_t limit) : limit_(limit), outer_(current) { current = this; }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() {
    while (first_ != nullptr) release(first_ + 1);
    current = outer_;
  }

  /// Null when the limit or the machine's memory is exhausted, which stb reports as "outofmem".
  void* take(std::size_t size) {
    if (size > limit_ || used_ > limit_ - size) return nullptr;
    auto* const block = static_cast<Block*>(std::calloc(1, sizeof(Block) + size));
    if (block == nullptr) return nullptr;
    *block = {.previous = nullptr, .next = first_, .size = size};
    if (first_ != nullptr) first_->previous = block;
    first_ = block;
    used_ += size;
    return block + 1;
  }
  void* resize(void* old, std::size_t size) {
    void* const fresh = take(size);
    if (old == nullptr || fresh == nullptr) return fresh;
    const std::size_t had = (static_cast<Block*>(old) - 1)->size;
    std::memcpy(fresh, old, had < size ? had : size);
    release(old);
    return fresh;
  }
  void release(void* p) {
    if (p == nullptr) return;
    Block* const block = static_cast<Block*>(p) - 1;
    if (block->previous != nullptr) block->previous->next = block->next;
    else first_ = block->next;
    if (block->next != nullptr) block->next->previous = block->previous;
    used_ -= block->size;
    std::free(block);
  }

  static inline thread_local Pool* current = nullptr;

 private:
  struct alignas(16) Block {
    Block* previous;
    Block* next;
    std::size_t size;
  };
  std::size_t limit_;
  std::size_t used_ = 0;
  Block* first_ = nullptr;
  Pool* outer_;
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma push_macro("STBI_INCLUDE_STB_IMAGE_H")
#pragma push_macro("INCLUDE_STB_IMAGE_WRITE_H")
#pragma push_macro("STB_IMAGE_IMPLEMENTATION")
#pragma push_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#undef STBI_INCLUDE_STB_IMAGE_H
#undef INCLUDE_STB_IMAGE_WRITE_H
#undef STB_IMAGE_IMPLEMENTATION
#undef STB_IMAGE_WRITE_IMPLEMENTATION
// stb declares its functions extern "C", where a namespace does not keep two of the same name apart.
#define stbi_convert_iphone_png_to_rgb minivit_stbi_convert_iphone_png_to_rgb
#define stbi_convert_iphone_png_to_rgb_thread minivit_stbi_convert_iphone_png_to_rgb_thread
#define stbi_failure_reason minivit_stbi_failure_reason
#define stbi_image_free minivit_stbi_image_free
#define stbi_info_from_callbacks minivit_stbi_info_from_callbacks
#define stbi_info_from_memory minivit_stbi_info_from_memory
#define stbi_is_16_bit_from_callbacks minivit_stbi_is_16_bit_from_callbacks
#define stbi_is_16_bit_from_memory minivit_stbi_is_16_bit_from_memory
#define stbi_is_hdr_from_callbacks minivit_stbi_is_hdr_from_callbacks
#define stbi_is_hdr_from_memory minivit_stbi_is_hdr_from_memory
#define stbi_load_16_from_callbacks minivit_stbi_load_16_from_callbacks
#define stbi_load_16_from_memory minivit_stbi_load_16_from_memory
#define stbi_load_from_callbacks minivit_stbi_load_from_callbacks
#define stbi_load_from_memory minivit_stbi_load_from_memory
#define stbi_set_flip_vertically_on_load minivit_stbi_set_flip_vertically_on_load
#define stbi_set_flip_vertically_on_load_thread minivit_stbi_set_flip_vertically_on_load_thread
#define stbi_set_unpremultiply_on_load minivit_stbi_set_unpremultiply_on_load
#define stbi_set_unpremultiply_on_load_thread minivit_stbi_set_unpremultiply_on_load_thread
#define stbi_zlib_decode_buffer minivit_stbi_zlib_decode_buffer
#define stbi_zlib_decode_malloc minivit_stbi_zlib_decode_malloc
#define stbi_zlib_decode_malloc_guesssize minivit_stbi_zlib_decode_malloc_guesssize
#define stbi_zlib_decode_malloc_guesssize_headerflag minivit_stbi_zlib_decode_malloc_guesssize_headerflag
#define stbi_zlib_decode_noheader_buffer minivit_stbi_zlib_decode_noheader_buffer
#define stbi_zlib_decode_noheader_malloc minivit_stbi_zlib_decode_noheader_malloc
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS 16384
#define STBI_ASSERT(x) ((x) ? static_cast<void>(0) : throw Confused{})
#define STBI_MALLOC(size) Pool::current->take(size)
#define STBI_REALLOC(p, size) Pool::current->resize(p, size)
#define STBI_FREE(p) Pool::current->release(p)
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#define STBIW_ASSERT(x) ((x) ? static_cast<void>(0) : throw Confused{})
#if __has_include(<stb/stb_image.h>)
#include <stb/stb_image.h>
#include <stb/stb_image_write.h>
#else
#include <stb_image.h>
#include <stb_image_write.h>
#endif
#undef STB_IMAGE_IMPLEMENTATION
#undef STB_IMAGE_STATIC
#undef STBIDEF
#undef STBI_ONLY_JPEG
#undef STBI_ONLY_PNG
#undef STBI_NO_STDIO
#undef STBI_NO_HDR
#undef STBI_NO_LINEAR
#undef STBI_MAX_DIMENSIONS
#undef STBI_ASSERT
#undef STBI_MALLOC
#undef STBI_REALLOC
#undef STBI_REALLOC_SIZED
#undef STBI_FREE
#undef stbi_convert_iphone_png_to_rgb
#undef stbi_convert_iphone_png_to_rgb_thread
#undef stbi_failure_reason
#undef stbi_image_free
#undef stbi_info_from_callbacks
#undef stbi_info_from_memory
#undef stbi_is_16_bit_from_callbacks
#undef stbi_is_16_bit_from_memory
#undef stbi_is_hdr_from_callbacks
#undef stbi_is_hdr_from_memory
#undef stbi_load_16_from_callbacks
#undef stbi_load_16_from_memory
#undef stbi_load_from_callbacks
#undef stbi_load_from_memory
#undef stbi_set_flip_vertically_on_load
#undef stbi_set_flip_vertically_on_load_thread
#undef stbi_set_unpremultiply_on_load
#undef stbi_set_unpremultiply_on_load_thread
#undef stbi_zlib_decode_buffer
#undef stbi_zlib_decode_malloc
#undef stbi_zlib_decode_malloc_guesssize
#undef stbi_zlib_decode_malloc_guesssize_headerflag
#undef stbi_zlib_decode_noheader_buffer
#undef stbi_zlib_decode_noheader_malloc
#undef STB_IMAGE_WRITE_IMPLEMENTATION
#undef STB_IMAGE_WRITE_STATIC
#undef STBI_WRITE_NO_STDIO
#undef STBIWDEF
#undef STBIW_ASSERT
#undef STBIW_MALLOC
#undef STBIW_REALLOC
#undef STBIW_REALLOC_SIZED
#undef STBIW_FREE
#pragma pop_macro("STB_IMAGE_WRITE_IMPLEMENTATION")
#pragma pop_macro("STB_IMAGE_IMPLEMENTATION")
#pragma pop_macro("INCLUDE_STB_IMAGE_WRITE_H")
#pragma pop_macro("STBI_INCLUDE_STB_IMAGE_H")
#pragma GCC diagnostic pop

/// The names that image.hpp calls, without the prefix.
inline const char* failure_reason() { return minivit_stbi_failure_reason(); }
inline unsigned char* load_rgb(const unsigned char* bytes, int size, int* width, int* height) {
  int channels = 0;
  return minivit_stbi_load_from_memory(bytes, size, width, height, &channels, 3);
}
/// Of a grey PNG of 16 bits, whole.
inline std::uint16_t* load_grey16(const unsigned char* bytes, int size, int* width, int* height) {
  int channels = 0;
  return minivit_stbi_load_16_from_memory(bytes, size, width, height, &channels, 1);
}

}  // namespace minivit::inline MINIVIT_ISA::detail::stb
