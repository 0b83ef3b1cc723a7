// SPDX-License-Identifier: MIT
// The only includer of xsimd. Everything the kernels need from a vector register, with the gaps and traps of
// xsimd 8.1 closed: a true fma on AVX-512, partial loads and stores, horizontal sums under one name.
#pragma once

#include <minivit/core/view.hpp>

// GCC 12 warns of uninitialised variables inside its own AVX-512 intrinsics (GCC bug 105593, fixed in 13).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <xsimd/xsimd.hpp>
#pragma GCC diagnostic pop
#else
#include <xsimd/xsimd.hpp>
#endif

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace minivit::inline MINIVIT_ISA::simd {

/// Instruction sets are xsimd's architecture types; this is the best one the compiler may use. In a fixed order it is the
/// one that every x86-64 processor has: registers of four, which no multiplication shares with an addition.
#if defined(MINIVIT_FIXED_ORDER)
using best = xsimd::sse2;
#else
using best = xsimd::default_arch;
#endif

/// A register of T on the architecture Arch: xsimd's own type, with its operators.
template <class T, class Arch = best>
using Batch = xsimd::batch<T, Arch>;

/// Elements of T in one register.
template <class T, class Arch = best>
inline constexpr Index lanes = static_cast<Index>(Batch<T, Arch>::size);

/// Vector registers of the architecture; sizes the register tile of the matrix product.
template <class Arch = best>
inline constexpr int registers = sizeof(typename Batch<float, Arch>::register_type) == 64 ? 32 : 16;

/// `lanes` elements from `p`, which needs no alignment.
template <class Arch, class T>
inline Batch<T, Arch> load(const T* p) {
  return Batch<T, Arch>::load_unaligned(p);
}

/// Writes `lanes` elements to `p`, which needs no alignment.
template <class Arch, class T>
inline void store(T* p, const Batch<T, Arch>& v) {
  v.store_unaligned(p);
}

/// `v` in every lane.
template <class Arch, class T>
inline Batch<T, Arch> broadcast(T v) {
  return Batch<T, Arch>(v);
}

/// a * b + c in one rounding where the hardware has it. xsimd 8.1 has no AVX-512 kernel for fma, and clang does not
/// contract the multiply and add it falls back to.
template <class T, class Arch>
inline Batch<T, Arch> fma(const Batch<T, Arch>& a, const Batch<T, Arch>& b, const Batch<T, Arch>& c) {
#if defined(__AVX512F__) && XSIMD_VERSION_MAJOR < 11
  if constexpr (sizeof(typename Batch<T, Arch>::register_type) == 64) {
    if constexpr (std::is_same_v<T, float>) return _mm512_fmadd_ps(a, b, c);
    else if constexpr (std::is_same_v<T, double>) return _mm512_fmadd_pd(a, b, c);
    else return a * b + c;
  } else {
    return xsimd::fma(a, b, c);
  }
#else
  return xsimd::fma(a, b, c);
#endif
}

/// The first `count` lanes from memory, the others zero; touches nothing behind p + count. 0 <= count <= lanes.
template <class Arch, class T>
inline Batch<T, Arch> load_partial(const T* p, Index count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(typename Batch<T, Arch>::register_type) == 64 && std::is_same_v<T, float>)
    return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1u), p);
#endif
  alignas(64) T lane[static_cast<std::size_t>(lanes<T, Arch>)] = {};
  std::memcpy(lane, p, static_cast<std::size_t>(count) * sizeof(T));
  return Batch<T, Arch>::load_aligned(lane);
}

/// Writes the first `count` lanes only. 0 <= count <= lanes.
template <class Arch, class T>
inline void store_partial(T* p, const Batch<T, Arch>& v, Index count) {
#if defined(__AVX512F__)
  if constexpr (sizeof(typename Batch<T, Arch>::register_type) == 64 && std::is_same_v<T, float>) {
    _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << count) - 1u), v);
    return;
  }
#endif
  alignas(64) T lane[static_cast<std::size_t>(lanes<T, Arch>)];
  v.store_aligned(lane);
  std::memcpy(p, lane, static_cast<std::size_t>(count) * sizeof(T));
}

/// The first `count` lanes from memory, the others from `fill`. 0 <= count <= lanes.
template <class T, class Arch>
inline Batch<T, Arch> load_partial(const T* p, Index count, const Batch<T, Arch>& fill) {
#if defined(__AVX512F__)
  if constexpr (sizeof(typename Batch<T, Arch>::register_type) == 64 && std::is_same_v<T, float>)
    return _mm512_mask_loadu_ps(fill, static_cast<__mmask16>((1u << count) - 1u), p);
#endif
  alignas(64) T lane[static_cast<std::size_t>(lanes<T, Arch>)];
  fill.store_aligned(lane);
  std::memcpy(lane, p, static_cast<std::size_t>(count) * sizeof(T));
  return Batch<T, Arch>::load_aligned(lane);
}

/// Sum of all lanes.
template <class T, class Arch>
inline T sum(const Batch<T, Arch>& v) {
#if XSIMD_VERSION_MAJOR < 9
  return xsimd::hadd(v);
#else
  return xsimd::reduce_add(v);
#endif
}

/// Largest lane. NaN may or may not be seen: check finiteness apart.
template <class T, class Arch>
inline T largest(const Batch<T, Arch>& v) {
#if defined(__AVX512F__)
  if constexpr (sizeof(typename Batch<T, Arch>::register_type) == 64 &&
                std::is_same_v<T, float>) {  // full masks: see simd/bf16.hpp
    const __m512 a = _mm512_maskz_max_ps(0xffff, v, _mm512_maskz_shuffle_f32x4(0xffff, v, v, 0x4e));
    const __m512 b = _mm512_maskz_max_ps(0xffff, a, _mm512_maskz_shuffle_f32x4(0xffff, a, a, 0xb1));
    const __m512 c = _mm512_maskz_max_ps(0xffff, b, _mm512_maskz_permute_ps(0xffff, b, 0x4e));
    return _mm512_cvtss_f32(_mm512_maskz_max_ps(0xffff, c, _mm512_maskz_permute_ps(0xffff, c, 0xb1)));
  }
#endif
  alignas(64) T lane[static_cast<std::size_t>(lanes<T, Arch>)];
  v.store_aligned(lane);
  T m = lane[0];
  for (std::size_t i = 1; i < static_cast<std::size_t>(lanes<T, Arch>); ++i) m = lane[i] > m ? lane[i] : m;
  return m;
}

/// Larger one, lane by lane. As the instruction does it: where one is NaN, which one comes out depends on the architecture.
template <class T, class Arch>
inline Batch<T, Arch> max(const Batch<T, Arch>& a, const Batch<T, Arch>& b) {
  return xsimd::max(a, b);
}

/// Smaller one, lane by lane; NaN as with max.
template <class T, class Arch>
inline Batch<T, Arch> min(const Batch<T, Arch>& a, const Batch<T, Arch>& b) {
  return xsimd::min(a, b);
}

/// `lanes` integers as floats; exact up to 2^24.
template <class Arch>
inline Batch<float, Arch> load_as_float(const std::int32_t* p) {
  return xsimd::to_float(Batch<std::int32_t, Arch>::load_unaligned(p));
}

/// Rounds `lanes` values to integers, ties to even, cuts them to [0, 255] and stores them; NaN becomes 0.
template <class Arch>
inline void store(std::uint8_t* p, const Batch<float, Arch>& v) {
#if defined(__AVX512F__)
  if constexpr (sizeof(typename Batch<float, Arch>::register_type) == 64) {  // full masks: see simd/bf16.hpp
    const __m512i rounded = _mm512_maskz_cvtps_epi32(
        0xffff, _mm512_maskz_max_ps(0xffff, v, _mm512_setzero_ps()));  // max(NaN, 0) = 0
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_maskz_cvtusepi32_epi8(0xffff, rounded));
    return;
  }
#endif
  alignas(64) float lane[static_cast<std::size_t>(lanes<float, Arch>)];
  v.store_aligned(lane);
  for (Index i = 0; i < lanes<float, Arch>; ++i) {
    constexpr float magic = 12582912.f;  // 1.5 * 2^23: adding it leaves the rounded integer in the low bits
    float code = lane[i] > 0.f ? lane[i] : 0.f;
    code = code < 255.f ? code : 255.f;
    p[i] = static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(code + magic) & 255u);
  }
}

/// The same for the first `count` lanes. 0 <= count <= lanes.
template <class Arch>
inline void store_partial(std::uint8_t* p, const Batch<float, Arch>& v, Index count) {
  alignas(64) std::uint8_t lane[static_cast<std::size_t>(lanes<float, Arch>)];
  store<Arch>(lane, v);
  std::memcpy(p, lane, static_cast<std::size_t>(count));
}

/// Correctly rounded, lane by lane; NaN below 0.
template <class T, class Arch>
inline Batch<T, Arch> sqrt(const Batch<T, Arch>& x) {
  return xsimd::sqrt(x);
}

/// At most 1.52 ulp; flushes to 0 below -87.3 (float). Measured against double over 4 million points.
template <class T, class Arch>
inline Batch<T, Arch> exp(const Batch<T, Arch>& x) {
  return xsimd::exp(x);
}

/// At most 2.4 ulp (float); within 7.6e-15, worst near |x| = 2.2 (double, xsimd 8.1).
template <class T, class Arch>
inline Batch<T, Arch> erf(const Batch<T, Arch>& x) {
  return xsimd::erf(x);
}

}  // namespace minivit::inline MINIVIT_ISA::simd
