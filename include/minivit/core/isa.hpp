// SPDX-License-Identifier: MIT
// Names the instruction set of this translation unit. Every minivit entity lives in an inline
// namespace of that name, so that files compiled with different -m flags can be linked into one
// program without two definitions of one symbol. Users never spell it.
#pragma once

#if defined(__FAST_MATH__)
#error "minivit: -ffast-math breaks exp and tanh and hides NaN; compile without it"
#endif

#define MINIVIT_VERSION_MAJOR 0
#define MINIVIT_VERSION_MINOR 1
#define MINIVIT_VERSION_PATCH 0

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define MINIVIT_ISA isa_avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define MINIVIT_ISA isa_avx2
#elif defined(__SSE2__)
#define MINIVIT_ISA isa_sse2
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define MINIVIT_ISA isa_neon64
#else
#define MINIVIT_ISA isa_generic
#endif

namespace minivit::inline MINIVIT_ISA {

/// Instruction set this translation unit was compiled for: "avx512", "avx2", "sse2", "neon64" or "generic".
constexpr const char* instruction_set() {
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
  return "avx512";
#elif defined(__AVX2__) && defined(__FMA__)
  return "avx2";
#elif defined(__SSE2__)
  return "sse2";
#elif defined(__ARM_NEON) && defined(__aarch64__)
  return "neon64";
#else
  return "generic";
#endif
}

}  // namespace minivit::inline MINIVIT_ISA
