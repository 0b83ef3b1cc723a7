// SPDX-License-Identifier: MIT
// PatchEmbed: a convolution whose kernel equals its stride, as a linear map on flattened patches (Dosovitskiy et al. 2021).
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/ops/linear_dot.hpp>
#include <minivit/ops/tokens.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Images [B, C, S, S] to tokens [B, (S/P)^2, D], row-major over the grid. S_: storage policy.
template <class S_, int C, int S, int P, int D>
struct PatchEmbed {
  using T = typename S_::Scalar;                     ///< of activations
  using Arch = typename S_::Arch;                    ///< instruction set of the kernels
  static constexpr int patches = (S / P) * (S / P);  ///< of an image
  static constexpr int inputs = C * P * P;           ///< numbers of a patch
  using Images = View<const T, Dyn, C, S, S>;        ///< [B, C, S, S], normalised

  /// Weights of the map from a patch to a token.
  struct Projection {
    typename S_::template Matrix<D, C, P, P> weight;  ///< [D, C, P, P]
    typename S_::template Vector<D> bias;             ///< [D]
  } proj;                                             ///< "proj" in names

  /// f(name, tensor) for "proj.weight" and "proj.bias", below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    f(at / "proj" / "weight", self.proj.weight);
    f(at / "proj" / "bias", self.proj.bias);
  }

  /// Writes the tokens of image b to `tokens` + b * `stride`, with `position` [patches, D] (may be null) added. The stride
  /// leaves room for extra tokens between the images.
  constexpr void forward(Images images, T* tokens, Index stride, const T* position, Arena<T>& arena) const {
    const Profile::Scope profile("patch_embed");
    const auto scope = arena.scratch();
    const auto cut = arena.template take<patches, inputs>();
    for (Index b = 0; b < (arena.counting() ? 1 : images.batch()); ++b) {
      const auto inner = arena.scratch();
      if (!arena.counting()) ops::cut_patches(images[b], cut, P, arena);
      const auto x = ops::as_rows<Arch, inputs>(rows(cut), arena,
                                                ops::input_rows<typename S_::template Rows<inputs>>(proj.weight));
      const View<T, Dyn, D> y(arena.counting() ? nullptr : tokens + b * stride, patches);
      ops::linear<Arch, T>(x, matrix(proj.weight), proj.bias.data(), y, arena, {.residual = position});
    }
  }

  /// Gradients of the projection; images carry none. `dtokens` as `tokens` in forward.
  template <class G>
  constexpr void backward(Images images, const T* dtokens, Index stride, const G& gradients, Arena<T>& arena) const {
    const Profile::Scope profile("patch_embed backward");
    const auto scope = arena.scratch();
    const auto cut = arena.template take<patches, inputs>();
    const auto dweight = matrix(gradients.proj.weight);
    for (Index b = 0; b < (arena.counting() ? 1 : images.batch()); ++b) {
      if (!arena.counting()) ops::cut_patches(images[b], cut, P, arena);
      const auto inner = arena.scratch();
      const auto x = ops::as_rows<Arch, inputs>(rows(cut), arena, typename S_::template Rows<inputs>{});
      const View<const T, Dyn, D> dy(arena.counting() ? nullptr : dtokens + b * stride, patches);
      ops::linear_weight_gradient<Arch, T>(dy, x, dweight, gradients.proj.bias.data(), arena);
    }
  }

 private:
  static constexpr View<const T, Dyn, inputs> rows(View<T, patches, inputs> cut) { return {cut.data(), patches}; }
  template <class W>
  static constexpr auto matrix(View<W, D, C, P, P> weight) {
    return weight.template reshape<D, inputs>();
  }
  template <class M>
  static constexpr const M& matrix(const M& packed) {
    return packed;
  }
};

}  // namespace minivit::inline MINIVIT_ISA
