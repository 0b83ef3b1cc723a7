// SPDX-License-Identifier: MIT
// MiniViT's transformation in front of the MLP (section 3.1), as in the published Mini-Swin: a norm, then a depth-wise 7 x 7
// convolution over the map with a skip connection. What comes out replaces the residual stream: the MLP's own skip
// connection begins behind it (reference section 2.3).
#pragma once

#include <minivit/layers/layer_norm.hpp>
#include <minivit/ops/depthwise.hpp>

namespace minivit::inline MINIVIT_ISA {

/// x [B, Extra + Side^2, D] -> z + conv(z), z = norm(x). Extra tokens stand outside the map and pass the convolution
/// unchanged. S: storage policy.
template <class S, int Side, int Extra, int D, int Digits>
struct LocalConv {
  using T = typename S::Scalar;   ///< of activations
  using Arch = typename S::Arch;  ///< instruction set of the kernels
  /// Tokens of an image; width of the kernel. The published models have this width only.
  static constexpr int N = Extra + Side * Side, K = 7;
  using Norm = LayerNorm<typename S::Plain, D, Digits>;  ///< its rows are convolved, not multiplied
  using Tokens = View<T, Dyn, N, D>;                     ///< what forward writes
  using ConstTokens = View<const T, Dyn, N, D>;          ///< what backward reads

  Norm norm;  ///< over D, in front of the convolution
  /// Taps and bias of the depth-wise convolution.
  struct Convolution {
    typename S::template Vector<D, 1, K, K> weight;  ///< [D, 1, 7, 7]
    typename S::template Vector<D> bias;             ///< [D]
  } conv;                                            ///< "local_conv" in names

  /// What backward needs besides the input.
  struct Saved {
    typename Norm::Saved norm;  ///< y: [B * N, D] z
    ConstTokens y;              ///< [B, N, D]
  };

  /// f(name, tensor) for the norm, below `norm_at`, and the convolution's "weight" and "bias", below `conv_at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& norm_at, const Name& conv_at, F&& f) {
    Norm::visit(self.norm, norm_at, f);
    f(conv_at / "weight", self.conv.weight);
    f(conv_at / "bias", self.conv.bias);
  }

  /// The result's y lies in memory of `arena`.
  constexpr Saved forward(ConstTokens x, Arena<T>& arena) const {
    const auto y = arena.template take<Dyn, N, D>(x.batch());
    Saved saved{norm.forward(x.template reshape<Dyn, D>(), arena), y};
    const Profile::Scope profile("local_conv");
    ops::depthwise<Arch, T, Side, D, K>(z(saved), weight(), View<const T, D>(conv.bias.data()), y, Extra, arena);
    return saved;
  }

  /// `d` holds the gradient of y and receives, in place, that of x. Gradients of weights are added.
  template <class G>
  constexpr void backward(Tokens d, ConstTokens x, const Saved& saved, const G& gradients, Arena<T>& arena) const {
    const auto scope = arena.scratch();
    const auto dz = arena.template take<Dyn, N, D>(d.batch());
    {
      const Profile::Scope profile("local_conv backward");
      ops::depthwise_backward<Arch, T, Side, D, K>(ConstTokens(d), z(saved), weight(), dz, gradients.conv.weight,
                                                   gradients.conv.bias, Extra, arena);
    }
    norm.backward(ConstTokens(dz).template reshape<Dyn, D>(), x.template reshape<Dyn, D>(), saved.norm,
                  d.template reshape<Dyn, D>(), gradients.norm, arena);
  }

 private:
  constexpr View<const T, D, 1, K, K> weight() const { return View<const T, D, 1, K, K>(conv.weight.data()); }
  static constexpr ConstTokens z(const Saved& saved) {
    return View<const T, Dyn, D>(saved.norm.y).template reshape<Dyn, N, D>();
  }
};

}  // namespace minivit::inline MINIVIT_ISA
