// SPDX-License-Identifier: MIT
// Attention with MiniViT's transformations (section 3.1): qkv and proj are shared by the layers of a group, the head mixings
// conv_l and conv_w and the relative position table belong to one layer.
//
// As published, and unlike the paper's text: the mixings have no bias, and both start near zero, not at identity.
#pragma once

#include <minivit/layers/linear.hpp>
#include <minivit/ops/attention_dot.hpp>

namespace minivit::inline MINIVIT_ISA {

/// What an attention layer depends on.
struct AttentionConfig {
  int tokens = 0;
  int dim = 0;
  int heads = 0;
  int side = 0;          ///< patches per side of the image
  int extra_tokens = 0;  ///< class and distillation token
  bool mix_heads = false;
  bool relative_keys = false;

  constexpr int head_dim() const { return dim / heads; }
  constexpr kernels::AttentionShape shape() const {
    return {tokens, heads, head_dim(), side, extra_tokens, mix_heads, relative_keys};
  }
  bool operator==(const AttentionConfig&) const = default;
};

/// The weights that all layers of a group share.
template <class S, AttentionConfig A>
struct AttentionShared {
  Linear<S, A.dim, 3 * A.dim> qkv;
  Linear<S, A.dim, A.dim> proj;

  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    Linear<S, A.dim, 3 * A.dim>::visit(self.qkv, at / "qkv", f);
    Linear<S, A.dim, A.dim>::visit(self.proj, at / "proj", f);
  }
};

/// The transformations of one layer. Null views where the config switches a part off.
template <class S, AttentionConfig A>
struct AttentionOwn {
  static constexpr int buckets = kernels::relative_columns(A.extra_tokens);

  typename S::template Vector<A.heads, A.heads, 1, 1> conv_l;        // [H, H, 1, 1] before softmax
  typename S::template Vector<A.heads, A.heads, 1, 1> conv_w;        // [H, H, 1, 1] after softmax
  typename S::template Vector<1, A.head_dim(), buckets> rpe_k;       // [1, D / H, 49 or 50]

  /// `instance` is the repetition inside the group; it is the last part of the reference's names.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, int instance, F&& f) {
    if constexpr (A.relative_keys) f(at / "rpe_k" / "instances" / instance / "lookup_table_weight", self.rpe_k);
    if constexpr (A.mix_heads) {
      f(at / "conv_l" / "instances" / instance / "weight", self.conv_l);
      f(at / "conv_w" / "instances" / instance / "weight", self.conv_w);
    }
  }
};

/// One attention layer: a shared and an own part.
template <class S, AttentionConfig A>
struct Attention {
  using T = typename S::Scalar;
  using Arch = typename S::Arch;
  static constexpr int N = A.tokens;
  static constexpr int D = A.dim;
  using Tokens = View<T, Dyn, N, D>;
  using ConstTokens = View<const T, Dyn, N, D>;

  const AttentionShared<S, A>& shared;
  const AttentionOwn<S, A>& own;

  /// A word of two bf16 values must not lie across two heads.
  using Inner = std::conditional_t<A.head_dim() % 2 == 0, typename S::Inner, T>;
  using Input = typename S::template Input<D>;

  struct Saved {
    View<const Inner, Dyn, N, 3 * D> qkv;  // [B, N, 3D], channel order (q | k | v, head, head width)
    Input context;                         // [B * N, D], input of proj
  };

  /// y = proj(attention(qkv(x))) + residual. `residual` may be null.
  constexpr Saved forward(Input x, const T* residual, Tokens y, Arena<T>& arena) const {
    const auto qkv = ops::take_array<Inner, N, 3 * D>(arena, y.batch());
    const auto context = ops::take_rows<D>(arena, x.batch(), shared.proj.input_rows());
    {
      const Profile::Scope profile("attn.qkv");
      shared.qkv.forward(x, qkv.template reshape<Dyn, 3 * D>(), arena);
    }
    {
      const Profile::Scope profile("attn");
      ops::attention<Arch, D>(View<const Inner, Dyn, N, 3 * D>(qkv), context, A.shape(), weights(), arena);
    }
    const Profile::Scope profile("attn.proj");
    shared.proj.forward(context, y.template reshape<Dyn, D>(), arena, {.residual = residual});
    return {qkv, context};
  }

  /// dx is overwritten; gradients are added to `gshared` and `gown`. listen(qkv, dqkv, arena) may add to the gradient of the
  /// queries, keys and values: distillation.
  template <class GShared, class GOwn, class Listen>
  constexpr void backward(ConstTokens dy, Input x, const Saved& saved, Tokens dx, const GShared& gshared, const GOwn& gown,
                          Arena<T>& arena, Listen&& listen) const {
    const auto scope = arena.scratch();
    const auto dcontext = arena.template take<Dyn, N, D>(dy.batch());
    const auto dqkv = arena.template take<Dyn, N, 3 * D>(dy.batch());
    {
      const Profile::Scope profile("attn.proj backward");
      shared.proj.backward(rows(dy), saved.context, dcontext.template reshape<Dyn, D>(), gshared.proj, arena);
    }
    {
      const Profile::Scope profile("attn backward");
      ops::attention_backward<Arch>(ConstTokens(dcontext), saved.qkv, dqkv, A.shape(), weights(),
                                    {.mix_before = gown.conv_l.data(), .mix_after = gown.conv_w.data(), .table = gown.rpe_k.data()}, arena);
    }
    listen(saved.qkv, dqkv, arena);
    const Profile::Scope profile("attn.qkv backward");
    shared.qkv.backward(View<const T, Dyn, N, 3 * D>(dqkv).template reshape<Dyn, 3 * D>(), x, dx.template reshape<Dyn, D>(), gshared.qkv,
                        arena);
  }

  /// The transformations of this layer, as kernels take them.
  constexpr kernels::AttentionWeights<T> weights() const {
    kernels::AttentionWeights<T> w;
    if constexpr (A.mix_heads) {
      w.mix_before = own.conv_l.data();
      w.mix_after = own.conv_w.data();
    }
    if constexpr (A.relative_keys) {
      w.table = own.rpe_k.data();
      w.offsets = offsets.center();
    }
    return w;
  }

 private:
  static constexpr View<const T, Dyn, D> rows(ConstTokens x) { return x.template reshape<Dyn, D>(); }
  static constexpr kernels::RelativeOffsets<A.side> offsets{};
};

}  // namespace minivit::inline MINIVIT_ISA
