// SPDX-License-Identifier: MIT
// The end of a network: a linear map from pooled tokens to logits, and where logits go.
#pragma once

#include <minivit/layers/linear.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Where the results of a pass go, or the gradients of them come from. `distilled` is used by models with a distillation
/// token only.
template <class T, int K>
struct ModelOutput {
  View<T, Dyn, K> logits;     ///< [B, K]
  View<T, Dyn, K> distilled;  ///< [B, K], of the head that reads the distillation token
};

/// Linear from a row of D numbers for each image, which no step in front has prepared for a product, to K logits.
template <class S, int D, int K>
struct Classifier : Linear<S, D, K> {
  using T = typename S::Scalar;   ///< of activations
  using Arch = typename S::Arch;  ///< instruction set of the kernels

  /// logits [B, K] = pooled [B, D] W^T + b.
  constexpr void forward(View<const T, Dyn, D> pooled, View<T, Dyn, K> logits, Arena<T>& arena) const {
    const Profile::Scope profile("head");
    const auto scope = arena.scratch();
    Linear<S, D, K>::forward(ops::as_rows<Arch, D>(pooled, arena, this->input_rows()), logits, arena);
  }

  /// dpooled is overwritten, gradients += .
  template <class G>
  constexpr void backward(View<const T, Dyn, K> dlogits, View<const T, Dyn, D> pooled, View<T, Dyn, D> dpooled,
                          const G& gradients, Arena<T>& arena) const {
    const Profile::Scope profile("head backward");
    const auto scope = arena.scratch();
    Linear<S, D, K>::backward(dlogits, ops::as_rows<Arch, D>(pooled, arena, typename S::template Rows<D>{}), dpooled,
                              gradients, arena);
  }
};

}  // namespace minivit::inline MINIVIT_ISA
