// SPDX-License-Identifier: MIT
// linear over narrow weights (DotMatrix), for inference: the same meaning as ops/linear.hpp, reading and writing rows of words.
#pragma once

#include <minivit/ops/dot_matrix.hpp>
#include <minivit/ops/linear.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

namespace detail {

/// Rows [first, first + count) of y [.., Out] = act(x W^T + b + residual), row stride ldy. Y: float or bf16.
template <class Arch, class Y, int In, int Out>
constexpr void dot_rows(Bf16Rows<In> x, const DotMatrix<bf16, Out, In>& w, Index first, Index count, Y* y, Index ldy, kernels::DotEpilogue e) {
  kernels::dot_gemm<Arch>(y, ldy, x.data + first * x.stride, x.stride, w.words, count, Out, In, e);
}
template <class Arch, class Y, int In, int Out>
constexpr void dot_rows(QuantisedRows<In> x, const DotMatrix<int8, Out, In>& w, Index first, Index count, Y* y, Index ldy, kernels::DotEpilogue e) {
  e.rows = x.scales + first;
  e.column_scale = w.scale;
  e.column_sum = w.sum;
  kernels::dot_gemm<Arch>(y, ldy, x.codes + first * x.stride, x.stride, w.words, count, Out, In, e);
}

}  // namespace detail

/// y = act(x W^T + b + residual) in float or bf16. `bias` may be null.
template <class Arch, class T, WordRows Rows, class E, int In, int Out, class Y>
  requires(!std::is_const_v<Y>)
constexpr void linear(Rows x, const DotMatrix<E, Out, In>& weight, const T* bias, View<Y, Dyn, Out> y, Arena<T>& arena, LinearOptions<T> options = {}) {
  if (arena.counting()) return;
  detail::dot_rows<Arch>(x, weight, 0, x.batch(), y.data(), Out, {.bias = bias, .residual = options.residual, .ldr = Out, .gelu = options.gelu});
}

/// The same into rows of words for the next product.
template <class Arch, class T, WordRows Rows, class E, int In, int Out>
constexpr void linear(Rows x, const DotMatrix<E, Out, In>& weight, const T* bias, Bf16Rows<Out> y, Arena<T>& arena, LinearOptions<T> options = {}) {
  if (arena.counting()) return;
  detail::dot_rows<Arch>(x, weight, 0, x.batch(), y.data, y.stride, {.bias = bias, .residual = options.residual, .ldr = Out, .gelu = options.gelu});
  if constexpr (y.stride != Out)
    for (Index r = 0; r < y.rows; ++r) y.data[r * y.stride + Out] = bf16{};
}

/// The same into 8-bit rows. Their scales need whole rows, so a few rows at a time pass through bf16 in scratch.
template <class Arch, class T, WordRows Rows, class E, int In, int Out>
constexpr void linear(Rows x, const DotMatrix<E, Out, In>& weight, const T* bias, QuantisedRows<Out> y, Arena<T>& arena, LinearOptions<T> options = {}) {
  constexpr Index block = 4 * kernels::dot_rows;
  const auto scope = arena.scratch();
  bf16* const wide = take_as<bf16>(arena, block * Out);
  if (arena.counting()) return;
  for (Index first = 0; first < x.batch(); first += block) {
    const Index count = std::min(block, x.batch() - first);
    const T* const residual = options.residual ? options.residual + first * Out : nullptr;
    detail::dot_rows<Arch>(x, weight, first, count, wide, Out, {.bias = bias, .residual = residual, .ldr = Out, .gelu = options.gelu});
    for (Index r = 0; r < count; ++r) write_row<Arch>(wide + r * Out, y, first + r);
  }
}

}  // namespace minivit::inline MINIVIT_ISA::ops
