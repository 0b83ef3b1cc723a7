// SPDX-License-Identifier: MIT
// Element-wise ops: GELU, and the per-image scaling of a residual branch that stochastic depth needs.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/pointwise.hpp>
#include <minivit/kernels/reference/pointwise.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

/// y = x * Phi(x), exact.
template <class Arch, class T, int M>
constexpr void gelu(View<const T, Dyn, M> x, View<T, Dyn, M> y, Arena<T>& arena) {
  if (arena.counting()) return;
  if (std::is_constant_evaluated()) kernels::reference::gelu(y.data(), x.data(), x.size());
  else kernels::gelu<Arch>(y.data(), x.data(), x.size());
}

/// The same from bf16 into rows of words.
template <class Arch, int M, class T>
constexpr void gelu(View<const bf16, Dyn, M> x, Bf16Rows<M> y, Arena<T>& arena) {
  if (arena.counting()) return;
  if constexpr (y.stride == M) {
    kernels::gelu<Arch>(y.data, x.data(), x.size());
  } else {
    for (Index r = 0; r < y.rows; ++r) {
      kernels::gelu<Arch>(y.data + r * y.stride, x.data() + r * M, Index{M});
      y.data[r * y.stride + M] = bf16{};
    }
  }
}

/// dx = dy * gelu'(x); may be in place (dx == dy). X: T or bf16.
template <class Arch, class T, class X, int M>
constexpr void gelu_backward(View<const T, Dyn, M> dy, View<const X, Dyn, M> x, View<T, Dyn, M> dx, Arena<T>& arena) {
  if (arena.counting()) return;
  kernels::gelu_backward<Arch>(dx.data(), dy.data(), x.data(), x.size());
}

/// y[b] = x[b] + scale[b] * y[b] for every image b.
template <class T, int N, int D>
constexpr void add_scaled_branch(View<const T, Dyn, N, D> x, const T* scale, View<T, Dyn, N, D> y, Arena<T>& arena) {
  if (arena.counting()) return;
  constexpr Index size = Index{N} * D;
  for (Index b = 0; b < y.batch(); ++b)
    for (Index i = b * size; i < (b + 1) * size; ++i) y.data()[i] = x.data()[i] + scale[b] * y.data()[i];
}

/// y[b] = scale[b] * x[b] for every image b.
template <class T, int N, int D>
constexpr void scale_images(View<const T, Dyn, N, D> x, const T* scale, View<T, Dyn, N, D> y, Arena<T>& arena) {
  if (arena.counting()) return;
  constexpr Index size = Index{N} * D;
  for (Index b = 0; b < y.batch(); ++b)
    for (Index i = b * size; i < (b + 1) * size; ++i) y.data()[i] = scale[b] * x.data()[i];
}

}  // namespace minivit::inline MINIVIT_ISA::ops
