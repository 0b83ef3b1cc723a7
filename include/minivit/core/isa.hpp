// SPDX-License-Identifier: MIT
// Names the instruction set of this translation unit. Every minivit entity lives in an inline
// namespace of that name, so that files compiled with different -m flags can be linked into one
// program without two definitions of one symbol. Users never spell it.
#pragma once

#if defined(__FAST_MATH__)
#error "minivit: -ffast-math breaks exp and tanh and hides NaN; compile without it"
#endif

#if !defined(__cpp_exceptions)
#error "minivit: errors are exceptions; compile without -fno-exceptions"
#endif

/// Version of the library, which CMake reads from here. Before 1.0 an interface may change when the minor number grows.
#define MINIVIT_VERSION_MAJOR 0
/// Grows with what is added.
#define MINIVIT_VERSION_MINOR 1
/// Grows with repairs.
#define MINIVIT_VERSION_PATCH 0

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#if defined(__AVX512BF16__) && defined(__AVX512VNNI__)
/// The instruction set, without quotes: what instruction_set() returns.
#define MINIVIT_ISA_ID avx512_bf16
#elif defined(__AVX512VNNI__)
#define MINIVIT_ISA_ID avx512_vnni
#else
#define MINIVIT_ISA_ID avx512
#endif
#elif defined(__AVX2__) && defined(__FMA__)
#define MINIVIT_ISA_ID avx2
#elif defined(__SSE2__)
#define MINIVIT_ISA_ID sse2
#elif defined(__ARM_NEON) && defined(__aarch64__)
#define MINIVIT_ISA_ID neon64
#else
#define MINIVIT_ISA_ID generic
#endif

#define MINIVIT_DETAIL_PASTE(a, b, c) a##b##c
#define MINIVIT_DETAIL_PASTED(a, b, c) MINIVIT_DETAIL_PASTE(a, b, c)
#define MINIVIT_DETAIL_QUOTE(a) #a
#define MINIVIT_DETAIL_QUOTED(a) MINIVIT_DETAIL_QUOTE(a)

#if defined(MINIVIT_FIXED_ORDER)
#if !defined(__x86_64__)
#error "minivit: MINIVIT_FIXED_ORDER makes x86-64 processors agree; this is another one"
#endif
#define MINIVIT_ISA MINIVIT_DETAIL_PASTED(isa_, MINIVIT_ISA_ID, _fixed_order)
#else
/// Name of the inline namespace: isa_ and the instruction set. All minivit names of a program's source live in it.
#define MINIVIT_ISA MINIVIT_DETAIL_PASTED(isa_, MINIVIT_ISA_ID, )
#endif

/// Stands before a kernel and other large functions that many places call: the compiler keeps one of it for each set of
/// types. Left to itself g++ -O3 copies whole matrix products into their callers and makes versions for the sizes that one
/// of them passes, half of the code of a small classifier, for calls that take microseconds
/// (docs/explanation/compile_cost.md).
#if defined(__GNUC__) && !defined(__clang__)
#define MINIVIT_KERNEL [[gnu::noinline, gnu::noclone]]
#else
#define MINIVIT_KERNEL [[gnu::noinline]]
#endif

namespace minivit::inline MINIVIT_ISA {

/// Instruction set this translation unit was compiled for: "avx512_bf16" (with AVX512_VNNI), "avx512_vnni", "avx512",
/// "avx2", "sse2", "neon64" or "generic".
constexpr const char* instruction_set() { return MINIVIT_DETAIL_QUOTED(MINIVIT_ISA_ID); }

/// Whether sums are taken in an order that is the same for all x86-64 processors: with MINIVIT_FIXED_ORDER defined, by
/// linking the CMake target minivit::fixed_order (docs/explanation/numerics.md).
constexpr bool fixed_order() {
#if defined(MINIVIT_FIXED_ORDER)
  return true;
#else
  return false;
#endif
}

}  // namespace minivit::inline MINIVIT_ISA
