// SPDX-License-Identifier: MIT
// Batches of bf16: they are widened when read and rounded when written, sums stay in float32. Rounding is to nearest, ties
// to even; subnormal results may become zero where the hardware converts.
#pragma once

#include <minivit/core/bf16.hpp>
#include <minivit/simd/batch.hpp>

#include <bit>
#include <cstring>

namespace minivit::inline MINIVIT_ISA {

namespace simd {

/// Widens `lanes` stored values.
template <class Arch>
inline Batch<float, Arch> load(const bf16* p) {
#if defined(__AVX512F__)
  if constexpr (sizeof(typename Batch<float, Arch>::register_type) == 64)
    // full masks: GCC 12 warns of uninitialised operands inside the unmasked forms (its bug 105593); the code is the same
    return _mm512_castsi512_ps(_mm512_maskz_slli_epi32(
        0xffff, _mm512_maskz_cvtepu16_epi32(0xffff, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16));
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(typename Batch<float, Arch>::register_type) == 32)
    return _mm256_castsi256_ps(
        _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
#endif
  alignas(64) float lane[static_cast<std::size_t>(lanes<float, Arch>)];
  for (Index i = 0; i < lanes<float, Arch>; ++i) lane[i] = static_cast<float>(p[i]);
  return Batch<float, Arch>::load_aligned(lane);
}

/// Widens the first `count` values; the other lanes are zero. 0 <= count <= lanes.
template <class Arch>
inline Batch<float, Arch> load_partial(const bf16* p, Index count) {
  bf16 lane[static_cast<std::size_t>(lanes<float, Arch>)] = {};
  std::memcpy(lane, p, static_cast<std::size_t>(count) * sizeof(bf16));
  return load<Arch>(lane);
}

/// Rounds `lanes` values and stores them.
template <class Arch>
inline void store(bf16* p, const Batch<float, Arch>& v) {
#if defined(__AVX512BF16__)
  if constexpr (sizeof(typename Batch<float, Arch>::register_type) == 64) {
    const auto half = std::bit_cast<__m256i>(_mm512_cvtneps_pbh(v));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), half);
    return;
  }
#endif
  alignas(64) float lane[static_cast<std::size_t>(lanes<float, Arch>)];
  v.store_aligned(lane);
  for (Index i = 0; i < lanes<float, Arch>; ++i) p[i] = bf16(lane[i]);
}

/// Rounds and writes the first `count` lanes only. 0 <= count <= lanes.
template <class Arch>
inline void store_partial(bf16* p, const Batch<float, Arch>& v, Index count) {
  alignas(64) bf16 lane[static_cast<std::size_t>(lanes<float, Arch>)];
  store<Arch>(lane, v);
  std::memcpy(p, lane, static_cast<std::size_t>(count) * sizeof(bf16));
}

}  // namespace simd
}  // namespace minivit::inline MINIVIT_ISA
