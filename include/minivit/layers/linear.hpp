// SPDX-License-Identifier: MIT
// Linear: y = x W^T + b, weight stored [Out, In] as in every checkpoint of the family.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/ops/linear_dot.hpp>

namespace minivit::inline MINIVIT_ISA {

/// A map of rows from In to Out numbers. S: storage policy.
template <class S, int In, int Out, bool Bias = true>
struct Linear {
  using T = typename S::Scalar;   ///< of activations and sums
  using Arch = typename S::Arch;  ///< instruction set of the kernels

  typename S::template Matrix<Out, In> weight;  ///< [Out, In]
  typename S::template Vector<Out> bias;        ///< [Out], null without a bias

  /// f(name, tensor) for "weight" and, if there is one, "bias", below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    f(at / "weight", self.weight);
    if constexpr (Bias) f(at / "bias", self.bias);
  }

  /// Empty rows of the kind that the step in front has to write.
  constexpr auto input_rows() const { return ops::input_rows<typename S::template Rows<In>>(weight); }

  /// y [rows, Out] = act(x W^T + b + residual), with act and residual from `options`.
  constexpr void forward(typename S::template Input<In> x, View<T, Dyn, Out> y, Arena<T>& arena,
                         ops::LinearOptions<T> options = {}) const {
    ops::linear<Arch, T>(x, weight, bias.data(), y, arena, options);
  }
  /// The same into what the next product reads.
  template <class Y>
  constexpr void forward(typename S::template Input<In> x, Y y, Arena<T>& arena, ops::LinearOptions<T> options = {}) const {
    ops::linear<Arch, T>(x, weight, bias.data(), y, arena, options);
  }

  /// dx = dy W (skipped when dx is empty), gradients += . G: Linear over writable storage.
  template <class G>
  constexpr void backward(View<const T, Dyn, Out> dy, typename S::template Input<In> x, View<T, Dyn, In> dx,
                          const G& gradients, Arena<T>& arena) const {
    ops::linear_weight_gradient<Arch, T>(dy, x, gradients.weight, gradients.bias.data(), arena);
    if (dx.batch() > 0) ops::linear_input_gradient<Arch, T>(dy, weight, dx, arena);
  }
};

}  // namespace minivit::inline MINIVIT_ISA
