// SPDX-License-Identifier: MIT
// Features: what every layer of a model of any family puts out for some images, as fast as inference and in memory that does
// not grow with the number of images. The input of the first layer and the final norm are not among them.
#pragma once

#include <minivit/analysis/matrix.hpp>
#include <minivit/core/errors.hpp>
#include <minivit/models/layer_geometry.hpp>
#include <minivit/models/packed_weights.hpp>

#include <array>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// What a Features is made for.
struct FeatureOptions {
  Index max_batch = 64;  ///< largest batch of a call; the features of so many images are in memory at once
  int threads = 0;       ///< 0: all the process may use
};

/// What one layer puts out for some images: [batch, tokens, width], residual included. Tokens stand in the order of the map,
/// class and distillation token in front.
template <class T>
class LayerFeatures {
 public:
  LayerFeatures() = default;  ///< of no images
  /// Does not own; `data` outlives it.
  LayerFeatures(const T* data, Index batch, Index tokens, Index width)
      : data_(data), batch_(batch), tokens_(tokens), width_(width) {}

  const T* data() const { return data_; }                   ///< [batch, tokens, width], row-major
  Index batch() const { return batch_; }                    ///< images
  Index tokens() const { return tokens_; }                  ///< of one image, extra ones included
  Index width() const { return width_; }                    ///< of a token
  Index size() const { return batch_ * tokens_ * width_; }  ///< numbers in all
  const T* begin() const { return data_; }                  ///< element (0, 0, 0)
  const T* end() const { return data_ + size(); }           ///< behind the last
  /// Image b, token n, column c; inside the extents.
  const T& operator()(Index b, Index n, Index c) const { return data_[(b * tokens_ + n) * width_ + c]; }
  /// As examples of all tokens one after the other, [batch, tokens * width].
  Examples<T> flattened() const { return {data_, batch_, tokens_ * width_}; }

 private:
  const T* data_ = nullptr;
  Index batch_ = 0, tokens_ = 0, width_ = 0;
};

/// Tokens and width of what a layer puts out.
struct LayerExtents {
  Index tokens = 0;                                        ///< of an image, class and distillation token included
  Index width = 0;                                         ///< of a token
  bool operator==(const LayerExtents&) const = default;    ///< equal in both
  constexpr Index size() const { return tokens * width; }  ///< numbers for each image
};

/// Each of several LayerFeatures<T>, an array or a vector of them, as examples; see LayerFeatures::flattened().
template <class Layers>
auto flattened(const Layers& layers) {
  std::vector<decltype(layers[0].flattened())> out;
  for (const auto& y : layers) out.push_back(y.flattened());
  return out;
}

/// Runs `Model` and keeps the outputs of its layers. W says how matrices are multiplied, as in Inference. The numbers are
/// the same to the bit for every number of threads and however images are put into batches. One object serves one caller at
/// a time.
template <class Model, class W = typename Model::Scalar>
class Features {
  using T = typename Model::Scalar;
  using Weights = PackedWeights<Model, Packed<W, T>, W>;
  static constexpr int K = Model::config.classes;
  static constexpr Index images_per_task = std::max<Index>(1, 256 / Model::tokens);  // as in Inference

 public:
  static constexpr int layers = layer_count(Model::config);  ///< of the whole network; their outputs are kept
  using Scalar = T;                                          ///< of the features
  using Images = typename Model::Images;                     ///< [B, channels, image, image], normalised
  using Layers = std::array<LayerFeatures<T>, static_cast<std::size_t>(layers)>;  ///< one LayerFeatures for each layer

  /// Tokens and width of the output of layer l. Precondition: 0 <= l < layers.
  static constexpr LayerExtents extents(int l) {
    const LayerGeometry g = layer_geometry(Model::config, l);
    return {g.map_tokens() + g.extra_tokens, g.width};
  }

  /// Packs `weights`, a Model or a source of parameters, which is not needed afterwards. Throws Error for a batch below 1.
  template <class Source>
  requires(std::is_same_v<Source, Model> || ParameterSource<Source, T>) explicit Features(const Source& weights,
                                                                                          FeatureOptions options = {})
      : max_batch_(options.max_batch), threads_(options.threads) {
    if (max_batch_ < 1)
      fail({.where = "Features", .what = "max_batch", .expected = "at least 1", .found = std::to_string(max_batch_)});
    weights_.pack(weights, threads_);
    outputs_ = Buffer<T>(max_batch_ * offset(layers));
    arenas_ = Buffer<T>(threads_.count() * arena_size());
  }

  /// The output of every layer for normalised images [B, channels, image, image], B <= max_batch. Valid until the next call.
  /// Throws Error when the batch is larger.
  Layers operator()(Images images) {
    const Index batch = images.batch();
    if (batch > max_batch_)
      fail({.where = "Features",
            .what = "the batch is too large",
            .expected = "at most " + std::to_string(max_batch_),
            .found = std::to_string(batch),
            .hint = "construct it with a larger max_batch, or use for_batches"});
    threads_.for_each((batch + images_per_task - 1) / images_per_task, [&](Index task, int worker) {
      const Index first = task * images_per_task, count = std::min(images_per_task, batch - first);
      constexpr Index size = arena_size();
      Arena<T> arena(arenas_.data() + worker * size, size, Memory::recompute);
      const auto saved = forward(weights_.net(), images.slice(first, count), arena);
      weights_.net().each_layer(saved, [&](int l, const auto& /*layer*/, const auto& kept) {
        std::copy_n(kept.y.data(), kept.y.size(), output(l) + first * extents(l).size());
      });
    });
    Layers out;
    for (int l = 0; l < layers; ++l)
      out[static_cast<std::size_t>(l)] = {output(l), batch, extents(l).tokens, extents(l).width};
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

  Index max_batch() const { return max_batch_; }       ///< largest batch of a call
  const Threads& threads() const { return threads_; }  ///< the workers, for work of the caller's own
  /// Bytes of packed weights, features and working memory.
  Index bytes() const { return weights_.bytes() + (outputs_.size() + arenas_.size()) * static_cast<Index>(sizeof(T)); }

 private:
  /// Numbers per image of all layers before l.
  static constexpr Index offset(int l) {
    Index sum = 0;
    for (int i = 0; i < l; ++i) sum += extents(i).size();
    return sum;
  }
  T* output(int l) { return outputs_.data() + max_batch_ * offset(l); }

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
  Buffer<T> outputs_;  // of each layer [max_batch, tokens, width]
  Buffer<T> arenas_;
};

/// The mean over an image's tokens, extra tokens included: [B, D].
template <class T>
Matrix token_means(const LayerFeatures<T>& y) {
  Matrix means(y.batch(), y.width());
  for (Index b = 0; b < y.batch(); ++b) {
    double* const to = means.row(b);
    for (Index n = 0; n < y.tokens(); ++n)
      for (Index c = 0; c < y.width(); ++c) to[c] += static_cast<double>(y(b, n, c));
    for (Index c = 0; c < y.width(); ++c) to[c] /= static_cast<double>(y.tokens());
  }
  return means;
}

}  // namespace minivit::inline MINIVIT_ISA
