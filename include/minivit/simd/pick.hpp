// SPDX-License-Identifier: MIT
// Pick: one of eight neighbouring numbers for each lane, a table lookup inside one register where there is an instruction.
#pragma once

#include <minivit/simd/batch.hpp>

#include <cstdint>

namespace minivit::inline MINIVIT_ISA::simd {

/// Which number each lane takes: lane i the one at last - index[i], in 0..7. Reads `lanes` values of `index`.
template <class T, class Arch>
class Pick {
  using B = Batch<T, Arch>;
#if defined(__AVX512F__)
  static constexpr bool wide = std::is_same_v<T, float> && sizeof(typename B::register_type) == 64;
#else
  static constexpr bool wide = false;
#endif
#if defined(__AVX2__)
  static constexpr bool half = std::is_same_v<T, float> && sizeof(typename B::register_type) == 32;
#else
  static constexpr bool half = false;
#endif

 public:
  /// Lane i takes table[last - index[i]]. Preconditions: `lanes` numbers of `index` can be read, and each gives a place in
  /// 0..7.
  Pick(const std::int8_t* index, int last) {
    for (Index i = 0; i < lanes<T, Arch>; ++i) lane_[i] = last - index[i];
  }

  /// table[lane] for every lane; eight numbers of `table` are read.
  B operator()(const T* table) const {
#if defined(__AVX512F__)
    if constexpr (wide)  // a full mask: see simd/bf16.hpp
      return _mm512_maskz_permutexvar_ps(0xffff, _mm512_load_si512(lane_), _mm512_castps256_ps512(_mm256_loadu_ps(table)));
#endif
#if defined(__AVX2__)
    if constexpr (half)
      return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), _mm256_load_si256(reinterpret_cast<const __m256i*>(lane_)));
#endif
    if constexpr (!wide && !half) {
      alignas(64) T out[static_cast<std::size_t>(lanes<T, Arch>)];
      for (Index i = 0; i < lanes<T, Arch>; ++i) out[i] = table[lane_[i]];
      return B::load_aligned(out);
    }
  }

 private:
  alignas(64) std::int32_t lane_[static_cast<std::size_t>(lanes<T, Arch>)];
};

}  // namespace minivit::inline MINIVIT_ISA::simd
