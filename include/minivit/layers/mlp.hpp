// SPDX-License-Identifier: MIT
// Mlp: fc2(gelu(fc1(x))), exact GELU. Inference applies GELU while fc1's sums are in cache; training keeps both sides of it.
#pragma once

#include <minivit/layers/linear.hpp>
#include <minivit/ops/pointwise.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Rows of width D through a hidden width M. S: storage policy.
template <class S, int D, int M>
struct Mlp {
  using T = typename S::Scalar;   ///< of activations
  using Arch = typename S::Arch;  ///< instruction set of the kernels

  Linear<S, D, M> fc1;  ///< [M, D], bias [M]
  Linear<S, M, D> fc2;  ///< [D, M], bias [D]

  using Inner = typename S::Inner;  ///< of the input of GELU

  /// What backward needs besides the input.
  struct Saved {
    View<const Inner, Dyn, M> before;      ///< [rows, M] input of GELU
    typename S::template Input<M> hidden;  ///< [rows, M] output of GELU
  };

  /// f(name, tensor) for "fc1" and "fc2", below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    Linear<S, D, M>::visit(self.fc1, at / "fc1", f);
    Linear<S, M, D>::visit(self.fc2, at / "fc2", f);
  }

  /// y = mlp(x) + residual. `residual` may be null.
  constexpr Saved forward(typename S::template Input<D> x, const T* residual, View<T, Dyn, D> y, Arena<T>& arena) const {
    const auto hidden = ops::take_rows<M>(arena, x.batch(), fc2.input_rows());
    Saved saved{{}, hidden};
    bool fused = true;
    if constexpr (S::trains) {
      if (arena.keeps()) {
        const auto before = ops::take_array<Inner, M>(arena, x.batch());
        saved.before = before;
        {
          const Profile::Scope profile("mlp.fc1");
          fc1.forward(x, before, arena);
        }
        const Profile::Scope profile("mlp.gelu");
        ops::gelu<Arch>(View<const Inner, Dyn, M>(before), hidden, arena);
        fused = false;
      }
    }
    if (fused) {
      const Profile::Scope profile("mlp.fc1 + gelu");
      fc1.forward(x, hidden, arena, {.gelu = true});
    }
    const Profile::Scope profile("mlp.fc2");
    fc2.forward(hidden, y, arena, {.residual = residual});
    return saved;
  }

  /// dx is overwritten.
  template <class G>
  constexpr void backward(View<const T, Dyn, D> dy, typename S::template Input<D> x, const Saved& saved, View<T, Dyn, D> dx,
                          const G& gradients, Arena<T>& arena) const {
    const auto scope = arena.scratch();
    const auto dhidden = arena.template take<Dyn, M>(x.batch());
    {
      const Profile::Scope profile("mlp.fc2 backward");
      fc2.backward(dy, saved.hidden, dhidden, gradients.fc2, arena);
    }
    {
      const Profile::Scope profile("mlp.gelu backward");
      ops::gelu_backward<Arch>(View<const T, Dyn, M>(dhidden), saved.before, dhidden, arena);
    }
    const Profile::Scope profile("mlp.fc1 backward");
    fc1.backward(dhidden, x, dx, gradients.fc1, arena);
  }
};

}  // namespace minivit::inline MINIVIT_ISA
