// SPDX-License-Identifier: MIT
// Block: one pre-norm transformer layer, x += attn(norm1(x)); x += mlp(norm2(x)). Its weights come in two parts, so that
// sharing is visible in the data: `BlockShared` may serve several layers, `BlockOwn` belongs to one.
#pragma once

#include <minivit/layers/attention.hpp>
#include <minivit/layers/drop_path.hpp>
#include <minivit/layers/layer_norm.hpp>
#include <minivit/layers/mlp.hpp>

namespace minivit::inline MINIVIT_ISA {

/// What a layer depends on; equal layers of different models are the same type.
struct BlockConfig {
  AttentionConfig attention{};
  int hidden = 0;              ///< width inside the MLP
  bool separate_norms = true;  ///< norms belong to a layer, not to its group
  bool operator==(const BlockConfig&) const = default;
};

/// The two norms of a layer.
template <class S, int D>
struct BlockNorms {
  LayerNorm<S, D> norm1;
  LayerNorm<S, D> norm2;
};
struct NoNorms {};

/// Shared by the layers of a group: the four large matrices.
template <class S, BlockConfig B>
struct BlockShared {
  [[no_unique_address]] std::conditional_t<B.separate_norms, NoNorms, BlockNorms<S, B.attention.dim>> norms;
  AttentionShared<S, B.attention> attn;
  Mlp<S, B.attention.dim, B.hidden> mlp;

  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    if constexpr (!B.separate_norms) LayerNorm<S, B.attention.dim>::visit(self.norms.norm1, at / "norm1", f);
    AttentionShared<S, B.attention>::visit(self.attn, at / "attn", f);
    if constexpr (!B.separate_norms) LayerNorm<S, B.attention.dim>::visit(self.norms.norm2, at / "norm2", f);
    Mlp<S, B.attention.dim, B.hidden>::visit(self.mlp, at / "mlp", f);
  }
};

/// Separate for every layer: norms (unless the config shares them), head mixing, relative position.
template <class S, BlockConfig B>
struct BlockOwn {
  using Norm = LayerNorm<S, B.attention.dim>;
  [[no_unique_address]] std::conditional_t<B.separate_norms, BlockNorms<S, B.attention.dim>, NoNorms> norms;
  AttentionOwn<S, B.attention> attn;

  /// `repeated` chooses the reference's names: norm1.instances.R.weight, or norm1.weight when nothing is shared.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, int instance, bool repeated, F&& f) {
    const auto norm = [&](const char* name) { return repeated ? at / name / "instances" / instance : at / name; };
    if constexpr (B.separate_norms) Norm::visit(self.norms.norm1, norm("norm1"), f);
    AttentionOwn<S, B.attention>::visit(self.attn, at / "attn", instance, f);
    if constexpr (B.separate_norms) Norm::visit(self.norms.norm2, norm("norm2"), f);
  }
};

/// Nobody listens to queries, keys and values.
struct IgnoreAttention {
  template <class... Args>
  constexpr void operator()(Args&&...) const {}
};

/// One layer: a shared and an own part, forward and backward.
template <class S, BlockConfig B>
struct Block {
  using T = typename S::Scalar;
  using Arch = typename S::Arch;
  static constexpr int N = B.attention.tokens;
  static constexpr int D = B.attention.dim;
  using Tokens = View<T, Dyn, N, D>;
  using ConstTokens = View<const T, Dyn, N, D>;
  using Attn = Attention<S, B.attention>;

  const BlockShared<S, B>& shared;
  const BlockOwn<S, B>& own;

  struct Saved {
    ConstTokens x;                                  // [B, N, D] input
    typename LayerNorm<S, D>::Saved norm1;
    typename Attn::Saved attn;
    ConstTokens middle;                             // [B, N, D] x + attention branch
    typename LayerNorm<S, D>::Saved norm2;
    typename Mlp<S, D, B.hidden>::Saved mlp;
    ConstTokens y;                                  // [B, N, D] output
  };

  /// y = layer(x); x and y do not overlap. The result's views live as long as the scope in which the caller called.
  constexpr Saved forward(ConstTokens x, Tokens y, Arena<T>& arena, const DropPath<T>& drop = {}) const {
    Saved saved{};
    saved.x = x;
    // middle = x + attn(norm1(x))
    const auto middle = arena.template take<Dyn, N, D>(x.batch());
    saved.norm1 = norms(shared, own).norm1.forward(rows(x), arena, shared.attn.qkv.input_rows());
    saved.attn = attention().forward(saved.norm1.y, drop.attn ? nullptr : x.data(), middle, arena);
    if (drop.attn) ops::add_scaled_branch<T, N, D>(x, drop.attn, middle, arena);
    saved.middle = middle;
    // y = middle + mlp(norm2(middle))
    saved.norm2 = norms(shared, own).norm2.forward(rows(middle), arena, shared.mlp.fc1.input_rows());
    saved.mlp = shared.mlp.forward(saved.norm2.y, drop.mlp ? nullptr : middle.data(), y.template reshape<Dyn, D>(), arena);
    if (drop.mlp) ops::add_scaled_branch<T, N, D>(middle, drop.mlp, y, arena);
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
    // y = middle + drop * mlp(norm2(middle))
    shared.mlp.backward(rows(scaled(d, drop.mlp, branch, arena)), saved.norm2.y, saved.mlp, rows(dnorm), gshared.mlp, arena);
    norms(shared, own).norm2.backward(rows(ConstTokens(dnorm)), rows(saved.middle), saved.norm2, rows(d), norms(gshared, gown).norm2, arena, true);
    // middle = x + drop * attn(norm1(x))
    attention().backward(scaled(d, drop.attn, branch, arena), saved.norm1.y, saved.attn, dnorm, gshared.attn, gown.attn, arena, listen);
    norms(shared, own).norm1.backward(rows(ConstTokens(dnorm)), rows(saved.x), saved.norm1, rows(d), norms(gshared, gown).norm1, arena, true);
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
  constexpr Attn attention() const { return {shared.attn, own.attn}; }

  static constexpr ConstTokens scaled(ConstTokens d, const T* scale, Tokens into, Arena<T>& arena) {
    if (!scale) return d;
    ops::scale_images<T, N, D>(d, scale, into, arena);
    return into;
  }
};

}  // namespace minivit::inline MINIVIT_ISA
