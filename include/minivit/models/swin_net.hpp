// SPDX-License-Identifier: MIT
// SwinNet: the tree of layers of a Swin or Mini-Swin over one storage policy, forward and backward. It owns nothing;
// swin.hpp gives it memory. Data flow: reference section 2.1. A stage is a stack of the same blocks that a ViT is made of,
// with windows.
#pragma once

#include <minivit/layers/classifier.hpp>
#include <minivit/layers/patch_embed.hpp>
#include <minivit/layers/patch_merging.hpp>
#include <minivit/layers/stack.hpp>
#include <minivit/models/swin_rules.hpp>

#include <tuple>

namespace minivit::inline MINIVIT_ISA {

/// Stage s: its layers, and the merging that leads to the next one.
template <SwinConfig C, class S, int s>
struct SwinStage {
  static constexpr auto at = static_cast<std::size_t>(s);            ///< s as an index
  static constexpr int N = C.tokens(s), D = C.width(s), digits = 5;  ///< tokens of a map; their width; eps is 10^-digits
  static constexpr bool last = s + 1 == C.stages();                  ///< nothing is merged behind it
  /// Of every layer of the stage.
  static constexpr BlockConfig block_config{.attention = {.tokens = N,
                                                          .dim = D,
                                                          .heads = C.heads[at],
                                                          .side = C.grid(s),
                                                          .mix_heads = C.transformations.mix_heads,
                                                          .window = C.window_at(s),
                                                          .shift = C.shift_at(s)},
                                            .hidden = D * C.mlp_ratio,
                                            .separate_norms = C.transformations.separate_norms,
                                            .local_conv = C.transformations.local_conv,
                                            .norm_digits = digits};
  static constexpr StackPlace place{C.first_layer(s), C.depth()};    ///< where the stage stands in the network
  using T = typename S::Scalar;                                      ///< of activations
  using Layers = Stack<S, block_config, C.depths[at], C.repeat(s)>;  ///< all layers of the stage
  using Merging = PatchMerging<S, C.grid(s), D, digits>;             ///< the step to the next stage
  using Tokens = View<T, Dyn, N, D>;                                 ///< a map of the stage

  Layers blocks;       ///< "layers.S.blocks"
  Merging downsample;  ///< not in the last stage

  /// What backward needs.
  struct Saved {
    typename Layers::Saved blocks;       ///< of the layers
    typename Merging::Saved downsample;  ///< of the merging; empty in the last stage
  };

  /// f(name, tensor) for the layers and, but in the last stage, "downsample", below `name`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& name, F&& f) {
    Layers::visit(self.blocks, name / "blocks", f);
    if constexpr (!last) Merging::visit(self.downsample, name / "downsample", f);
  }
};

namespace detail {
template <template <int> class Part, class Numbers>
struct TupleOf;
template <template <int> class Part, int... s>
struct TupleOf<Part, std::integer_sequence<int, s...>> {
  using type = std::tuple<Part<s>...>;
};
/// std::tuple<Part<0>, Part<1>, ...>
template <template <int> class Part, int count>
using StageTuple = typename TupleOf<Part, std::make_integer_sequence<int, count>>::type;
}  // namespace detail

/// The layers of `Swin<C>` over storage S.
template <SwinConfig Unchecked, class S>
struct SwinNet {
  static constexpr SwinConfig C = CheckedSwin<Unchecked>::value;  ///< after its rules were checked
  using T = typename S::Scalar;                                   ///< of activations
  using Arch = typename S::Arch;                                  ///< instruction set of the kernels
  template <int s>
  using Stage = SwinStage<C, S, s>;  ///< stage s
  template <int s>
  using Tokens = typename Stage<s>::Tokens;  ///< its map
  /// Stages; the last one; eps is 10^-digits.
  static constexpr int stages = C.stages(), end = stages - 1, digits = Stage<0>::digits;
  static constexpr int N = C.tokens(end), D = C.width(end), K = C.classes;  ///< tokens, width and logits of the last stage
  using Images = View<const T, Dyn, C.channels, C.image, C.image>;          ///< [B, channels, image, image], normalised
  using Output = ModelOutput<T, K>;                                         ///< [B, classes]; `distilled` is not used
  using Embed = PatchEmbed<S, C.channels, C.image, C.patch, C.dim>;         ///< convolution over patches
  using EmbedNorm = LayerNorm<typename S::Plain, C.dim, digits>;            ///< the norm behind it
  using Norm = LayerNorm<typename S::Plain, D, digits>;  ///< the last norm; its rows are pooled, not multiplied
  using Head = Classifier<S, D, K>;                      ///< from the pooled row to logits

  Embed patch_embed;                         ///< "patch_embed.proj"
  EmbedNorm patch_norm;                      ///< "patch_embed.norm"
  detail::StageTuple<Stage, stages> layers;  ///< a tuple of stages, "layers.0" and so on
  Norm norm;                                 ///< "norm"
  Head head;                                 ///< "head"

  /// f(name, tensor) for every parameter in the order of published checkpoints, below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    Embed::visit(self.patch_embed, at / "patch_embed", f);
    EmbedNorm::visit(self.patch_norm, at / "patch_embed" / "norm", f);
    each_stage([&]<int s>() { Stage<s>::visit(std::get<s>(self.layers), at / "layers" / s, f); });
    Norm::visit(self.norm, at / "norm", f);
    Head::visit(self.head, at / "head", f);
  }

  template <int s>
  using StageSaved = typename Stage<s>::Saved;  ///< of stage s
  /// What backward needs, and what distillation looks at.
  struct Saved {
    Images images;                                           ///< the input
    Tokens<0> embedded;                                      ///< [B, N, C] before patch_norm
    typename EmbedNorm::Saved patch_norm;                    ///< of the norm behind the patches
    detail::StageTuple<StageSaved, SwinNet::stages> stages;  ///< a tuple, one for each stage
    typename Norm::Saved norm;                               ///< y: [B * N, D] normalised tokens of the last stage
    View<const T, Dyn, D> pooled;                            ///< [B, D] input of head
  };

  /// Calls f(l, layer, what it saved) for every layer, l counted over all stages.
  template <class F>
  constexpr void each_layer(const Saved& saved, F&& f) const {
    each_stage([&]<int s>() {
      const auto& kept = std::get<s>(saved.stages).blocks.layers;
      for (int l = 0; l < C.depths[static_cast<std::size_t>(s)]; ++l)
        f(C.first_layer(s) + l, std::get<s>(layers).blocks.layer(l), kept[static_cast<std::size_t>(l)]);
    });
  }

  /// Fills `out`. Takes every temporary from `arena`; never allocates. In a keeping arena the result serves backward.
  template <class Watch = Observer>
  constexpr Saved forward(Images images, const Output& out, Arena<T>& arena, const StochasticDepth& depth = {},
                          const Watch& watch = {}) const {
    const Index B = images.batch();
    Saved saved{};
    saved.images = images;
    const auto x = arena.template take<Dyn, Stage<0>::N, C.dim>(B);
    {
      const auto scope = arena.scope();
      saved.embedded = arena.template take<Dyn, Stage<0>::N, C.dim>(B);
      patch_embed.forward(images, saved.embedded.data(), Index{Stage<0>::N} * C.dim, nullptr, arena);
      saved.patch_norm = patch_norm.forward_to(rows<C.dim>(saved.embedded), x.template reshape<Dyn, C.dim>(), arena);
    }
    forward_from<0>(x, saved, out, arena, depth, watch);
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
      ops::mean_pool_backward<Arch, T, N, D>(dpooled, dnormed, arena);
      norm.backward(rows<D>(dnormed), last_rows(saved), saved.norm, d.template reshape<Dyn, D>(), gradients.norm, arena);
    }
    backward_from<end>(d, saved, gradients, arena, watch);
  }

 private:
  template <class F>
  static constexpr void each_stage(F&& f) {
    [&]<int... s>(std::integer_sequence<int, s...>) { (f.template operator()<s>(), ...); }
    (std::make_integer_sequence<int, stages>{});
  }
  template <int W, int Tokens>
  static constexpr View<const T, Dyn, W> rows(View<T, Dyn, Tokens, W> x) {
    return View<const T, Dyn, Tokens, W>(x).template reshape<Dyn, W>();
  }
  static constexpr View<const T, Dyn, D> last_rows(const Saved& saved) {
    return std::get<end>(saved.stages).blocks.layers.back().y.template reshape<Dyn, D>();
  }

  /// Stage s and all behind it.
  template <int s, class Watch>
  constexpr void forward_from(Tokens<s> x, Saved& saved, const Output& out, Arena<T>& arena, const StochasticDepth& depth,
                              const Watch& watch) const {
    const Index B = x.batch();
    const Stage<s>& stage = std::get<s>(layers);
    auto& kept = std::get<s>(saved.stages);
    if constexpr (s < end) {
      const auto next = arena.template take<Dyn, Stage<s + 1>::N, Stage<s + 1>::D>(B);
      {
        const auto scope = arena.scope();
        kept.blocks = stage.blocks.forward(x, arena, Stage<s>::place, depth, watch);
        kept.downsample = stage.downsample.forward(kept.blocks.layers.back().y, next, arena);
      }
      forward_from<s + 1>(next, saved, out, arena, depth, watch);
    } else {
      kept.blocks = stage.blocks.forward(x, arena, Stage<s>::place, depth, watch);
      // logits = head(mean(norm(x)))
      saved.norm = norm.forward(last_rows(saved), arena);
      const auto pooled = arena.template take<Dyn, D>(B);
      saved.pooled = pooled;
      ops::mean_pool<Arch, T, N, D>(saved.norm.y.template reshape<Dyn, N, D>(), pooled, arena);
      head.forward(pooled, out.logits, arena);
    }
  }

  /// Stage s and all in front of it; d is the gradient of the stage's output.
  template <int s, class Gradients, class Watch>
  constexpr void backward_from(Tokens<s> d, const Saved& saved, const Gradients& gradients, Arena<T>& arena,
                               const Watch& watch) const {
    const Index B = d.batch();
    std::get<s>(layers).blocks.backward(std::get<s>(saved.stages).blocks, d, std::get<s>(gradients.layers).blocks, arena,
                                        Stage<s>::place, watch);
    if constexpr (s > 0) {
      const auto before = arena.template take<Dyn, Stage<s - 1>::N, Stage<s - 1>::D>(B);
      std::get<s - 1>(layers).downsample.backward(d, std::get<s - 1>(saved.stages).downsample, before,
                                                  std::get<s - 1>(gradients.layers).downsample, arena);
      backward_from<s - 1>(before, saved, gradients, arena, watch);
    } else {
      const auto dembedded = arena.template take<Dyn, Stage<0>::N, C.dim>(B);
      patch_norm.backward(rows<C.dim>(d), rows<C.dim>(saved.embedded), saved.patch_norm,
                          dembedded.template reshape<Dyn, C.dim>(), gradients.patch_norm, arena);
      patch_embed.backward(saved.images, dembedded.data(), Index{Stage<0>::N} * C.dim, gradients.patch_embed, arena);
    }
  }
};

}  // namespace minivit::inline MINIVIT_ISA
