// SPDX-License-Identifier: MIT
// Attention with MiniViT's transformations (section 3.1), over all tokens of an image or in windows (Swin, Mini-Swin). qkv
// and proj are shared by the layers of a group, and so is the position bias of windows; head mixing and iRPE tables belong
// to one layer.
//
// As published, and unlike the paper's text: the mixings have no bias in the DeiT family and one in the Swin family, and
// both start near zero, not at identity.
#pragma once

#include <minivit/layers/linear.hpp>
#include <minivit/ops/attention_dot.hpp>

namespace minivit::inline MINIVIT_ISA {

/// What an attention layer depends on.
struct AttentionConfig {
  int tokens = 0;              ///< of an image, extra ones included
  int dim = 0;                 ///< width of a token (D)
  int heads = 0;               ///< attention heads (H)
  int side = 0;                ///< patches per side of the image or map
  int extra_tokens = 0;        ///< class and distillation token
  bool mix_heads = false;      ///< mix heads before and after softmax
  bool relative_keys = false;  ///< relative position encoding on keys (iRPE)
  /// side of a window; 0: every token sees the whole image. Windows bring the Swin family's position bias and names
  int window = 0;
  int shift = 0;                                            ///< by which every other layer is shifted
  bool operator==(const AttentionConfig&) const = default;  ///< equal in every field

  constexpr int head_dim() const { return dim / heads; }                         ///< width of one head
  constexpr bool windowed() const { return window > 0; }                         ///< attends in windows
  constexpr int reach() const { return windowed() ? window * window : tokens; }  ///< tokens that see each other
  /// The same as kernels take it: one window, or the image.
  constexpr kernels::AttentionShape shape() const {
    return {.tokens = reach(),
            .heads = heads,
            .head_dim = head_dim(),
            .side = windowed() ? window : side,
            .extra_tokens = extra_tokens,
            .mix = mix_heads,
            .relative = relative_keys,
            .bias = windowed()};
  }
};

/// The weights that all layers of a group share.
template <class S, AttentionConfig A>
struct AttentionShared {
  static constexpr int places = (2 * A.window - 1) * (2 * A.window - 1);  ///< offsets between two tokens of a window

  Linear<S, A.dim, 3 * A.dim> qkv;  ///< queries, keys and values in one product: [3 D, D], bias [3 D]
  Linear<S, A.dim, A.dim> proj;     ///< output projection: [D, D], bias [D]
  typename S::template Vector<places, A.heads> relative_position_bias_table;  ///< [(2 w - 1)^2, H], windows only

  /// f(name, tensor) for the table of windows, then qkv and proj, below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    if constexpr (A.windowed()) f(at / "relative_position_bias_table", self.relative_position_bias_table);
    Linear<S, A.dim, 3 * A.dim>::visit(self.qkv, at / "qkv", f);
    Linear<S, A.dim, A.dim>::visit(self.proj, at / "proj", f);
  }
};

/// One mixing of heads: a 1 x 1 convolution without bias in the DeiT family, a linear layer in the Swin family.
template <class S, AttentionConfig A>
struct HeadMixing {
  /// Kernel of the convolution, or matrix.
  using Weight = std::conditional_t<A.windowed(), typename S::template Vector<A.heads, A.heads>,
                                    typename S::template Vector<A.heads, A.heads, 1, 1>>;

  Weight weight;                              ///< [H, H] or [H, H, 1, 1], output head first
  typename S::template Vector<A.heads> bias;  ///< [H], windows only

  /// f(name, tensor) for "weight" and, with windows, "bias", below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    f(at / "weight", self.weight);
    if constexpr (A.windowed()) f(at / "bias", self.bias);
  }
};

/// The transformations of one layer. Null views where the config switches a part off.
template <class S, AttentionConfig A>
struct AttentionOwn {
  static constexpr int buckets = kernels::relative_columns(A.extra_tokens);  ///< columns of the relative position table

  HeadMixing<S, A> mix_l;                                       ///< before softmax, "conv_l" or "proj_l"
  HeadMixing<S, A> mix_w;                                       ///< after it, "conv_w" or "proj_w"
  typename S::template Vector<1, A.head_dim(), buckets> rpe_k;  ///< [1, D / H, 49 or 50]

  /// `block`: name of the layer; `instance`: the repetition inside the group, the last part of the reference's names.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& block, int instance, F&& f) {
    const Name at = block / "attn";
    if constexpr (A.relative_keys) f(at / "rpe_k" / "instances" / instance / "lookup_table_weight", self.rpe_k);
    if constexpr (A.mix_heads) {
      HeadMixing<S, A>::visit(self.mix_l,
                              A.windowed() ? block / "proj_l" / instance : at / "conv_l" / "instances" / instance, f);
      HeadMixing<S, A>::visit(self.mix_w,
                              A.windowed() ? block / "proj_w" / instance : at / "conv_w" / "instances" / instance, f);
    }
  }
};

/// One attention layer: a shared and an own part.
template <class S, AttentionConfig A>
struct Attention {
  using T = typename S::Scalar;                  ///< of activations outside of products
  using Arch = typename S::Arch;                 ///< instruction set of the kernels
  static constexpr AttentionConfig config = A;   ///< what the type depends on
  static constexpr int N = A.tokens;             ///< tokens of an image
  static constexpr int D = A.dim;                ///< width of a token
  static constexpr int W = A.reach();            ///< tokens that see each other
  using Tokens = View<T, Dyn, N, D>;             ///< what forward writes
  using ConstTokens = View<const T, Dyn, N, D>;  ///< what backward reads

  const AttentionShared<S, A>& shared;  ///< outlives this object, as does `own`
  const AttentionOwn<S, A>& own;        ///< of this layer
  bool shifted = false;                 ///< the windows of this layer are
  bool masked = false;                  ///< tokens from different sides of the shifted map do not see each other

  /// A word of two bf16 values must not lie across two heads.
  using Inner = std::conditional_t<A.head_dim() % 2 == 0, typename S::Inner, T>;
  using Input = typename S::template Input<D>;  ///< rows as the product reads them

  /// What backward needs besides the input.
  struct Saved {
    View<const Inner, Dyn, W, 3 * D> qkv;  ///< [B * windows, W, 3D], channels (q | k | v, head, head width), in window order
    Input context;                         ///< [B * N, D], input of proj
  };

  /// y = proj(attention(qkv(x))) + residual. x stands in window order, y and `residual`, which may be null, do not.
  constexpr Saved forward(Input x, const T* residual, Tokens y, Arena<T>& arena) const {
    const auto qkv = ops::take_array<Inner, W, 3 * D>(arena, y.batch() * (N / W));
    const auto context = ops::take_rows<D>(arena, x.batch(), shared.proj.input_rows());
    {
      const Profile::Scope profile("attn.qkv");
      shared.qkv.forward(x, qkv.template reshape<Dyn, 3 * D>(), arena);
    }
    {
      const Profile::Scope profile("attn");
      ops::attention<Arch, D>(View<const Inner, Dyn, W, 3 * D>(qkv), context, A.shape(), weights(), arena, windowing());
    }
    const Profile::Scope profile("attn.proj");
    shared.proj.forward(context, y.template reshape<Dyn, D>(), arena, {.residual = residual});
    return {qkv, context};
  }

  /// dx, in window order, is overwritten; gradients are added to `gshared` and `gown`. listen(qkv, dqkv, arena) may add to
  /// the gradient of the queries, keys and values: distillation.
  template <class GShared, class GOwn, class Listen>
  constexpr void backward(ConstTokens dy, Input x, const Saved& saved, Tokens dx, const GShared& gshared, const GOwn& gown,
                          Arena<T>& arena, Listen&& listen) const {
    const auto scope = arena.scratch();
    const auto dcontext = arena.template take<Dyn, N, D>(dy.batch());
    const auto dqkv = arena.template take<Dyn, W, 3 * D>(dy.batch() * (N / W));
    {
      const Profile::Scope profile("attn.proj backward");
      shared.proj.backward(rows(dy), saved.context, dcontext.template reshape<Dyn, D>(), gshared.proj, arena);
    }
    {
      const Profile::Scope profile("attn backward");
      const kernels::AttentionGradients<T> gradients{.mix_before = gown.mix_l.weight.data(),
                                                     .mix_after = gown.mix_w.weight.data(),
                                                     .mix_after_bias = gown.mix_w.bias.data(),
                                                     .table = gown.rpe_k.data(),
                                                     .bias_table = gshared.relative_position_bias_table.data()};
      ops::attention_backward<Arch>(rows(dcontext), saved.qkv, dqkv, A.shape(), weights(), gradients, arena, windowing());
    }
    listen(saved.qkv, dqkv, arena);
    const Profile::Scope profile("attn.qkv backward");
    shared.qkv.backward(View<const T, Dyn, W, 3 * D>(dqkv).template reshape<Dyn, 3 * D>(), x, dx.template reshape<Dyn, D>(),
                        gshared.qkv, arena);
  }

  /// The order in which x is read.
  constexpr kernels::WindowMap order() const { return {A.side, A.window, shifted ? A.shift : 0}; }

  /// The transformations of this layer, as kernels take them.
  constexpr kernels::AttentionWeights<T> weights() const {
    kernels::AttentionWeights<T> w;
    if constexpr (A.mix_heads) {
      w.mix_before = own.mix_l.weight.data();
      w.mix_after = own.mix_w.weight.data();
      if constexpr (A.windowed()) w.mix_after_bias = own.mix_w.bias.data();
    }
    if constexpr (A.relative_keys) {
      w.table = own.rpe_k.data();
      w.offsets = offsets.center();
    }
    if constexpr (A.windowed()) w.bias_table = shared.relative_position_bias_table.data();
    return w;
  }

  /// How tokens are cut into windows.
  constexpr auto windowing() const {
    if constexpr (A.windowed()) return ops::Windowing{order(), masked ? Index{A.shift} : Index{0}};
    else return ops::WholeImages{};
  }

 private:
  static constexpr View<const T, Dyn, D> rows(ConstTokens x) { return x.template reshape<Dyn, D>(); }
  static constexpr kernels::RelativeOffsets<A.side> offsets{};
};

}  // namespace minivit::inline MINIVIT_ISA
