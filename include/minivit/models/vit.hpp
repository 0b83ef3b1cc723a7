// SPDX-License-Identifier: MIT
// ViT: a vision transformer as a type. `ViT<config>` owns its parameters in one aligned slab and knows its own size, cost and
// memory as compile-time constants. Gradients, optimiser moments and averages are the same type.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/models/vit_net.hpp>

namespace minivit::inline MINIVIT_ISA {

/// DeiT or Mini-DeiT with parameters of type T (float; double for checks). A new one is all zeros: see init.hpp, load().
template <ViTConfig C, class T = float>
class ViT {
 public:
  using Scalar = T;
  using Net = ViTNet<C, Dense<T>>;
  using ConstNet = ViTNet<C, Dense<const T>>;
  using Images = typename Net::Images;  ///< View<const T, Dyn, channels, image, image>, normalised
  using Logits = typename Net::Logits;  ///< View<T, Dyn, classes>
  using Output = typename Net::Output;

  static constexpr ViTConfig config = Checked<C>::value;
  static constexpr int tokens = Net::N;

  /// Number of parameters.
  static constexpr Index parameters = [] {
    Index count = 0;
    Net net;
    Net::visit(net, Name{}, [&](const Name&, const auto& p) { count += p.size(); });
    return count;
  }();

  /// Multiplications per image in linear layers, convolutions, QK^T, AV, head mixing and relative position.
  static constexpr Index macs = [] {
    const Index n = Net::N, d = Net::D, hidden = config.hidden(), h = config.heads, patches = Index{config.grid()} * config.grid();
    Index layer = n * (4 * d * d + 2 * d * hidden) + 2 * n * n * d;
    if (config.sharing.mix_heads) layer += 2 * h * h * n * n;
    if (config.position.keys) layer += n * d * kernels::relative_columns(Net::Extra);
    return patches * config.channels * config.patch * config.patch * d + config.depth * layer +
           d * config.classes * (config.distilled ? 2 : 1);
  }();

  /// Bytes of working memory of one forward pass over `batch` images at once, logits included, weights not: the peak of the
  /// arena, found by running forward on a counting one.
  static constexpr Index inference_bytes(Index batch) {
    Arena<T> arena(Memory::rewind);
    const Output out{arena.template take<Dyn, Net::K>(batch), arena.template take<Dyn, Net::K>(config.distilled ? batch : 0)};
    Net{}.forward(typename Net::Images(nullptr, batch), out, arena);
    return arena.peak() * static_cast<Index>(sizeof(T));
  }

  /// Bytes of working memory of forward and backward over `batch` images at once, outputs and their gradients included,
  /// parameters and their gradients not. Memory::recompute: when the layers are computed again in backward.
  static constexpr Index training_bytes(Index batch, Memory memory = Memory::keep) {
    Arena<T> arena(memory);
    const auto take = [&](bool used) { return arena.template take<Dyn, Net::K>(used ? batch : 0); };
    const Output out{take(true), take(config.distilled)};
    const Output doutput{take(true), take(config.distilled)};
    const auto saved = Net{}.forward(typename Net::Images(nullptr, batch), out, arena);
    Net{}.backward(saved, doutput, Net{}, arena);
    return arena.peak() * static_cast<Index>(sizeof(T));
  }

  ViT() : slab_(slab_size) {}

  /// The layers, bound to this model's slab. Cheap enough to call once per pass, not once per token.
  Net net() { return bind<Net>(slab_.data()); }
  ConstNet net() const { return bind<ConstNet>(slab_.data()); }

  /// All parameters; between two of them stand zeros that align the next one.
  T* data() { return slab_.data(); }
  const T* data() const { return slab_.data(); }
  Index size() const { return slab_.size(); }

  /// Calls f(name, view) for every parameter; `name` is the checkpoint's key.
  template <class F>
  void visit(F&& f) {
    auto layers = net();
    Net::visit(layers, Name{}, [&](const Name& name, auto& p) { f(name, p); });
  }
  template <class F>
  void visit(F&& f) const {
    auto layers = net();
    ConstNet::visit(layers, Name{}, [&](const Name& name, auto& p) { f(name, p); });
  }

  /// Name, shape and place of every parameter, in slab order.
  static const ParameterTable& parameter_table() {
    static const ParameterTable table = [] {
      ParameterTable rows;
      Index offset = 0;
      Net net;
      Net::visit(net, Name{}, [&](const Name& name, const auto& p) {
        const auto shape = p.shape();
        rows.push_back({name.str(), {shape.begin(), shape.end()}, offset, p.size()});
        offset += aligned_count<T>(p.size());
      });
      return rows;
    }();
    return table;
  }

 private:
  static constexpr Index slab_size = [] {
    Index size = 0;
    Net net;
    Net::visit(net, Name{}, [&](const Name&, const auto& p) { size += aligned_count<T>(p.size()); });
    return size;
  }();

  template <class N, class P>
  static N bind(P* slab) {
    N net;
    N::visit(net, Name{}, [&](const Name&, auto& p) {
      p = std::remove_reference_t<decltype(p)>(slab);
      slab += aligned_count<T>(p.size());
    });
    return net;
  }

  Buffer<T> slab_;
};

/// A ViT whose layers share weights.
template <ViTConfig C, class T = float>
  requires(C.sharing.repeat > 1)
using MiniDeiT = ViT<C, T>;

}  // namespace minivit::inline MINIVIT_ISA
