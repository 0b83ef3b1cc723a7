// SPDX-License-Identifier: MIT
// transpose: a square tile of 32-bit words, as many as a register has of them, turned inside registers where there are
// shuffles for it. One word after the other a tile takes a load and a store for each word; this takes about a quarter of
// that time.
#pragma once

#include <minivit/simd/batch.hpp>

namespace minivit::inline MINIVIT_ISA::simd {

/// Words per side of a tile; 0 where there is nothing quicker than word by word.
template <class Arch>
inline constexpr Index transpose_side =
#if defined(__AVX512F__)
    sizeof(typename Batch<float, Arch>::register_type) == 64 ? 16 :
#endif
#if defined(__AVX__)
    sizeof(typename Batch<float, Arch>::register_type) == 32 ? 8
                                                             :
#endif
                                                             0;

/// Word (c, r) of `to` = word (r, c) of `from`, for a tile of transpose_side<Arch> words a side; rows of `from` behind the
/// first `rows` are not read and count as zero. Rows are `ldt` and `ldf` bytes apart. Precondition: transpose_side<Arch> >
/// 0.
template <class Arch>
MINIVIT_KERNEL void transpose([[maybe_unused]] void* to, [[maybe_unused]] Index ldt, [[maybe_unused]] const void* from,
                              [[maybe_unused]] Index ldf, [[maybe_unused]] Index rows) {
  static_assert(transpose_side<Arch> > 0);
  [[maybe_unused]] const char* const source = static_cast<const char*>(from);
  [[maybe_unused]] char* const target = static_cast<char*>(to);
#if defined(__AVX512F__)
  if constexpr (transpose_side<Arch> == 16) {  // full masks: see simd/bf16.hpp
    __m512 a[16], b[16];
#pragma GCC unroll 16
    for (Index r = 0; r < 16; ++r) a[r] = r < rows ? _mm512_loadu_ps(source + r * ldf) : _mm512_setzero_ps();
#pragma GCC unroll 8
    for (int r = 0; r < 16; r += 2) {
      b[r] = _mm512_maskz_unpacklo_ps(0xffff, a[r], a[r + 1]);
      b[r + 1] = _mm512_maskz_unpackhi_ps(0xffff, a[r], a[r + 1]);
    }
#pragma GCC unroll 4
    for (int r = 0; r < 16; r += 4)
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {  // a[r + c]: columns c, c + 4, c + 8, c + 12 of rows r to r + 3
        const __m512d low = _mm512_castps_pd(b[r + h]), high = _mm512_castps_pd(b[r + 2 + h]);
        a[r + 2 * h] = _mm512_castpd_ps(_mm512_maskz_unpacklo_pd(0xff, low, high));
        a[r + 2 * h + 1] = _mm512_castpd_ps(_mm512_maskz_unpackhi_pd(0xff, low, high));
      }
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      const __m512 even = _mm512_maskz_shuffle_f32x4(0xffff, a[c], a[4 + c], 0x88),
                   odd = _mm512_maskz_shuffle_f32x4(0xffff, a[c], a[4 + c], 0xdd);
      const __m512 even8 = _mm512_maskz_shuffle_f32x4(0xffff, a[8 + c], a[12 + c], 0x88);
      const __m512 odd8 = _mm512_maskz_shuffle_f32x4(0xffff, a[8 + c], a[12 + c], 0xdd);
      _mm512_storeu_ps(target + c * ldt, _mm512_maskz_shuffle_f32x4(0xffff, even, even8, 0x88));
      _mm512_storeu_ps(target + (4 + c) * ldt, _mm512_maskz_shuffle_f32x4(0xffff, odd, odd8, 0x88));
      _mm512_storeu_ps(target + (8 + c) * ldt, _mm512_maskz_shuffle_f32x4(0xffff, even, even8, 0xdd));
      _mm512_storeu_ps(target + (12 + c) * ldt, _mm512_maskz_shuffle_f32x4(0xffff, odd, odd8, 0xdd));
    }
    return;
  }
#endif
#if defined(__AVX__)
  if constexpr (transpose_side<Arch> == 8) {
    const auto row = [&](Index r) {
      return r < rows ? _mm256_loadu_ps(reinterpret_cast<const float*>(source + r * ldf)) : _mm256_setzero_ps();
    };
    const auto store = [&](int c, __m256 x) { _mm256_storeu_ps(reinterpret_cast<float*>(target + c * ldt), x); };
    __m256 half[2][4];  // [rows 0-3 or 4-7][c]: columns c and c + 4
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const __m256 r0 = row(4 * h), r1 = row(4 * h + 1), r2 = row(4 * h + 2), r3 = row(4 * h + 3);
      const __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(r0, r1)),
                    high01 = _mm256_castps_pd(_mm256_unpackhi_ps(r0, r1));
      const __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(r2, r3)),
                    high23 = _mm256_castps_pd(_mm256_unpackhi_ps(r2, r3));
      half[h][0] = _mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23));
      half[h][1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23));
      half[h][2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23));
      half[h][3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23));
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {
      store(c, _mm256_permute2f128_ps(half[0][c], half[1][c], 0x20));
      store(4 + c, _mm256_permute2f128_ps(half[0][c], half[1][c], 0x31));
    }
  }
#endif
}

}  // namespace minivit::inline MINIVIT_ISA::simd
