// SPDX-License-Identifier: MIT
// layer_norm: y = (x - mean) / sqrt(var + eps) * weight + bias over the last extent (Ba, Kiros, Hinton 2016), biased
// variance. Backward needs the input and the two statistics of each row.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/reference/rows.hpp>
#include <minivit/kernels/rows.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

/// `mean` and `rstd` [rows] may be null when no backward follows.
template <class Arch, class T, int D>
constexpr void layer_norm(View<const T, Dyn, D> x, View<const T, D> weight, View<const T, D> bias, View<T, Dyn, D> y, T* mean,
                          T* rstd, T eps, Arena<T>& arena) {
  if (arena.counting()) return;
  if (std::is_constant_evaluated())
    kernels::reference::layer_norm<T>(y.data(), D, mean, rstd, x.data(), D, weight.data(), bias.data(), x.batch(), D, eps);
  else
    arena.split(x.batch(), 1, element_cost * D, [&](Index first, Index count, int) {
      kernels::layer_norm<Arch, T>(y.data() + first * D, D, mean ? mean + first : nullptr, rstd ? rstd + first : nullptr,
                                   x.data() + first * D, D, weight.data(), bias.data(), count, D, eps);
    });
}

/// The same into rows of words.
template <class Arch, class T, int D>
constexpr void layer_norm(View<const T, Dyn, D> x, View<const T, D> weight, View<const T, D> bias, Bf16Rows<D> y, T* mean, T* rstd,
                          T eps, Arena<T>& arena) {
  if (arena.counting()) return;
  arena.split(x.batch(), 1, element_cost * D, [&](Index first, Index count, int) {
    kernels::layer_norm<Arch, T>(y.data + first * y.stride, y.stride, mean ? mean + first : nullptr, rstd ? rstd + first : nullptr,
                                 x.data() + first * D, D, weight.data(), bias.data(), count, D, eps);
  });
  if constexpr (y.stride != D)
    for (Index r = 0; r < y.rows; ++r) y.data[r * y.stride + D] = bf16{};
}
template <class Arch, class T, int D>
constexpr void layer_norm(View<const T, Dyn, D> x, View<const T, D> weight, View<const T, D> bias, QuantisedRows<D> y, T*, T*, T eps,
                          Arena<T>& arena) {
  const auto scope = arena.scratch();
  T* const memory = arena.raw(arena.workers() * aligned_count<T>(D));
  if (arena.counting()) return;
  arena.split(x.batch(), 1, element_cost * D, [&](Index first, Index count, int worker) {
    T* const row = memory + worker * aligned_count<T>(D);
    for (Index r = first; r < first + count; ++r) {
      kernels::layer_norm<Arch, T>(row, D, nullptr, nullptr, x.data() + r * D, D, weight.data(), bias.data(), 1, D, eps);
      write_row<Arch>(row, y, r);
    }
  });
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
