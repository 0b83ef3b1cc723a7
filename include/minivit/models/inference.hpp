// SPDX-License-Identifier: MIT
// Inference: a model made ready to answer. Packs the weights once and reserves all working memory; after that a call does not
// allocate. Images are cut into small tasks, each computed from end to end by one thread, so there is no barrier inside and
// the result does not depend on the number of threads.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/models/packed_weights.hpp>

#include <string>

namespace minivit::inline MINIVIT_ISA {

struct InferenceOptions {
  Index max_batch = 1;  ///< largest batch a call may bring
  int threads = 0;      ///< 0: all the process may use
};

/// W is the storage type of the matrices: the model's own type, or bf16 for half the memory with float32 arithmetic (relative
/// error of a weight at most 2^-8). One object serves one caller at a time.
template <class Model, class W = typename Model::Scalar, class Arch = simd::best>
class Inference {
  using T = typename Model::Scalar;
  using Weights = PackedWeights<Model, Packed<W, T, Arch>, W>;

 public:
  using Images = typename Model::Images;
  using Logits = View<const T, Dyn, Model::config.classes>;
  /// Images computed together by one task: enough rows to keep the matrix product busy, few enough to stay in L2.
  static constexpr Index images_per_task = std::max<Index>(1, 256 / Model::tokens);

  /// Packs the weights of `model`, which is not needed afterwards. Throws Error for a batch below 1.
  explicit Inference(const Model& model, InferenceOptions options = {})
      : max_batch_(options.max_batch),
        threads_(options.threads),
        workers_(std::clamp<Index>(options.max_batch, 1, threads_.count())) {
    if (max_batch_ < 1)
      fail({.where = "Inference", .what = "max_batch", .expected = "at least 1", .found = std::to_string(max_batch_)});
    weights_.pack(model, threads_);
    logits_ = Tensor<T, Dyn, Model::config.classes>(max_batch_);
    if constexpr (Model::config.distilled) distilled_ = Tensor<T, Dyn, Model::config.classes>(max_batch_);
    arenas_ = Buffer<T>(workers_ * arena_size());
  }

  /// Logits [B, classes] of normalised images; for a distilled model the mean of its two heads. The view stays valid until
  /// the next call. Throws Error when the batch is larger than max_batch.
  Logits operator()(Images images) {
    const Index batch = images.batch();
    if (batch > max_batch_)
      fail({.where = "Inference",
            .what = "the batch is too large",
            .expected = "at most " + std::to_string(max_batch_),
            .found = std::to_string(batch),
            .hint = "construct it with a larger max_batch"});
    // as many images per task as fit, but never so many that a worker has none
    const Index size = std::clamp<Index>((batch + workers_ - 1) / workers_, 1, images_per_task);
    const Index tasks = (batch + size - 1) / size;
    const auto run = [&](Index task, int worker) { compute(images, task * size, std::min(size, batch - task * size), worker); };
    if (workers_ > 1) threads_.for_each(tasks, run);
    else
      for (Index task = 0; task < tasks; ++task) run(task, 0);
    return Logits(logits_.data(), batch);
  }

  /// Bytes of packed weights and of working memory.
  Index weight_bytes() const { return weights_.bytes(); }
  Index working_bytes() const { return (arenas_.size() + logits_.size() + distilled_.size()) * static_cast<Index>(sizeof(T)); }
  int threads() const { return threads_.count(); }
  /// Largest number of elements of one arena that was in use so far; equals arena_size() after a full task.
  Index peak() const { return peak_; }
  /// Elements of one worker's arena: what the model's own forward took when the compiler ran it over this storage.
  static constexpr Index arena_size() {
    Arena<T> arena(Memory::rewind);
    typename Weights::Net{}.forward(Images(nullptr, images_per_task), {}, arena);
    return arena.peak();
  }

 private:
  void compute(Images images, Index first, Index count, int worker) {
    Arena<T> arena(arenas_.data() + worker * arena_size(), arena_size(), Memory::rewind);
    const typename Weights::Net::Output out{logits_.view().slice(first, count), distilled_.view().slice(first, Model::config.distilled ? count : 0)};
    weights_.net().forward(images.slice(first, count), out, arena);
    if constexpr (Model::config.distilled)
      for (Index i = 0; i < out.logits.size(); ++i) out.logits.data()[i] = (out.logits.data()[i] + out.distilled.data()[i]) / T{2};
    if (worker == 0) peak_ = std::max(peak_, arena.peak());
  }

  Index max_batch_;
  Threads threads_;
  Index workers_;
  Weights weights_;
  Tensor<T, Dyn, Model::config.classes> logits_;
  Tensor<T, Dyn, Model::config.classes> distilled_;
  Buffer<T> arenas_;
  Index peak_ = 0;
};

}  // namespace minivit::inline MINIVIT_ISA
