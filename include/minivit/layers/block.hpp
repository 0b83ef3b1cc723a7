// SPDX-License-Identifier: MIT
// Block: one pre-norm transformer layer, x += attn(norm1(x)); x += mlp(norm2(x)), with MiniViT's transformation in front of
// the MLP when asked for. Its weights come in two parts, so that sharing is visible in the data: `BlockShared` may serve
// several layers, `BlockOwn` belongs to one.
#pragma once

#include <minivit/layers/attention.hpp>
#include <minivit/layers/drop_path.hpp>
#include <minivit/layers/layer_norm.hpp>
#include <minivit/layers/local_conv.hpp>
#include <minivit/layers/mlp.hpp>

namespace minivit::inline MINIVIT_ISA {

/// What a layer depends on; equal layers of different models are the same type.
struct BlockConfig {
  AttentionConfig attention{};                          ///< of the layer's attention, dim included
  int hidden = 0;                                       ///< width inside the MLP
  bool separate_norms = true;                           ///< norms belong to a layer, not to its group
  bool local_conv = false;                              ///< a norm and a depth-wise convolution in front of the MLP
  int norm_digits = 6;                                  ///< eps of the norms is 10^-norm_digits
  bool operator==(const BlockConfig&) const = default;  ///< equal in every field
};

/// The two norms of a layer.
template <class S, BlockConfig B>
struct BlockNorms {
  using Norm = LayerNorm<S, B.attention.dim, B.norm_digits>;  ///< LayerNorm over D
  Norm norm1;                                                 ///< in front of attention
  Norm norm2;                                                 ///< in front of the MLP
};
/// Stands for what a config switches off. Its constructors are written out because clang 16 takes what follows for
/// unreachable when an array of structs with a [[no_unique_address]] member that has none is given its value by {}.
struct Nothing {
  constexpr Nothing() {}  ///< does nothing
  /// Stands for what backward would need of it.
  struct Saved {
    constexpr Saved() {}  ///< does nothing
  };
};

/// Shared by the layers of a group: the four large matrices.
template <class S, BlockConfig B>
struct BlockShared {
  /// Empty when each layer has its own.
  [[no_unique_address]] std::conditional_t<B.separate_norms, Nothing, BlockNorms<S, B>> norms;
  AttentionShared<S, B.attention> attn;   ///< qkv, proj, position bias of windows
  Mlp<S, B.attention.dim, B.hidden> mlp;  ///< fc1, fc2

  /// f(name, tensor) for "norm1" (if shared), "attn", "norm2" (if shared) and "mlp", below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    if constexpr (!B.separate_norms) BlockNorms<S, B>::Norm::visit(self.norms.norm1, at / "norm1", f);
    AttentionShared<S, B.attention>::visit(self.attn, at / "attn", f);
    if constexpr (!B.separate_norms) BlockNorms<S, B>::Norm::visit(self.norms.norm2, at / "norm2", f);
    Mlp<S, B.attention.dim, B.hidden>::visit(self.mlp, at / "mlp", f);
  }
};

/// Separate for every layer: norms (unless the config shares them), head mixing, relative position, local convolution.
template <class S, BlockConfig B>
struct BlockOwn {
  using Norm = typename BlockNorms<S, B>::Norm;  ///< LayerNorm over D
  /// The transformation in front of the MLP, or Nothing.
  using Local = std::conditional_t<
      B.local_conv, LocalConv<S, B.attention.side, B.attention.extra_tokens, B.attention.dim, B.norm_digits>, Nothing>;
  /// Empty when the group's layers share them.
  [[no_unique_address]] std::conditional_t<B.separate_norms, BlockNorms<S, B>, Nothing> norms;
  AttentionOwn<S, B.attention> attn;  ///< head mixing and relative position
  [[no_unique_address]] Local local;  ///< empty without local convolution

  /// Names as in the reference. Swin family: norm1_list.R.weight. DeiT family: norm1.instances.R.weight, or norm1.weight
  /// when nothing is shared, which `repeated` says.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, int instance, bool repeated, F&& f) {
    const auto part = [&](const char* deit, const char* swin) {
      if constexpr (B.attention.windowed()) return at / swin / instance;
      else return repeated ? at / deit / "instances" / instance : at / deit;
    };
    if constexpr (B.separate_norms) Norm::visit(self.norms.norm1, part("norm1", "norm1_list"), f);
    AttentionOwn<S, B.attention>::visit(self.attn, at, instance, f);
    if constexpr (B.local_conv)
      Local::visit(self.local, part("local_norm", "local_norm_list"), part("local_conv", "local_conv_list"), f);
    if constexpr (B.separate_norms) Norm::visit(self.norms.norm2, part("norm2", "norm2_list"), f);
  }
};

/// Nobody listens to queries, keys and values.
struct IgnoreAttention {
  /// Takes what any layer offers and does nothing with it.
  template <class... Args>
  constexpr void operator()(Args&&...) const {}
};

/// One layer: a shared and an own part, forward and backward.
template <class S, BlockConfig B>
struct Block {
  using T = typename S::Scalar;                  ///< of activations outside of products
  using Arch = typename S::Arch;                 ///< instruction set of the kernels
  static constexpr int N = B.attention.tokens;   ///< tokens of an image
  static constexpr int D = B.attention.dim;      ///< width of a token
  using Tokens = View<T, Dyn, N, D>;             ///< what forward writes
  using ConstTokens = View<const T, Dyn, N, D>;  ///< what backward reads
  using Attn = Attention<S, B.attention>;        ///< attention of this layer

  const BlockShared<S, B>& shared;  ///< outlives this object, as does `own`
  const BlockOwn<S, B>& own;        ///< of this layer
  bool shifted = false;             ///< see Attention
  bool masked = false;              ///< see Attention

  constexpr Attn attention() const { return {shared.attn, own.attn, shifted, masked}; }  ///< bound to the same parameters

  /// What backward needs. In an arena that does not keep, valid until the caller's scope ends.
  struct Saved {
    ConstTokens x;                                                      ///< [B, N, D] input
    typename BlockNorms<S, B>::Norm::Saved norm1;                       ///< in the order of attention
    typename Attn::Saved attn;                                          ///< queries, keys, values and context
    ConstTokens middle;                                                 ///< [B, N, D] x + attention branch
    [[no_unique_address]] typename BlockOwn<S, B>::Local::Saved local;  ///< Nothing without local convolution
    typename BlockNorms<S, B>::Norm::Saved norm2;                       ///< of the norm in front of the MLP
    typename Mlp<S, D, B.hidden>::Saved mlp;                            ///< both sides of GELU
    ConstTokens y;                                                      ///< [B, N, D] output
  };

  /// y = layer(x); x and y do not overlap. The result's views live as long as the scope in which the caller called. `drop`
  /// is looked at only where S trains.
  constexpr Saved forward(ConstTokens x, Tokens y, Arena<T>& arena, const DropPath<T>& drop = {}) const {
    Saved saved{};
    saved.x = x;
    // middle = x + attn(norm1(x))
    const auto middle = arena.template take<Dyn, N, D>(x.batch());
    const kernels::WindowMap order = attention().order();
    saved.norm1 = norms(shared, own).norm1.forward(rows(x), arena, shared.attn.qkv.input_rows(), order_of(order));
    saved.attn = attention().forward(saved.norm1.y, drop.attn ? nullptr : x.data(), middle, arena);
    if constexpr (S::trains)
      if (drop.attn) ops::add_scaled_branch<T, N, D>(x, drop.attn, middle, arena);
    saved.middle = middle;
    // local = norm(middle) + conv(norm(middle))
    if constexpr (B.local_conv) saved.local = own.local.forward(saved.middle, arena);
    // y = local + mlp(norm2(local)), with middle for local where there is none
    const ConstTokens in = mlp_input(saved);
    saved.norm2 = norms(shared, own).norm2.forward(rows(in), arena, shared.mlp.fc1.input_rows());
    saved.mlp = shared.mlp.forward(saved.norm2.y, drop.mlp ? nullptr : in.data(), y.template reshape<Dyn, D>(), arena);
    if constexpr (S::trains)
      if (drop.mlp) ops::add_scaled_branch<T, N, D>(in, drop.mlp, y, arena);
    saved.y = y;
    return saved;
  }

  /// `d` holds the gradient of y and receives, in place, the gradient of x. Gradients of weights are added. `listen`: see
  /// Attention::backward.
  template <class GShared, class GOwn, class Listen = IgnoreAttention>
  constexpr void backward(const Saved& saved, Tokens d, const GShared& gshared, const GOwn& gown, Arena<T>& arena,
                          const DropPath<T>& drop = {}, Listen&& listen = {}) const {
    const auto scope = arena.scratch();
    const auto branch = arena.template take<Dyn, N, D>(d.batch());  // gradient of a branch's output, scaled
    const auto dnorm = arena.template take<Dyn, N, D>(d.batch());
    // y = local + drop * mlp(norm2(local))
    shared.mlp.backward(rows(scaled(d, drop.mlp, branch, arena)), saved.norm2.y, saved.mlp, rows(dnorm), gshared.mlp, arena);
    norms(shared, own)
        .norm2.backward(rows(ConstTokens(dnorm)), rows(mlp_input(saved)), saved.norm2, rows(d), norms(gshared, gown).norm2,
                        arena, true);
    if constexpr (B.local_conv) own.local.backward(d, saved.middle, saved.local, gown.local, arena);
    // middle = x + drop * attn(norm1(x))
    const kernels::WindowMap order = attention().order();
    attention().backward(scaled(d, drop.attn, branch, arena), saved.norm1.y, saved.attn, dnorm, gshared.attn, gown.attn,
                         arena, listen);
    norms(shared, own)
        .norm1.backward(rows(ConstTokens(dnorm)), rows(saved.x), saved.norm1, rows(d), norms(gshared, gown).norm1, arena,
                        true, order_of(order));
  }

 private:
  /// Where this layer's norms stand: among its own parameters, or its group's.
  template <class Shared, class Own>
  static constexpr const auto& norms(const Shared& group, const Own& layer) {
    if constexpr (B.separate_norms) return layer.norms;
    else return group.norms;
  }
  static constexpr View<const T, Dyn, D> rows(ConstTokens x) { return x.template reshape<Dyn, D>(); }
  static constexpr View<T, Dyn, D> rows(Tokens x) { return x.template reshape<Dyn, D>(); }
  /// Null without windows: then tokens are read as they stand.
  static constexpr const kernels::WindowMap* order_of(const kernels::WindowMap& order) {
    return B.attention.windowed() ? &order : nullptr;
  }
  static constexpr ConstTokens mlp_input(const Saved& saved) {
    if constexpr (B.local_conv) return saved.local.y;
    else return saved.middle;
  }

  static constexpr ConstTokens scaled(ConstTokens d, const T* scale, Tokens into, Arena<T>& arena) {
    if (!scale) return d;
    ops::scale_images<T, N, D>(d, scale, into, arena);
    return into;
  }
};

}  // namespace minivit::inline MINIVIT_ISA
