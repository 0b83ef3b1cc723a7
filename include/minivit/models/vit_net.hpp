// SPDX-License-Identifier: MIT
// ViTNet: the tree of layers of a DeiT or Mini-DeiT over one storage policy, forward and backward. It owns nothing; vit.hpp
// gives it memory. Data flow: reference section 1.1; the reading path goes on in layers/block.hpp.
#pragma once

#include <minivit/layers/classifier.hpp>
#include <minivit/layers/patch_embed.hpp>
#include <minivit/layers/stack.hpp>
#include <minivit/models/rules.hpp>

namespace minivit::inline MINIVIT_ISA {

/// The layers of `ViT<C>` over storage S.
template <ViTConfig Unchecked, class S>
struct ViTNet {
  static constexpr ViTConfig C = Checked<Unchecked>::value;  ///< after its rules were checked
  using T = typename S::Scalar;                              ///< of activations
  using Arch = typename S::Arch;                             ///< instruction set of the kernels
  /// Tokens, width, classes, repeat, tokens before the patches.
  static constexpr int N = C.tokens(), D = C.dim, K = C.classes, R = C.sharing.repeat, Extra = C.extra_tokens();
  /// Of every layer.
  static constexpr BlockConfig block_config{.attention = {.tokens = N,
                                                          .dim = D,
                                                          .heads = C.heads,
                                                          .side = C.grid(),
                                                          .extra_tokens = Extra,
                                                          .mix_heads = C.sharing.mix_heads,
                                                          .relative_keys = C.position.keys},
                                            .hidden = C.hidden(),
                                            .separate_norms = C.sharing.separate_norms,
                                            .local_conv = C.sharing.local_conv};
  using Images = View<const T, Dyn, C.channels, C.image, C.image>;  ///< [B, channels, image, image], normalised
  using Output = ModelOutput<T, K>;                                 ///< [B, classes], for each head
  using Tokens = View<T, Dyn, N, D>;                                ///< the token stream
  using Layers = Stack<S, block_config, C.depth, R>;                ///< all layers
  using Embed = PatchEmbed<S, C.channels, C.image, C.patch, D>;     ///< convolution over patches
  using Norm = LayerNorm<typename S::Plain, D>;                     ///< its rows are pooled, not multiplied
  using Head = Classifier<S, D, K>;                                 ///< from the pooled row to logits

  typename S::template Vector<1, 1, D> cls_token;   ///< [1, 1, D], DeiT
  typename S::template Vector<1, 1, D> dist_token;  ///< [1, 1, D], distilled DeiT
  typename S::template Vector<1, N, D> pos_embed;   ///< [1, N, D], extra tokens included
  Embed patch_embed;                                ///< "patch_embed.proj"
  Layers layers;                                    ///< "blocks"
  Norm norm;                                        ///< "norm", the last one
  Head head;                                        ///< "head"
  Head head_dist;                                   ///< "head_dist", distilled DeiT

  /// f(name, tensor) for every parameter in the order of published checkpoints, below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    if constexpr (C.pool == Pool::cls) f(at / "cls_token", self.cls_token);
    if constexpr (C.distilled) f(at / "dist_token", self.dist_token);
    f(at / "pos_embed", self.pos_embed);
    Embed::visit(self.patch_embed, at / "patch_embed", f);
    Layers::visit(self.layers, at / "blocks", f);
    Norm::visit(self.norm, at / "norm", f);
    Head::visit(self.head, at / "head", f);
    if constexpr (C.distilled) Head::visit(self.head_dist, at / "head_dist", f);
  }

  /// What backward needs, and what distillation looks at.
  struct Saved : Layers::Saved {
    Images images;                      ///< the input
    Tokens embedded;                    ///< [B, N, D] input of the first layer
    typename Norm::Saved norm;          ///< y: [B * N, D] normalised tokens
    View<const T, Dyn, D> pooled;       ///< [B, D] input of head
    View<const T, Dyn, D> pooled_dist;  ///< [B, D] input of head_dist
  };

  /// Calls f(l, layer, what it saved) for every layer.
  template <class F>
  constexpr void each_layer(const Saved& saved, F&& f) const {
    for (int l = 0; l < C.depth; ++l) f(l, layers.layer(l), saved.layers[static_cast<std::size_t>(l)]);
  }

  /// Fills `out`. Takes every temporary from `arena`; never allocates. In a keeping arena the result serves backward.
  template <class Watch = Observer>
  constexpr Saved forward(Images images, const Output& out, Arena<T>& arena, const StochasticDepth& depth = {},
                          const Watch& watch = {}) const {
    const Index B = images.batch();
    Saved saved{};
    saved.images = images;
    saved.embedded = arena.template take<Dyn, N, D>(B);
    embed(images, saved.embedded, arena);

    static_cast<typename Layers::Saved&>(saved) = layers.forward(saved.embedded, arena, place, depth, watch);
    const auto x = saved.layers.back().y;

    // logits = head(pool(norm(x)))
    saved.norm = norm.forward(x.template reshape<Dyn, D>(), arena);
    const auto normed = saved.norm.y.template reshape<Dyn, N, D>();
    const auto pooled = arena.template take<Dyn, D>(B);
    saved.pooled = pooled;
    if constexpr (C.pool == Pool::mean) ops::mean_pool<Arch, T, N, D>(normed, pooled, arena);
    else ops::pick_token<T, N, D>(normed, pooled, 0, arena);
    head.forward(pooled, out.logits, arena);
    if constexpr (C.distilled) {
      const auto pooled_dist = arena.template take<Dyn, D>(B);
      saved.pooled_dist = pooled_dist;
      ops::pick_token<T, N, D>(normed, pooled_dist, 1, arena);
      head_dist.forward(pooled_dist, out.distilled, arena);
    }
    return saved;
  }

  /// Adds the gradients of all parameters to `gradients`, a net over writable storage, given those of the outputs.
  template <class Gradients, class Watch = Observer>
  constexpr void backward(const Saved& saved, const Output& doutput, const Gradients& gradients, Arena<T>& arena,
                          const Watch& watch = {}) const {
    const auto scope = arena.scratch();
    const Index B = saved.images.batch();
    const auto d = arena.template take<Dyn, N, D>(B);  // gradient of the token stream, changed in place
    {
      const auto inner = arena.scratch();
      const auto dpooled = arena.template take<Dyn, D>(B);
      const auto dnormed = arena.template take<Dyn, N, D>(B);
      head.backward(doutput.logits, saved.pooled, dpooled, gradients.head, arena);
      if constexpr (C.pool == Pool::mean) {
        ops::mean_pool_backward<Arch, T, N, D>(dpooled, dnormed, arena);
      } else {
        if (!arena.counting()) std::fill(dnormed.begin(), dnormed.end(), T{0});
        ops::pick_token_backward<T, N, D>(dpooled, dnormed, 0, arena);
      }
      if constexpr (C.distilled) {
        head_dist.backward(doutput.distilled, saved.pooled_dist, dpooled, gradients.head_dist, arena);
        ops::pick_token_backward<T, N, D>(dpooled, dnormed, 1, arena);
      }
      const auto x = saved.layers.back().y.template reshape<Dyn, D>();
      norm.backward(View<const T, Dyn, N, D>(dnormed).template reshape<Dyn, D>(), x, saved.norm,
                    d.template reshape<Dyn, D>(), gradients.norm, arena);
    }
    layers.backward(saved, d, gradients.layers, arena, place, watch);
    if (!arena.counting())
      for (Index b = 0; b < B; ++b) {
        kernels::add<Arch>(gradients.pos_embed.data(), d[b].data(), Index{N} * D);
        if constexpr (C.pool == Pool::cls) kernels::add<Arch>(gradients.cls_token.data(), d[b].data(), Index{D});
        if constexpr (C.distilled) kernels::add<Arch>(gradients.dist_token.data(), d[b].data() + D, Index{D});
      }
    patch_embed.backward(saved.images, arena.counting() ? nullptr : d.data() + Index{Extra} * D, Index{N} * D,
                         gradients.patch_embed, arena);
  }

 private:
  static constexpr StackPlace place{0, C.depth};

  /// x = (cls | dist | patches) + position
  constexpr void embed(Images images, Tokens x, Arena<T>& arena) const {
    const Index skip = Index{Extra} * D;
    const bool real = !arena.counting();
    patch_embed.forward(images, real ? x.data() + skip : nullptr, Index{N} * D, real ? pos_embed.data() + skip : nullptr,
                        arena);
    if constexpr (Extra > 0) {
      if (!real) return;
      for (Index b = 0; b < images.batch(); ++b)
        for (Index c = 0; c < D; ++c) {
          x(b, 0, c) = cls_token(0, 0, c) + pos_embed(0, 0, c);
          if constexpr (C.distilled) x(b, 1, c) = dist_token(0, 0, c) + pos_embed(0, 1, c);
        }
    }
  }
};

}  // namespace minivit::inline MINIVIT_ISA
