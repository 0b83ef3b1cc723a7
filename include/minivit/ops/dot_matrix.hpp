// SPDX-License-Identifier: MIT
// DotMatrix: a weight matrix in bf16 or 8-bit words. 8-bit weights are quantised when they are packed, one scale
// for each output channel.
#pragma once

#include <minivit/kernels/dot/gemm.hpp>

namespace minivit::inline MINIVIT_ISA {

/// The numbers that a product has read, while a calibration looks.
struct InputRange {
  float low = 0, high = 0;  ///< least and largest number read so far
};

/// A weight matrix [Out, In] packed for products of words (kernels/dot/). E: bf16 or int8. `words` computes x W^T;
/// `backward`, bf16 only, computes dy W and is null in inference.
template <class E, int Out, int In, bool Both = false>
struct DotMatrix {
  static_assert(!Both || std::is_same_v<E, bf16>);
  using Element = E;             ///< type of a word's values
  const E* words = nullptr;      ///< weights for x W^T, words_size elements; null until pack()
  const E* backward = nullptr;   ///< weights for dy W, backward_size elements
  const float* scale = nullptr;  ///< [Out], int8 only
  const float* sum = nullptr;    ///< [Out], sums of the codes of a channel, int8 only
  kernels::RowScale input{};     ///< of all activations, found by a calibration; scale 0: each row has its own. int8 only
  InputRange* seen = nullptr;    ///< widened by every product during a calibration. int8 only

  static constexpr Index words_size = kernels::dot_packed_size<E>(In, Out);  ///< elements of the panels for x W^T
  /// Elements of the panels for dy W.
  static constexpr Index backward_size = Both ? kernels::dot_packed_size<E>(Out, In) : 0;
  static constexpr Index channels = kernels::dot_columns(Out);  ///< outputs with those that fill the last panel
  /// Elements of E to reserve; a multiple of 64 bytes.
  static constexpr Index size() {
    return words_size + backward_size +
           (std::is_same_v<E, int8> ? 2 * channels * static_cast<Index>(sizeof(float) / sizeof(E)) : 0);
  }

  /// Fills `memory` (size() elements, aligned to 64 bytes) from row-major [Out, In] and points at it.
  template <class T>
  void pack(E* memory, const T* source) {
    words = memory;
    if constexpr (std::is_same_v<E, int8>) {
      auto* const scales = reinterpret_cast<float*>(memory + words_size);
      kernels::dot_pack_quantised(memory, scales, scales + channels, source, Index{In}, Index{Out});
      scale = scales;
      sum = scales + channels;
    } else {
      kernels::dot_pack(memory, source, Index{In}, kernels::Order::transposed, Index{In}, Index{Out});
      if constexpr (Both) {
        kernels::dot_pack(memory + words_size, source, Index{In}, kernels::Order::plain, Index{Out}, Index{In});
        backward = memory + words_size;
      }
    }
  }
};

}  // namespace minivit::inline MINIVIT_ISA
