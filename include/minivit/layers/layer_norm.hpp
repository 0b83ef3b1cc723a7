// SPDX-License-Identifier: MIT
// LayerNorm over the width of a token; eps is 1e-6 in the DeiT family, 1e-5 in the Swin family.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/ops/layer_norm.hpp>

namespace minivit::inline MINIVIT_ISA {

/// y = (x - mean) * rstd * weight + bias for rows of width D, eps = 10^-Digits. S: storage policy.
template <class S, int D, int Digits = 6>
struct LayerNorm {
  using T = typename S::Scalar;   ///< of activations
  using Arch = typename S::Arch;  ///< instruction set of the kernels
  /// Added to the variance.
  static constexpr T eps = [] {
    double x = 1;
    for (int i = 0; i < Digits; ++i) x *= 10;
    return static_cast<T>(1 / x);
  }();

  typename S::template Vector<D> weight;  ///< [D]
  typename S::template Vector<D> bias;    ///< [D]

  /// What backward needs besides the input.
  struct Saved {
    typename S::template Input<D> y;  ///< [rows, D]
    T* mean = nullptr;                ///< [rows]
    T* rstd = nullptr;                ///< [rows]
  };

  /// f(name, tensor) for "weight" and "bias", below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    f(at / "weight", self.weight);
    f(at / "bias", self.bias);
  }

  /// `kind`: the rows that the layer behind reads; `order`: the order in which it reads them, null: as they are.
  constexpr Saved forward(View<const T, Dyn, D> x, Arena<T>& arena, typename S::template Rows<D> kind = {},
                          const kernels::WindowMap* order = nullptr) const {
    return forward_to(x, ops::take_rows<D>(arena, x.batch(), kind), arena, order);
  }

  /// The same into y.
  constexpr Saved forward_to(View<const T, Dyn, D> x, typename S::template Rows<D> y, Arena<T>& arena,
                             const kernels::WindowMap* order = nullptr) const {
    const Profile::Scope profile("norm");
    Saved saved{y, nullptr, nullptr};
    if (arena.keeps()) {
      saved.mean = arena.raw(x.batch());
      saved.rstd = arena.raw(x.batch());
    }
    ops::layer_norm<Arch, T, D>(x, weight, bias, y, saved.mean, saved.rstd, eps, arena, order);
    return saved;
  }

  /// dx = gradient, or dx += gradient. dy stands in `order`, x and dx do not.
  template <class G>
  constexpr void backward(View<const T, Dyn, D> dy, View<const T, Dyn, D> x, const Saved& saved, View<T, Dyn, D> dx,
                          const G& gradients, Arena<T>& arena, bool accumulate = false,
                          const kernels::WindowMap* order = nullptr) const {
    const Profile::Scope profile("norm backward");
    ops::layer_norm_backward<Arch, T, D>(dy, x, saved.mean, saved.rstd, weight, dx, gradients.weight, gradients.bias,
                                         accumulate, arena, order);
  }
};

}  // namespace minivit::inline MINIVIT_ISA
