// SPDX-License-Identifier: MIT
// RelationShape: the sizes of a relation term, shared by the kernel, its scalar reference and the loss that names the pairs.
#pragma once

#include <minivit/core/view.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// All nine ordered pairs of queries, keys and values: bit 3 i + j stands for (i, j).
inline constexpr unsigned all_pairs = 0x1FF;

/// Sizes of one relation term, for one image.
struct RelationShape {
  Index tokens = 0;            ///< of one image or window, the same in both models
  int parts = 3;               ///< matrices side by side: 3 for (q | k | v), 1 for hidden states
  Index student_width = 0;     ///< of one part; a multiple of `groups`
  Index teacher_width = 0;     ///< of one part; a multiple of `groups`
  Index groups = 1;            ///< relation heads
  unsigned pairs = all_pairs;  ///< bit 3 i + j: the pair (i, j) is compared

  /// Whether the relation of part i with part j is compared.
  constexpr bool has(int i, int j) const { return (pairs >> (3 * i + j) & 1u) != 0; }
  /// Pairs that are compared.
  constexpr int count() const {
    int n = 0;
    for (int i = 0; i < parts; ++i)
      for (int j = 0; j < parts; ++j) n += has(i, j) ? 1 : 0;
    return n;
  }
};

}  // namespace minivit::inline MINIVIT_ISA::kernels
