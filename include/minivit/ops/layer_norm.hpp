// SPDX-License-Identifier: MIT
// layer_norm: y = (x - mean) / sqrt(var + eps) * weight + bias over the last extent (Ba, Kiros, Hinton 2016), biased
// variance. Backward needs the input and the two statistics of each row. With an `order`, the result stands in window order:
// attention in windows reads it there, and nothing has to be moved for it.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/reference/rows.hpp>
#include <minivit/kernels/rows.hpp>
#include <minivit/kernels/windows.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

namespace detail {
/// Calls f(row, from, count) for stretches that make up the rows [first, first + rows) of the result: its rows from `row` on
/// are made of rows from `from` on. Without an order that is one stretch.
template <class F>
constexpr void each_stretch(const kernels::WindowMap* order, Index first, Index rows, F&& f) {
  if (!order) return f(first, first, rows);
  const Index map = order->side * order->side;
  for (Index r = first; r < first + rows;) {
    const Index image = r / map * map, count = std::min(first + rows, image + map) - r;
    order->each_run(r - image, count, [&](Index row, Index token, Index n) { f(image + row, image + token, n); });
    r += count;
  }
}
}  // namespace detail

/// `mean` and `rstd` [rows], in the order of y, may be null when no backward follows. `order` may be null.
template <class Arch, class T, int D>
constexpr void layer_norm(View<const T, Dyn, D> x, View<const T, D> weight, View<const T, D> bias, View<T, Dyn, D> y,
                          T* mean, T* rstd, T eps, Arena<T>& arena, const kernels::WindowMap* order = nullptr) {
  if (arena.counting()) return;
  const auto run = [&](Index first, Index rows, auto&& kernel) {
    detail::each_stretch(order, first, rows, [&](Index row, Index from, Index count) {
      kernel(y.data() + row * D, D, mean ? mean + row : nullptr, rstd ? rstd + row : nullptr, x.data() + from * D, D,
             weight.data(), bias.data(), count, D, eps);
    });
  };
  if (std::is_constant_evaluated())
    run(0, x.batch(), [](auto... arguments) { kernels::reference::layer_norm<T>(arguments...); });
  else
    arena.split(x.batch(), 1, element_cost * D, [&](Index first, Index count, int) {
      run(first, count, [](auto... arguments) { kernels::layer_norm<Arch, T>(arguments...); });
    });
}

/// The same into rows of words.
template <class Arch, class T, int D>
constexpr void layer_norm(View<const T, Dyn, D> x, View<const T, D> weight, View<const T, D> bias, Bf16Rows<D> y, T* mean,
                          T* rstd, T eps, Arena<T>& arena, const kernels::WindowMap* order = nullptr) {
  if (arena.counting()) return;
  arena.split(x.batch(), 1, element_cost * D, [&](Index first, Index rows, int) {
    detail::each_stretch(order, first, rows, [&](Index row, Index from, Index count) {
      kernels::layer_norm<Arch, T>(y.data + row * y.stride, y.stride, mean ? mean + row : nullptr,
                                   rstd ? rstd + row : nullptr, x.data() + from * D, D, weight.data(), bias.data(), count, D,
                                   eps);
    });
  });
  if constexpr (y.stride != D)
    for (Index r = 0; r < y.rows; ++r) y.data[r * y.stride + D] = bf16{};
}
/// The same into 8-bit codes, for inference: the statistics are not kept.
template <class Arch, class T, int D>
constexpr void layer_norm(View<const T, Dyn, D> x, View<const T, D> weight, View<const T, D> bias, QuantisedRows<D> y, T*,
                          T*, T eps, Arena<T>& arena, const kernels::WindowMap* order = nullptr) {
  const auto scope = arena.scratch();
  T* const memory = arena.raw(arena.workers() * aligned_count<T>(D));
  if (arena.counting()) return;
  arena.split(x.batch(), 1, element_cost * D, [&](Index first, Index rows, int worker) {
    T* const one = memory + worker * aligned_count<T>(D);
    detail::each_stretch(order, first, rows, [&](Index row, Index from, Index count) {
      for (Index r = 0; r < count; ++r) {
        kernels::layer_norm<Arch, T>(one, D, nullptr, nullptr, x.data() + (from + r) * D, D, weight.data(), bias.data(), 1,
                                     D, eps);
        write_row<Arch>(one, y, row + r);
      }
    });
  });
}

/// dx = or += gradient; dweight and dbias += . dy, mean and rstd stand in `order`, x and dx do not.
template <class Arch, class T, int D>
constexpr void layer_norm_backward(View<const T, Dyn, D> dy, View<const T, Dyn, D> x, const T* mean, const T* rstd,
                                   View<const T, D> weight, View<T, Dyn, D> dx, View<T, D> dweight, View<T, D> dbias,
                                   bool accumulate, Arena<T>& arena, const kernels::WindowMap* order = nullptr) {
  if (arena.counting()) return;
  detail::each_stretch(order, 0, x.batch(), [&](Index row, Index from, Index count) {
    kernels::layer_norm_backward<Arch, T>(dx.data() + from * D, dweight.data(), dbias.data(), dy.data() + row * D,
                                          x.data() + from * D, mean + row, rstd + row, weight.data(), count, D, accumulate);
  });
}

}  // namespace minivit::inline MINIVIT_ISA::ops
