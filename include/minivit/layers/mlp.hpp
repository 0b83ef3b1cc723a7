// SPDX-License-Identifier: MIT
// Mlp: fc2(gelu(fc1(x))), exact GELU. Inference applies GELU while fc1's sums are in cache; training keeps both sides of it.
#pragma once

#include <minivit/layers/linear.hpp>
#include <minivit/ops/pointwise.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Rows of width D through a hidden width M. S: storage policy.
template <class S, int D, int M>
struct Mlp {
  using T = typename S::Scalar;
  using Arch = typename S::Arch;

  Linear<S, D, M> fc1;
  Linear<S, M, D> fc2;

  struct Saved {
    View<const T, Dyn, M> before;          // [rows, M] input of GELU
    typename S::template Input<M> hidden;  // [rows, M] output of GELU
  };

  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    Linear<S, D, M>::visit(self.fc1, at / "fc1", f);
    Linear<S, M, D>::visit(self.fc2, at / "fc2", f);
  }

  /// y = mlp(x) + residual. `residual` may be null.
  constexpr Saved forward(typename S::template Input<D> x, const T* residual, View<T, Dyn, D> y, Arena<T>& arena) const {
    using Rows = typename S::template Rows<M>;
    const Rows hidden = ops::take_rows<M>(arena, x.batch(), Rows{});
    Saved saved{{}, hidden};
    bool fused = true;
    if constexpr (std::is_same_v<Rows, View<T, Dyn, M>>) {
      if (arena.keeps()) {
        const auto before = arena.template take<Dyn, M>(x.batch());
        saved.before = before;
        fc1.forward(x, before, arena);
        ops::gelu<Arch, T, M>(before, hidden, arena);
        fused = false;
      }
    }
    if (fused) fc1.forward(x, hidden, arena, {.gelu = true});
    fc2.forward(hidden, y, arena, {.residual = residual});
    return saved;
  }

  /// dx is overwritten.
  template <class G>
  constexpr void backward(View<const T, Dyn, D> dy, View<const T, Dyn, D> x, const Saved& saved, View<T, Dyn, D> dx,
                          const G& gradients, Arena<T>& arena) const {
    const auto scope = arena.scratch();
    const auto dhidden = arena.template take<Dyn, M>(x.batch());
    fc2.backward(dy, saved.hidden, dhidden, gradients.fc2, arena);
    ops::gelu_backward<Arch, T, M>(dhidden, saved.before, dhidden, arena);
    fc1.backward(dhidden, x, dx, gradients.fc1, arena);
  }
};

}  // namespace minivit::inline MINIVIT_ISA
