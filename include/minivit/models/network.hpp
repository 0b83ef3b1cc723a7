// SPDX-License-Identifier: MIT
// Network: a neural network as a type, whatever its family. It owns its parameters in one aligned slab and knows its own
// size and memory as compile-time constants. Gradients, optimiser moments and averages are the same type.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/core/parameters.hpp>
#include <minivit/ops/storage.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Parameters of type T (float; double for checks) of a family of models; a new one is all zeros: see init.hpp, load().
/// `Family` has
///   `config`     a value with image, channels, classes and more; checked
///   `Net<S>`     the tree of layers over a storage policy: visit(), forward(), backward(), Images, Output
///   `tokens`     rows of a typical product, per image: says how many images make one piece of work
///   `distilled`  whether there is a second head
template <class Family, class T>
class Network {
 public:
  using Scalar = T;  ///< of parameters and activations
  template <class S>
  using NetOver = typename Family::template Net<S>;     ///< the layers over a storage policy
  using Net = NetOver<Dense<T>>;                        ///< layers whose parameters may be written
  using ConstNet = NetOver<Dense<const T>>;             ///< layers to read
  using Images = typename Net::Images;                  ///< View<const T, Dyn, channels, image, image>, normalised
  using Output = typename Net::Output;                  ///< logits of both heads: ModelOutput
  using Logits = View<T, Dyn, Family::config.classes>;  ///< [B, classes]

  static constexpr auto config = Family::config;        ///< the checked config: ViTConfig or SwinConfig
  static constexpr int tokens = Family::tokens;         ///< see Family
  static constexpr bool distilled = Family::distilled;  ///< there is a head for the distillation token

  /// Number of parameters.
  static constexpr Index parameters = [] {
    Index count = 0;
    Net net;
    Net::visit(net, Name{}, [&](const Name&, const auto& p) { count += p.size(); });
    return count;
  }();

  /// Bytes of working memory of one forward pass over `batch` images at once, logits included, weights not: the peak of the
  /// arena, found by running forward on a counting one.
  static constexpr Index inference_bytes(Index batch) {
    Arena<T> arena(Memory::rewind);
    const Output out{arena.template take<Dyn, config.classes>(batch),
                     arena.template take<Dyn, config.classes>(distilled ? batch : 0)};
    Net{}.forward(typename Net::Images(nullptr, batch), out, arena);
    return arena.peak() * static_cast<Index>(sizeof(T));
  }

  /// Bytes of working memory of forward and backward over `batch` images at once, outputs and their gradients included,
  /// parameters and their gradients not. Memory::recompute: when the layers are computed again in backward.
  static constexpr Index training_bytes(Index batch, Memory memory = Memory::keep) {
    Arena<T> arena(memory);
    const auto take = [&](bool used) { return arena.template take<Dyn, config.classes>(used ? batch : 0); };
    const Output out{take(true), take(distilled)};
    const Output doutput{take(true), take(distilled)};
    const auto saved = Net{}.forward(typename Net::Images(nullptr, batch), out, arena);
    Net{}.backward(saved, doutput, Net{}, arena);
    return arena.peak() * static_cast<Index>(sizeof(T));
  }

  Network() : slab_(slab_size) {}  ///< all parameters zero; throws std::bad_alloc

  /// The layers, bound to this model's slab. Cheap enough to call once per pass, not once per token.
  Net net() { return bind<Net>(slab_.data()); }
  ConstNet net() const { return bind<ConstNet>(slab_.data()); }  ///< same, read-only

  /// All parameters; between two of them stand zeros that align the next one.
  T* data() { return slab_.data(); }
  const T* data() const { return slab_.data(); }  ///< same, read-only
  Index size() const { return slab_.size(); }     ///< elements of data(), those zeros included

  /// Calls f(name, view) for every parameter; `name` is the checkpoint's key.
  template <class F>
  void visit(F&& f) {
    auto layers = net();
    Net::visit(layers, Name{}, [&](const Name& name, auto& p) { f(name, p); });
  }
  /// Same, read-only.
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
        add_parameter(rows, name, p.shape(), offset, p.size());
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

}  // namespace minivit::inline MINIVIT_ISA
