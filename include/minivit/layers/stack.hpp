// SPDX-License-Identifier: MIT
// Stack: layers of one kind behind each other, `Repeat` at a time on one set of weights (MiniViT section 3.1). A ViT is one
// stack, a stage of a Swin another.
#pragma once

#include <minivit/layers/shared_group.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Who may look at the layers of a pass, and in backward add to their gradients (train/losses/ has those who do). This one
/// looks away. All calls also happen while a pass is counted: then the views are null and only arena.take() matters.
struct Observer {
  /// After layer l of a forward; `saved` is valid during the call.
  template <class Saved, class T>
  constexpr void forward(int /*layer*/, const Saved& /*saved*/, Arena<T>& /*arena*/) const {}
  /// Before the backward of layer l: y [B, N, D] is its output, d the output's gradient.
  template <class Y, class D, class T>
  constexpr void output(int /*layer*/, Y /*y*/, D /*d*/, Arena<T>& /*arena*/) const {}
  /// Within it: qkv [B, N, 3 D] are its queries, keys and values, dqkv their gradient. With windows, B counts windows, in
  /// the order image, window, and N is the number of tokens in one.
  template <class Qkv, class Dqkv, class T>
  constexpr void attention(int /*layer*/, Qkv /*qkv*/, Dqkv /*dqkv*/, Arena<T>& /*arena*/) const {}
};

/// Where a stack stands in its network: its layer 0 is layer `first` of `layers`.
struct StackPlace {
  int first = 0;   ///< number, in the network, of the stack's layer 0
  int layers = 0;  ///< of the whole network
};

/// `Depth` layers; Repeat divides it.
template <class S, BlockConfig B, int Depth, int Repeat>
struct Stack {
  using T = typename S::Scalar;                     ///< of activations
  using Group = SharedGroup<S, B, Repeat>;          ///< layers on one set of weights
  using Layer = Block<S, B>;                        ///< one of them
  using Tokens = typename Layer::Tokens;            ///< what forward overwrites
  static constexpr int N = Layer::N, D = Layer::D;  ///< tokens of an image and their width

  std::array<Group, Depth / Repeat> blocks;  ///< the groups, in order; "blocks" or "layers.S.blocks" in names

  /// f(name, tensor) for every group, named by its number, below `at`.
  template <class Self, class F>
  static constexpr void visit(Self& self, const Name& at, F&& f) {
    for (int g = 0; g < Depth / Repeat; ++g) Group::visit(self.blocks[static_cast<std::size_t>(g)], at / g, f);
  }

  /// What backward needs.
  struct Saved {
    std::array<typename Layer::Saved, Depth> layers;  ///< one after the other, also those on shared weights
    std::array<DropPath<T>, Depth> drop{};            ///< factors drawn for each layer; null where nothing can be dropped
  };

  /// All layers; layers.back().y of the result is the output. x [B, N, D] is overwritten unless the arena keeps everything.
  template <class Watch>
  constexpr Saved forward(Tokens x, Arena<T>& arena, StackPlace place, const StochasticDepth& depth,
                          const Watch& watch) const {
    const Index B_ = x.batch();
    Saved saved{};
    // x = layer(x), between two buffers unless everything is kept
    std::array<Tokens, 2> buffers{x, arena.keeps() ? Tokens{} : arena.template take<Dyn, N, D>(B_)};
    View<const T, Dyn, N, D> in = x;
    for (int l = 0; l < Depth; ++l) {
      const auto at = static_cast<std::size_t>(l);
      const auto y = arena.keeps() ? arena.template take<Dyn, N, D>(B_) : buffers[static_cast<std::size_t>((l + 1) % 2)];
      if constexpr (S::trains)
        if (arena.keeps()) saved.drop[at] = depth.draw(place.first + l, place.layers, B_, arena);
      const auto inside = arena.recomputes() ? arena.scratch()
                                             : arena.scope();  // then of the layer's own views only x and y live on
      saved.layers[at] = layer(l).forward(in, y, arena, saved.drop[at]);
      watch.forward(place.first + l, saved.layers[at], arena);
      in = y;
    }
    return saved;
  }

  /// `d` holds the gradient of the output and receives, in place, that of the input. Gradients of weights are added.
  template <class Gradients, class Watch>
  constexpr void backward(const Saved& saved, Tokens d, const Gradients& gradients, Arena<T>& arena, StackPlace place,
                          const Watch& watch) const {
    for (int l = Depth - 1; l >= 0; --l) {
      const auto& group = gradients.blocks[static_cast<std::size_t>(l / Repeat)];
      const auto& drop = saved.drop[static_cast<std::size_t>(l)];
      auto inside = saved.layers[static_cast<std::size_t>(l)];
      const auto again = arena.scratch();
      if (arena.recomputes()) inside = layer(l).forward(inside.x, arena.template take<Dyn, N, D>(d.batch()), arena, drop);
      watch.output(place.first + l, inside.y, d, arena);
      layer(l).backward(
          inside, d, group.shared, group.own[static_cast<std::size_t>(l % Repeat)], arena, drop,
          [&](const auto& qkv, const auto& dqkv, Arena<T>& memory) { watch.attention(place.first + l, qkv, dqkv, memory); });
    }
  }

  /// Layer l: repetition l mod Repeat of group l div Repeat. Every other layer of windows is shifted.
  constexpr Layer layer(int l) const { return blocks[static_cast<std::size_t>(l / Repeat)].layer(l % Repeat, l % 2 == 1); }
};

}  // namespace minivit::inline MINIVIT_ISA
