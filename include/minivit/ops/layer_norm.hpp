// SPDX-License-Identifier: MIT
// layer_norm: y = (x - mean) / sqrt(var + eps) * weight + bias over the last extent (Ba, Kiros, Hinton 2016), biased
// variance. Backward needs the input and the two statistics of each row.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/reference/rows.hpp>
#include <minivit/kernels/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

/// `mean` and `rstd` [rows] may be null when no backward follows.
template <class Arch, class T, int D>
constexpr void layer_norm(View<const T, Dyn, D> x, View<const T, D> weight, View<const T, D> bias, View<T, Dyn, D> y, T* mean,
                          T* rstd, T eps, Arena<T>& arena) {
  if (arena.counting()) return;
  if (std::is_constant_evaluated())
    kernels::reference::layer_norm<T>(y.data(), D, mean, rstd, x.data(), D, weight.data(), bias.data(), x.batch(), D, eps);
  else
    kernels::layer_norm<Arch, T>(y.data(), D, mean, rstd, x.data(), D, weight.data(), bias.data(), x.batch(), D, eps);
}

/// dx = or += gradient; dweight and dbias +=.
template <class Arch, class T, int D>
constexpr void layer_norm_backward(View<const T, Dyn, D> dy, View<const T, Dyn, D> x, const T* mean, const T* rstd,
                                   View<const T, D> weight, View<T, Dyn, D> dx, View<T, D> dweight, View<T, D> dbias,
                                   bool accumulate, Arena<T>& arena) {
  if (arena.counting()) return;
  kernels::layer_norm_backward<Arch, T>(dx.data(), dweight.data(), dbias.data(), dy.data(), x.data(), mean, rstd, weight.data(),
                                        x.batch(), D, accumulate);
}

}  // namespace minivit::inline MINIVIT_ISA::ops
