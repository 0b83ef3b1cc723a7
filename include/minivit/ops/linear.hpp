// SPDX-License-Identifier: MIT
// linear: y = x W^T + b over rows, with the weight as it lies (View) or in panels (PackedMatrix), and its backward. The
// compiler itself runs it through the scalar reference.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/reference/gemm.hpp>
#include <minivit/kernels/reference/rows.hpp>
#include <minivit/kernels/rows.hpp>
#include <minivit/ops/storage.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

/// What is fused into the product.
template <class T>
struct LinearOptions {
  const T* residual = nullptr;  ///< [rows, Out], added; may repeat a table by calling once per image
  bool gelu = false;            ///< GELU of the sum, exact but for products of words, where it is gelu_near
};

namespace detail {
/// linear() of panels for layers of any size, so that a model has it once.
template <class Arch, class T, class W>
MINIVIT_KERNEL void packed_product(const T* x, const W* panels, const T* bias, T* y, Index rows, Index in, Index out,
                                   const LinearOptions<T>& options, const Arena<T>& arena) {
  arena.split(rows, rows_step, in * out, [&](Index first, Index count, int) {
    const T* const residual = options.residual ? options.residual + first * out : nullptr;
    kernels::gemm<Arch>(y + first * out, out, x + first * in, in, panels, count, out, in,
                        kernels::Epilogue<T>{bias, residual, out, options.gelu});
  });
}
}  // namespace detail

/// y = act(x W^T + b + residual). `bias` may be null.
template <class Arch, class T, int In, int Out, class W>
constexpr void linear(View<const T, Dyn, In> x, View<W, Out, In> weight, const T* bias, View<T, Dyn, Out> y, Arena<T>& arena,
                      LinearOptions<T> options = {}) {
  using enum kernels::Order;
  const auto scope = arena.scratch();
  T* const panel = arena.raw(kernels::unpacked_scratch<Arch, T>(In));
  if (arena.counting()) return;
  const kernels::Epilogue<T> epilogue{bias, options.residual, Out, options.gelu};
  if (std::is_constant_evaluated())
    kernels::reference::gemm<T>(y.data(), Out, x.data(), In, plain, weight.data(), In, transposed, x.batch(), Out, In,
                                epilogue);
  else
    kernels::gemm_unpacked<Arch, T>(y.data(), Out, x.data(), In, plain, weight.data(), In, transposed, x.batch(), Out, In,
                                    panel, epilogue);
}

/// The same with a packed weight.
template <class Arch, class T, int In, int Out, class W, bool Both>
constexpr void linear(View<const T, Dyn, In> x, const PackedMatrix<W, T, Arch, Out, In, Both>& weight, const T* bias,
                      View<T, Dyn, Out> y, Arena<T>& arena, LinearOptions<T> options = {}) {
  if (!arena.counting())
    detail::packed_product<Arch>(x.data(), weight.forward, bias, y.data(), x.batch(), In, Out, options, arena);
}

/// dx = dy W, or dx += dy W.
template <class Arch, class T, int In, int Out, class W>
constexpr void linear_input_gradient(View<const T, Dyn, Out> dy, View<W, Out, In> weight, View<T, Dyn, In> dx,
                                     Arena<T>& arena, bool accumulate = false) {
  const auto scope = arena.scratch();
  T* const panel = arena.raw(kernels::unpacked_scratch<Arch, T>(Out));
  if (arena.counting()) return;
  kernels::gemm_unpacked<Arch, T>(dx.data(), In, dy.data(), Out, kernels::Order::plain, weight.data(), In,
                                  kernels::Order::plain, dy.batch(), In, Out, panel,
                                  {.residual = accumulate ? dx.data() : nullptr, .ldr = In});
}

/// The same with packed weights.
template <class Arch, class T, int In, int Out, class W>
constexpr void linear_input_gradient(View<const T, Dyn, Out> dy, const PackedMatrix<W, T, Arch, Out, In, true>& weight,
                                     View<T, Dyn, In> dx, Arena<T>& arena, bool accumulate = false) {
  if (arena.counting()) return;
  kernels::gemm<Arch>(dx.data(), In, dy.data(), Out, weight.backward, dy.batch(), In, Out,
                      kernels::Epilogue<T>{.residual = accumulate ? dx.data() : nullptr, .ldr = In});
}

/// dW += dy^T x, db += sum of rows of dy. `dbias` may be null.
template <class Arch, class T, int In, int Out>
constexpr void linear_weight_gradient(View<const T, Dyn, Out> dy, View<const T, Dyn, In> x, View<T, Out, In> dweight,
                                      T* dbias, Arena<T>& arena) {
  const auto scope = arena.scratch();
  T* const panel = arena.raw(kernels::unpacked_scratch<Arch, T>(kernels::block_depth));
  if (arena.counting() || x.batch() == 0) return;
  kernels::gemm_unpacked<Arch, T>(dweight.data(), In, dy.data(), Out, kernels::Order::transposed, x.data(), In,
                                  kernels::Order::plain, Out, In, x.batch(), panel, {.residual = dweight.data(), .ldr = In});
  if (dbias) kernels::column_sum<Arch>(dbias, dy.data(), Out, dy.batch(), Index{Out});
}

}  // namespace minivit::inline MINIVIT_ISA::ops
