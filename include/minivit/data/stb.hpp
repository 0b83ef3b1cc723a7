// SPDX-License-Identifier: MIT
// The only includer of stb_image and stb_image_write. Both are compiled privately into a namespace of this library, so
// a program may use its own copy. Memory comes zeroed from a pool with a byte limit that is emptied when decoding ends
// in any way, and a failed internal check becomes an exception. Call it only on files that image_check.hpp accepted.
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
    if (block->previous != nullptr)
      block->previous->next = block->next;
    else
      first_ = block->next;
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
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
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
#undef STBI_ONLY_BMP
#undef STBI_NO_STDIO
#undef STBI_NO_HDR
#undef STBI_NO_LINEAR
#undef STBI_MAX_DIMENSIONS
#undef STBI_ASSERT
#undef STBI_MALLOC
#undef STBI_REALLOC
#undef STBI_REALLOC_SIZED
#undef STBI_FREE
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

}  // namespace minivit::inline MINIVIT_ISA::detail::stb
