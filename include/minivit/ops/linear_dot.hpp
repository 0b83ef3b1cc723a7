// SPDX-License-Identifier: MIT
// linear over narrow weights (DotMatrix) and its backward in bf16: the same meaning as ops/linear.hpp, reading and writing
// rows of words.
#pragma once

#include <minivit/ops/dot_matrix.hpp>
#include <minivit/ops/linear.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

namespace detail {

/// Rows [first, first + count) of y [.., Out] = act(x W^T + b + residual), row stride ldy. Y: float or bf16.
template <class Arch, class Y, int In, int Out, bool Both>
constexpr void dot_rows(Bf16Rows<In> x, const DotMatrix<bf16, Out, In, Both>& w, Index first, Index count, Y* y, Index ldy,
                        kernels::DotEpilogue e) {
  kernels::dot_gemm<Arch>(y, ldy, x.data + first * x.stride, x.stride, w.words, count, Out, In, e);
}
template <class Arch, class Y, int In, int Out>
constexpr void dot_rows(QuantisedRows<In> x, const DotMatrix<int8, Out, In>& w, Index first, Index count, Y* y, Index ldy,
                        kernels::DotEpilogue e) {
  if (w.seen)  // one thread then
    for (Index r = first; r < first + count; ++r) {
      const auto [scale, zero] = x.scales[r];
      w.seen->low = std::min(w.seen->low, -zero * scale);
      w.seen->high = std::max(w.seen->high, (255 - zero) * scale);
      if (!std::isfinite(scale)) w.seen->high = scale;
    }
  e.rows = x.scales + first;
  e.column_scale = w.scale;
  e.column_sum = w.sum;
  kernels::dot_gemm<Arch>(y, ldy, x.codes + first * x.stride, x.stride, w.words, count, Out, In, e);
}

/// The epilogue of rows from `first` on.
constexpr kernels::DotEpilogue epilogue(const float* bias, const LinearOptions<float>& options, Index first, Index out) {
  return {.bias = bias,
          .residual = options.residual ? options.residual + first * out : nullptr,
          .ldr = out,
          .gelu = options.gelu};
}

}  // namespace detail

/// y = act(x W^T + b + residual) in float or bf16. `bias` may be null.
template <class Arch, class T, WordRows Rows, class E, int In, int Out, bool Both, class Y>
requires(!std::is_const_v<Y>) constexpr void linear(Rows x, const DotMatrix<E, Out, In, Both>& weight, const T* bias,
                                                    View<Y, Dyn, Out> y, Arena<T>& arena, LinearOptions<T> options = {}) {
  if (arena.counting()) return;
  arena.split(x.batch(), rows_step, Index{In} * Out / kernels::Dot<E>::group, [&](Index first, Index count, int) {
    detail::dot_rows<Arch>(x, weight, first, count, y.data() + first * Out, Out,
                           detail::epilogue(bias, options, first, Out));
  });
}

/// The same into rows of words for the next product.
template <class Arch, class T, WordRows Rows, class E, int In, int Out, bool Both>
constexpr void linear(Rows x, const DotMatrix<E, Out, In, Both>& weight, const T* bias, Bf16Rows<Out> y, Arena<T>& arena,
                      LinearOptions<T> options = {}) {
  if (arena.counting()) return;
  arena.split(x.batch(), rows_step, Index{In} * Out / kernels::Dot<E>::group, [&](Index first, Index count, int) {
    detail::dot_rows<Arch>(x, weight, first, count, y.data + first * y.stride, y.stride,
                           detail::epilogue(bias, options, first, Out));
    if constexpr (y.stride != Out)
      for (Index r = first; r < first + count; ++r) y.data[r * y.stride + Out] = bf16{};
  });
}

/// The same into 8-bit rows: straight into codes after a calibration. Else their scales need whole rows, so a few rows at a
/// time pass through bf16 in scratch.
template <class Arch, class T, WordRows Rows, class E, int In, int Out, bool Both>
constexpr void linear(Rows x, const DotMatrix<E, Out, In, Both>& weight, const T* bias, QuantisedRows<Out> y,
                      Arena<T>& arena, LinearOptions<T> options = {}) {
  constexpr Index block = 4 * kernels::dot_rows;
  const auto scope = arena.scratch();
  bf16* const memory = take_as<bf16>(arena, arena.workers() * block * Out);
  if (arena.counting()) return;
  arena.split(x.batch(), rows_step, Index{In} * Out / kernels::Dot<E>::group, [&](Index begin, Index rows, int worker) {
    if (y.fixed.scale > 0) {
      auto epilogue = detail::epilogue(bias, options, begin, Out);
      epilogue.out = y.fixed;
      detail::dot_rows<Arch>(x, weight, begin, rows, y.codes + begin * y.stride, y.stride, epilogue);
      for (Index r = begin; r < begin + rows; ++r) {
        y.scales[r] = y.fixed;
        std::fill(y.codes + r * y.stride + Out, y.codes + (r + 1) * y.stride, std::uint8_t{0});
      }
      return;
    }
    bf16* const wide = memory + worker * block * Out;
    for (Index first = begin; first < begin + rows; first += block) {
      const Index count = std::min(block, begin + rows - first);
      detail::dot_rows<Arch>(x, weight, first, count, wide, Out, detail::epilogue(bias, options, first, Out));
      for (Index r = 0; r < count; ++r) write_row<Arch>(wide + r * Out, y, first + r);
    }
  });
}

/// dx = dy W, or dx += dy W, with dy rounded to bf16.
template <class Arch, class T, int In, int Out>
constexpr void linear_input_gradient(View<const T, Dyn, Out> dy, const DotMatrix<bf16, Out, In, true>& weight,
                                     View<T, Dyn, In> dx, Arena<T>& arena, bool accumulate = false) {
  const auto scope = arena.scratch();
  const auto left = as_rows<Arch, Out>(dy, arena, Bf16Rows<Out>{});
  if (arena.counting()) return;
  kernels::dot_gemm<Arch>(dx.data(), In, left.data, left.stride, weight.backward, dy.batch(), In, Out,
                          {.residual = accumulate ? dx.data() : nullptr, .ldr = In});
}

/// dW += dy^T x with dy rounded to bf16, db += sum of rows of dy, in float32 throughout. `dbias` may be null.
template <class Arch, class T, int In, int Out>
constexpr void linear_weight_gradient(View<const T, Dyn, Out> dy, Bf16Rows<In> x, View<T, Out, In> dweight, T* dbias,
                                      Arena<T>& arena) {
  const auto scope = arena.scratch();
  const Index rows = dy.batch();
  bf16* const left = take_as<bf16>(arena, kernels::dot_stride<bf16>(rows) * Out);
  bf16* const right = take_as<bf16>(arena, kernels::dot_packed_size<bf16>(rows, In));
  if (arena.counting() || rows == 0) return;
  kernels::dot_pack(right, x.data, x.stride, kernels::Order::plain, rows, In);
  kernels::dot_gemm_transposed<Arch>(dweight.data(), In, dy.data(), Out, left, right, Out, In, rows,
                                     {.residual = dweight.data(), .ldr = In});
  if (dbias) kernels::column_sum<Arch>(dbias, dy.data(), Out, rows, Index{Out});
}

}  // namespace minivit::inline MINIVIT_ISA::ops
