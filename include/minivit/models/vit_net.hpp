// SPDX-License-Identifier: MIT
// ViTNet: the tree of layers of a DeiT or Mini-DeiT over one storage policy, forward and backward. It owns nothing; vit.hpp
// gives it memory. Data flow: reference section 1.1; the reading path goes on in layers/block.hpp.
#pragma once

#include <minivit/core/random.hpp>
#include <minivit/layers/patch_embed.hpp>
#include <minivit/layers/shared_group.hpp>
#include <minivit/models/rules.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Stochastic depth (Huang et al. 2016) as in the reference: layer l of L drops its branches with rate * l / (L - 1), drawn
/// apart for each image and branch. The draw depends on the image's number in the run, not on how a batch is cut.
struct StochasticDepth {
  double rate = 0;
  Random random{0};       ///< stream of this training step
  Index first_image = 0;  ///< number, inside the batch, of the first image of this call
};

/// Who may look at the layers of a pass, and in backward add to their gradients (train/losses/ has those who do). This one looks
/// away. All calls also happen while a pass is counted: then the views are null and only arena.take() matters.
struct Observer {
  /// After layer l of a forward; `saved` is valid during the call.
  template <class Saved, class T>
  constexpr void forward(int /*layer*/, const Saved& /*saved*/, Arena<T>& /*arena*/) const {}
  /// Before the backward of layer l: y [B, N, D] is its output, d the output's gradient.
  template <class Y, class D, class T>
  constexpr void output(int /*layer*/, Y /*y*/, D /*d*/, Arena<T>& /*arena*/) const {}
  /// Within it: qkv [B, N, 3 D] are its queries, keys and values, dqkv their gradient.
  template <class Qkv, class Dqkv, class T>
  constexpr void attention(int /*layer*/, Qkv /*qkv*/, Dqkv /*dqkv*/, Arena<T>& /*arena*/) const {}
};

/// The layers of `ViT<C>` over storage S.
template <ViTConfig Unchecked, class S>
struct ViTNet {
  static constexpr ViTConfig C = Checked<Unchecked>::value;
  using T = typename S::Scalar;
  using Arch = typename S::Arch;
  static constexpr int N = C.tokens(), D = C.dim, K = C.classes, G = C.groups(), R = C.sharing.repeat, Extra = C.extra_tokens();
  static constexpr BlockConfig block_config{
      {N, D, C.heads, C.grid(), Extra, C.sharing.mix_heads, C.position.keys}, C.hidden(),
      C.sharing.separate_norms};
  using Images = View<const T, Dyn, C.channels, C.image, C.image>;
  using Logits = View<T, Dyn, K>;
  using Tokens = View<T, Dyn, N, D>;
  using Group = SharedGroup<S, block_config, R>;
  using Layer = Block<S, block_config>;
  using Embed = PatchEmbed<S, C.channels, C.image, C.patch, D>;
  using Norm = LayerNorm<typename S::Plain, D>;  // its rows are pooled, not multiplied
  using Head = Linear<S, D, K>;

  typename S::template Vector<1, 1, D> cls_token;   // [1, 1, D], DeiT
  typename S::template Vector<1, 1, D> dist_token;  // [1, 1, D], distilled DeiT
  typename S::template Vector<1, N, D> pos_embed;   // [1, N, D], extra tokens included
  Embed patch_embed;
  std::array<Group, G> blocks;
  Norm norm;
  Head head;
  Head head_dist;  // distilled DeiT

  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    if constexpr (C.pool == Pool::cls) f(at / "cls_token", self.cls_token);
    if constexpr (C.distilled) f(at / "dist_token", self.dist_token);
    f(at / "pos_embed", self.pos_embed);
    Embed::visit(self.patch_embed, at / "patch_embed", f);
    for (int g = 0; g < G; ++g) Group::visit(self.blocks[static_cast<std::size_t>(g)], at / "blocks" / g, f);
    Norm::visit(self.norm, at / "norm", f);
    Head::visit(self.head, at / "head", f);
    if constexpr (C.distilled) Head::visit(self.head_dist, at / "head_dist", f);
  }

  /// What backward needs, and what distillation looks at.
  struct Saved {
    Images images;
    Tokens embedded;                                   // [B, N, D] input of the first layer
    std::array<typename Layer::Saved, C.depth> layers;
    std::array<DropPath<T>, C.depth> drop{};
    typename Norm::Saved norm;                         // y: [B * N, D] normalised tokens
    View<const T, Dyn, D> pooled;                      // [B, D] input of head
    View<const T, Dyn, D> pooled_dist;                 // [B, D] input of head_dist
  };

  /// Where the results go. `distilled` is used by models with a distillation token only.
  struct Output {
    Logits logits;
    Logits distilled;
  };

  /// Fills `out`. Takes every temporary from `arena`; never allocates. In a keeping arena the result serves backward.
  template <class Watch = Observer>
  constexpr Saved forward(Images images, const Output& out, Arena<T>& arena, const StochasticDepth& depth = {},
                          const Watch& watch = {}) const {
    const Index B = images.batch();
    Saved saved{};
    saved.images = images;
    saved.embedded = arena.template take<Dyn, N, D>(B);
    embed(images, saved.embedded, arena);

    // x = layer(x), between two buffers unless everything is kept
    std::array<Tokens, 2> buffers{saved.embedded, arena.keeps() ? Tokens{} : arena.template take<Dyn, N, D>(B)};
    View<const T, Dyn, N, D> x = saved.embedded;
    for (int l = 0; l < C.depth; ++l) {
      const auto y = arena.keeps() ? arena.template take<Dyn, N, D>(B) : buffers[static_cast<std::size_t>((l + 1) % 2)];
      auto& drop = saved.drop[static_cast<std::size_t>(l)];
      if (arena.keeps()) drop = draw_drop_path(l, B, depth, arena);
      const auto inside = arena.recomputes() ? arena.scratch() : arena.scope();  // then of the layer's own views only x and y live on
      saved.layers[static_cast<std::size_t>(l)] = layer(l).forward(x, y, arena, drop);
      watch.forward(l, saved.layers[static_cast<std::size_t>(l)], arena);
      x = y;
    }

    // logits = head(pool(norm(x)))
    saved.norm = norm.forward(x.template reshape<Dyn, D>(), arena);
    const auto normed = saved.norm.y.template reshape<Dyn, N, D>();
    const auto pooled = arena.template take<Dyn, D>(B);
    saved.pooled = pooled;
    if constexpr (C.pool == Pool::mean) ops::mean_pool<Arch, T, N, D>(normed, pooled, arena);
    else ops::pick_token<T, N, D>(normed, pooled, 0, arena);
    classify(head, pooled, out.logits, arena);
    if constexpr (C.distilled) {
      const auto pooled_dist = arena.template take<Dyn, D>(B);
      saved.pooled_dist = pooled_dist;
      ops::pick_token<T, N, D>(normed, pooled_dist, 1, arena);
      classify(head_dist, pooled_dist, out.distilled, arena);
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
      declassify(head, doutput.logits, saved.pooled, dpooled, gradients.head, arena);
      if constexpr (C.pool == Pool::mean) {
        ops::mean_pool_backward<Arch, T, N, D>(dpooled, dnormed, arena);
      } else {
        if (!arena.counting()) std::fill(dnormed.begin(), dnormed.end(), T{0});
        ops::pick_token_backward<T, N, D>(dpooled, dnormed, 0, arena);
      }
      if constexpr (C.distilled) {
        declassify(head_dist, doutput.distilled, saved.pooled_dist, dpooled, gradients.head_dist, arena);
        ops::pick_token_backward<T, N, D>(dpooled, dnormed, 1, arena);
      }
      const auto x = saved.layers.back().y.template reshape<Dyn, D>();
      norm.backward(View<const T, Dyn, N, D>(dnormed).template reshape<Dyn, D>(), x, saved.norm, d.template reshape<Dyn, D>(),
                    gradients.norm, arena);
    }
    for (int l = C.depth - 1; l >= 0; --l) {
      const auto& group = gradients.blocks[static_cast<std::size_t>(l / R)];
      const auto& drop = saved.drop[static_cast<std::size_t>(l)];
      auto inside = saved.layers[static_cast<std::size_t>(l)];
      const auto again = arena.scratch();
      if (arena.recomputes()) inside = layer(l).forward(inside.x, arena.template take<Dyn, N, D>(B), arena, drop);
      watch.output(l, inside.y, d, arena);
      layer(l).backward(inside, d, group.shared, group.own[static_cast<std::size_t>(l % R)], arena, drop,
                        [&](const auto& qkv, const auto& dqkv, Arena<T>& memory) { watch.attention(l, qkv, dqkv, memory); });
    }
    if (!arena.counting())
      for (Index b = 0; b < B; ++b) {
        kernels::add<Arch>(gradients.pos_embed.data(), d[b].data(), Index{N} * D);
        if constexpr (C.pool == Pool::cls) kernels::add<Arch>(gradients.cls_token.data(), d[b].data(), Index{D});
        if constexpr (C.distilled) kernels::add<Arch>(gradients.dist_token.data(), d[b].data() + D, Index{D});
      }
    patch_embed.backward(saved.images, arena.counting() ? nullptr : d.data() + Index{Extra} * D, Index{N} * D,
                         gradients.patch_embed, arena);
  }

  /// Layer l of the network: repetition l mod R of group l div R.
  constexpr Layer layer(int l) const { return blocks[static_cast<std::size_t>(l / R)].layer(l % R); }

 private:
  static constexpr void classify(const Head& head, View<const T, Dyn, D> pooled, Logits logits, Arena<T>& arena) {
    const Profile::Scope profile("head");
    const auto scope = arena.scratch();
    head.forward(ops::as_rows<Arch, D>(pooled, arena, head.input_rows()), logits, arena);
  }

  template <class G>
  static constexpr void declassify(const Head& head, View<const T, Dyn, K> dlogits, View<const T, Dyn, D> pooled, View<T, Dyn, D> dpooled,
                                   const G& gradients, Arena<T>& arena) {
    const Profile::Scope profile("head backward");
    const auto scope = arena.scratch();
    head.backward(dlogits, ops::as_rows<Arch, D>(pooled, arena, typename S::template Rows<D>{}), dpooled, gradients, arena);
  }

  /// x = (cls | dist | patches) + position
  constexpr void embed(Images images, Tokens x, Arena<T>& arena) const {
    const Index skip = Index{Extra} * D;
    const bool real = !arena.counting();
    patch_embed.forward(images, real ? x.data() + skip : nullptr, Index{N} * D, real ? pos_embed.data() + skip : nullptr, arena);
    if constexpr (Extra > 0) {
      if (!real) return;
      for (Index b = 0; b < images.batch(); ++b)
        for (Index c = 0; c < D; ++c) {
          x(b, 0, c) = cls_token(0, 0, c) + pos_embed(0, 0, c);
          if constexpr (C.distilled) x(b, 1, c) = dist_token(0, 0, c) + pos_embed(0, 1, c);
        }
    }
  }

  /// Factors of layer l for B images; null when nothing can be dropped.
  static constexpr DropPath<T> draw_drop_path(int l, Index B, const StochasticDepth& depth, Arena<T>& arena) {
    T* const attn = arena.raw(B);
    T* const mlp = arena.raw(B);
    const double rate = C.depth > 1 ? depth.rate * l / (C.depth - 1) : 0.0;
    if (arena.counting() || rate <= 0) return {};
    const auto draw = [&](Index b, std::uint64_t branch) {
      const auto stream = depth.random.fork(static_cast<std::uint64_t>(depth.first_image + b)).fork(static_cast<std::uint64_t>(l));
      return stream.uniform(branch) < rate ? T{0} : static_cast<T>(1 / (1 - rate));
    };
    for (Index b = 0; b < B; ++b) {
      attn[b] = draw(b, 0);
      mlp[b] = draw(b, 1);
    }
    return {attn, mlp};
  }
};

}  // namespace minivit::inline MINIVIT_ISA
