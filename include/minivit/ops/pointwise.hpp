// SPDX-License-Identifier: MIT
// Element-wise ops: GELU, and the per-image scaling of a residual branch that stochastic depth needs.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/pointwise.hpp>
#include <minivit/kernels/reference/pointwise.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

/// y = x * Phi(x), exact.
template <class Arch, class T, int... E>
constexpr void gelu(View<const T, E...> x, View<T, E...> y, Arena<T>& arena) {
  if (arena.counting()) return;
  if (std::is_constant_evaluated()) kernels::reference::gelu(y.data(), x.data(), x.size());
  else kernels::gelu<Arch>(y.data(), x.data(), x.size());
}

/// dx = dy * gelu'(x); may be in place (dx == dy).
template <class Arch, class T, int... E>
constexpr void gelu_backward(View<const T, E...> dy, View<const T, E...> x, View<T, E...> dx, Arena<T>& arena) {
  if (arena.counting()) return;
  kernels::gelu_backward<Arch>(dx.data(), dy.data(), x.data(), x.size());
}

/// y[b] = x[b] + scale[b] * y[b] for every image b.
template <class T, int... E>
constexpr void add_scaled_branch(View<const T, Dyn, E...> x, const T* scale, View<T, Dyn, E...> y, Arena<T>& arena) {
  if (arena.counting()) return;
  const Index size = y.slice(0, 1).size();
  for (Index b = 0; b < y.batch(); ++b)
    for (Index i = b * size; i < (b + 1) * size; ++i) y.data()[i] = x.data()[i] + scale[b] * y.data()[i];
}

/// y[b] = scale[b] * x[b] for every image b.
template <class T, int... E>
constexpr void scale_images(View<const T, Dyn, E...> x, const T* scale, View<T, Dyn, E...> y, Arena<T>& arena) {
  if (arena.counting()) return;
  const Index size = y.slice(0, 1).size();
  for (Index b = 0; b < y.batch(); ++b)
    for (Index i = b * size; i < (b + 1) * size; ++i) y.data()[i] = scale[b] * x.data()[i];
}

}  // namespace minivit::inline MINIVIT_ISA::ops
