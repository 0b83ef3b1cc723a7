// SPDX-License-Identifier: MIT
// What a matrix product has to be told besides its sizes. Shared by the vector kernels and their scalar references.
#pragma once

#include <minivit/core/view.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// Which way a matrix lies in memory: X(i, j) = x[i * ld + j] (plain) or x[j * ld + i] (transposed).
enum class Order {
  plain,      ///< row-major
  transposed  ///< column-major: the transpose lies row-major
};

/// What happens to a sum before it is stored: y = act(sum + bias + residual).
template <class T>
struct Epilogue {
  const T* bias = nullptr;      ///< [N], added to every row
  const T* residual = nullptr;  ///< [M, N] with row stride `ldr`; may be C itself (C += A B)
  Index ldr = 0;                ///< elements from row to row of `residual`
  bool gelu = false;            ///< exact GELU, last
};

}  // namespace minivit::inline MINIVIT_ISA::kernels
