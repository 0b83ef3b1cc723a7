// SPDX-License-Identifier: MIT
// Features: what every layer of a model puts out for some images, as fast as inference and in memory that does not grow with
// the number of images. The input of the first layer and the final norm are not among them.
#pragma once

#include <minivit/analysis/matrix.hpp>
#include <minivit/core/errors.hpp>
#include <minivit/models/packed_weights.hpp>

#include <array>
#include <string>

namespace minivit::inline MINIVIT_ISA {

struct FeatureOptions {
  Index max_batch = 64;  ///< largest batch of a call; the features of so many images are in memory at once
  int threads = 0;       ///< 0: all the process may use
};

/// Runs `Model` and keeps the outputs of its layers. W says how matrices are multiplied, as in Inference. The numbers are
/// the same to the bit for every number of threads and however images are put into batches. One object serves one caller at
/// a time.
template <class Model, class W = typename Model::Scalar>
class Features {
  using T = typename Model::Scalar;
  using Weights = PackedWeights<Model, Packed<W, T>, W>;
  static constexpr int N = Model::tokens, D = Model::config.dim, K = Model::config.classes;
  static constexpr Index images_per_task = std::max<Index>(1, 256 / N);  // as in Inference

 public:
  static constexpr int layers = Model::config.depth;
  static constexpr int tokens = N;
  static constexpr int width = D;
  using Scalar = T;
  using Images = typename Model::Images;
  using Layer = View<const T, Dyn, N, D>;        ///< [B, N, D] output of one block, residual included
  using Layers = std::array<Layer, static_cast<std::size_t>(layers)>;

  /// Packs `weights`, a Model or a source of parameters, which is not needed afterwards. Throws Error for a batch below 1.
  template <class Source>
  requires(std::is_same_v<Source, Model> || ParameterSource<Source, T>) explicit Features(const Source& weights,
                                                                                          FeatureOptions options = {})
      : max_batch_(options.max_batch), threads_(options.threads) {
    if (max_batch_ < 1)
      fail({.where = "Features", .what = "max_batch", .expected = "at least 1", .found = std::to_string(max_batch_)});
    weights_.pack(weights, threads_);
    outputs_ = Buffer<T>(layers * max_batch_ * per_image);
    arenas_ = Buffer<T>(threads_.count() * arena_size());
  }

  /// The output of every layer for normalised images [B, channels, image, image], B <= max_batch. Valid until the next call.
  /// Throws Error when the batch is larger.
  Layers operator()(Images images) {
    const Index batch = images.batch();
    if (batch > max_batch_)
      fail({.where = "Features", .what = "the batch is too large", .expected = "at most " + std::to_string(max_batch_),
            .found = std::to_string(batch), .hint = "construct it with a larger max_batch, or use for_batches"});
    threads_.for_each((batch + images_per_task - 1) / images_per_task, [&](Index task, int worker) {
      const Index first = task * images_per_task, count = std::min(images_per_task, batch - first);
      constexpr Index size = arena_size();
      Arena<T> arena(arenas_.data() + worker * size, size, Memory::recompute);
      const auto saved = forward(weights_.net(), images.slice(first, count), arena);
      for (int l = 0; l < layers; ++l)
        std::copy_n(saved.layers[static_cast<std::size_t>(l)].y.data(), count * per_image, output(l) + first * per_image);
    });
    Layers out;
    for (int l = 0; l < layers; ++l) out[static_cast<std::size_t>(l)] = Layer(output(l), batch);
    return out;
  }

  /// Cuts any number of images into the fewest batches of at most max_batch, equal to within one image, and calls
  /// f(first_image, layers) for each in turn.
  template <class F>
  void for_batches(Images images, F&& f) {
    const Index count = images.batch(), batches = (count + max_batch_ - 1) / max_batch_;
    for (Index b = 0; b < batches; ++b) {
      const Index first = count * b / batches, last = count * (b + 1) / batches;
      f(first, (*this)(images.slice(first, last - first)));
    }
  }

  Index max_batch() const { return max_batch_; }
  const Threads& threads() const { return threads_; }
  /// Bytes of packed weights, features and working memory.
  Index bytes() const { return weights_.bytes() + (outputs_.size() + arenas_.size()) * static_cast<Index>(sizeof(T)); }

 private:
  static constexpr Index per_image = Index{N} * D;
  T* output(int l) { return outputs_.data() + l * max_batch_ * per_image; }

  /// Logits are computed as well: they cost little, and so this stays the model's own forward.
  static constexpr auto forward(const typename Weights::Net& net, Images images, Arena<T>& arena) {
    const auto logits = arena.template take<Dyn, K>(images.batch());
    return net.forward(images, {logits, arena.template take<Dyn, K>(Model::distilled ? images.batch() : 0)}, arena);
  }

  /// Memory::recompute keeps of each layer its input and output and nothing from inside.
  static constexpr Index arena_size() {
    Arena<T> arena(Memory::recompute);
    forward(typename Weights::Net{}, Images(nullptr, images_per_task), arena);
    return arena.peak();
  }

  Index max_batch_;
  Threads threads_;
  Weights weights_;
  Buffer<T> outputs_;  // [layers, max_batch, N, D]
  Buffer<T> arenas_;
};

/// The mean over an image's tokens, extra tokens included: [B, D].
template <class T, int N, int D>
Matrix token_means(View<const T, Dyn, N, D> tokens) {
  Matrix means(tokens.batch(), D);
  for (Index b = 0; b < tokens.batch(); ++b) {
    double* const to = means.row(b);
    for (Index n = 0; n < N; ++n)
      for (Index c = 0; c < D; ++c) to[c] += static_cast<double>(tokens(b, n, c));
    for (Index c = 0; c < D; ++c) to[c] /= N;
  }
  return means;
}

}  // namespace minivit::inline MINIVIT_ISA
