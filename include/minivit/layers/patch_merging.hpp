// SPDX-License-Identifier: MIT
// PatchMerging (Swin, arXiv 2103.14030): between two stages the four tokens of each 2 x 2 cell become one of twice the
// width.
#pragma once

#include <minivit/layers/layer_norm.hpp>
#include <minivit/layers/linear.hpp>
#include <minivit/ops/tokens.hpp>

namespace minivit::inline MINIVIT_ISA {

/// [B, Side^2, D] -> [B, (Side / 2)^2, 2 D]: the tokens of a cell side by side, a norm over 4 D, a linear map without bias.
/// S: storage policy. Precondition: Side is even.
template <class S, int Side, int D, int Digits>
struct PatchMerging {
  using T = typename S::Scalar;                      ///< of activations
  using Arch = typename S::Arch;                     ///< instruction set of the kernels
  static constexpr int N = Side * Side, M = N / 4;   ///< tokens of an image before and after
  using Norm = LayerNorm<S, 4 * D, Digits>;          ///< over the four tokens of a cell
  using Reduction = Linear<S, 4 * D, 2 * D, false>;  ///< the linear map

  Norm norm;            ///< in front of the map
  Reduction reduction;  ///< [2 D, 4 D], no bias

  /// What backward needs.
  struct Saved {
    View<const T, Dyn, 4 * D> cells;  ///< [B * M, 4D]
    typename Norm::Saved norm;        ///< its output and statistics
  };

  /// f(name, tensor) for "norm" and "reduction", below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    Norm::visit(self.norm, at / "norm", f);
    Reduction::visit(self.reduction, at / "reduction", f);
  }

  /// y = reduction(norm(cells(x))).
  constexpr Saved forward(View<const T, Dyn, N, D> x, View<T, Dyn, M, 2 * D> y, Arena<T>& arena) const {
    const Profile::Scope profile("patch merging");
    const auto cells = arena.template take<Dyn, M, 4 * D>(x.batch());
    ops::gather_cells<T, Side, D>(x, cells, arena);
    Saved saved{rows(cells), {}};
    saved.norm = norm.forward(saved.cells, arena, reduction.input_rows());
    reduction.forward(saved.norm.y, y.template reshape<Dyn, 2 * D>(), arena);
    return saved;
  }

  /// dx is overwritten, gradients += .
  template <class G>
  constexpr void backward(View<const T, Dyn, M, 2 * D> dy, const Saved& saved, View<T, Dyn, N, D> dx, const G& gradients,
                          Arena<T>& arena) const {
    const Profile::Scope profile("patch merging backward");
    const auto scope = arena.scratch();
    const auto dnorm = arena.template take<Dyn, M, 4 * D>(dy.batch());
    const auto dcells = arena.template take<Dyn, M, 4 * D>(dy.batch());
    reduction.backward(dy.template reshape<Dyn, 2 * D>(), saved.norm.y, dnorm.template reshape<Dyn, 4 * D>(),
                       gradients.reduction, arena);
    norm.backward(rows(dnorm), saved.cells, saved.norm, dcells.template reshape<Dyn, 4 * D>(), gradients.norm, arena);
    ops::scatter_cells<T, Side, D>(View<const T, Dyn, M, 4 * D>(dcells), dx, arena);
  }

 private:
  static constexpr View<const T, Dyn, 4 * D> rows(View<const T, Dyn, M, 4 * D> x) {
    return x.template reshape<Dyn, 4 * D>();
  }
};

}  // namespace minivit::inline MINIVIT_ISA
