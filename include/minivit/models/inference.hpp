// SPDX-License-Identifier: MIT
// Inference: a model made ready to answer. Packs the weights once and reserves all working memory; after that a call does
// not allocate. With enough images each is computed from end to end by one thread, without barriers; images that are left
// over, or a single one, are computed by all threads together, inside the layers. The result is the same to the bit in every
// case.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/models/packed_weights.hpp>

#include <atomic>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// What an Inference is made for.
struct InferenceOptions {
  Index max_batch = 1;  ///< largest batch a call may bring
  int threads = 0;      ///< 0: all the process may use
};

/// W says how matrices are stored and multiplied: the model's own type, bf16, or int8 (weights quantised per output channel,
/// activations per token while they are written). Narrow types read activations in W too where Arch has an instruction for
/// it (AVX512_BF16, AVX512_VNNI; AMX at run time); without one bf16 only halves the memory, and int8 is slow.
/// docs/explanation/precision.md has the errors. One object serves one caller at a time.
template <class Model, class W = typename Model::Scalar, class Arch = simd::best>
class Inference {
  using T = typename Model::Scalar;
  using Weights = PackedWeights<Model, Packed<W, T, Arch>, W>;

 public:
  using Images = typename Model::Images;                     ///< [B, channels, image, image], normalised
  using Logits = View<const T, Dyn, Model::config.classes>;  ///< [B, classes], valid until the next call
  /// Images computed together by one task: enough rows to keep the matrix product busy, few enough to stay in L2.
  static constexpr Index images_per_task = std::max<Index>(1, 256 / Model::tokens);

  /// Packs `weights`, a Model or a source of parameters (parameters_of<Model>(file), initial_parameters<Model>(seed)), which
  /// is not needed afterwards. From a source the weights are in memory once. Throws Error for a batch below 1.
  template <class Source>
  requires(std::is_same_v<Source, Model> || ParameterSource<Source, T>) explicit Inference(const Source& weights,
                                                                                           InferenceOptions options = {})
      : max_batch_(options.max_batch),
        threads_(options.threads),
        workers_(std::clamp<Index>(options.max_batch, 1, threads_.running())) {
    if (max_batch_ < 1)
      fail({.where = "Inference", .what = "max_batch", .expected = "at least 1", .found = std::to_string(max_batch_)});
    weights_.pack(weights, threads_);
    logits_ = Tensor<T, Dyn, Model::config.classes>(max_batch_);
    if constexpr (Model::distilled) distilled_ = Tensor<T, Dyn, Model::config.classes>(max_batch_);
    arenas_ = Buffer<T>(std::max(workers_ * arena_size(), team() > 1 ? arena_size(team()) : 0));
  }

  /// Logits [B, classes] of normalised images; for a distilled model the mean of its two heads. The view stays valid until
  /// the next call. Throws Error when the batch is larger than max_batch.
  Logits operator()(Images images) {
    const Index batch = images.batch();
    if (batch > max_batch_)
      fail({.where = "Inference",
            .what = "the batch is too large",
            .expected = concat({"at most ", max_batch_}),
            .found = std::to_string(batch),
            .hint = "construct it with a larger max_batch"});
    const Index together = images_together(batch), apart = batch - together;
    // equal tasks, as many for each worker, none above images_per_task
    const Index rounds = (apart + workers_ * images_per_task - 1) / (workers_ * images_per_task);
    const Index tasks = std::min(apart, rounds * workers_);
    constexpr Index size = arena_size();
    std::atomic<Index> next = 0;
    // a worker is one arena; oneTBB's own numbers go up to the threads, which may be more
    const auto work = [&](Index worker) {
      for (Index task = next++; task < tasks; task = next++) {
        const Index first = task * apart / tasks, last = (task + 1) * apart / tasks;
        compute(images, first, last - first, arenas_.data() + worker * size, size, worker == 0, 1);
      }
    };
    if (workers_ > 1) threads_.for_each(std::min(workers_, tasks), work);
    else work(0);
    if (together > 0)
      threads_.run([&] {
        for (Index i = apart; i < batch; ++i) compute(images, i, 1, arenas_.data(), arenas_.size(), false, team());
      });
    return Logits(logits_.data(), batch);
  }

  /// Bytes of packed weights and of working memory.
  Index weight_bytes() const { return weights_.bytes(); }
  /// Arenas of all threads, and the logits.
  Index working_bytes() const {
    return (arenas_.size() + logits_.size() + distilled_.size()) * static_cast<Index>(sizeof(T));
  }
  int threads() const { return threads_.count(); }  ///< workers, as Threads counts them
  /// Largest number of elements of one arena that was in use so far; equals arena_size() after a full task.
  Index peak() const { return peak_; }

  /// int8 only: runs `images` and gives the input of every product one scale and zero point for all tokens, the range that
  /// was seen (of all layers that share the weights), instead of one for each token. Faster, because nothing is searched for
  /// a range and fc1 writes codes at once; how accurate depends on the images. Tokens beyond the range are cut. Throws Error
  /// without images, and when something is not finite.
  void calibrate(Images images) requires(std::is_same_v<W, int8>) {
    if (images.batch() < 1) fail({.where = "Inference::calibrate", .what = "no images", .expected = "at least 1"});
    std::vector<InputRange> ranges;
    weights_.visit_matrices([&](const Name&, auto&) { ranges.emplace_back(); });
    auto range = ranges.begin();
    weights_.visit_matrices([&](const Name&, auto& matrix) {
      matrix.input = {};
      matrix.seen = &*range++;
    });
    for (Index i = 0; i < images.batch(); ++i) compute(images.slice(i, 1), 0, 1, arenas_.data(), arena_size(), false, 1);
    std::string damaged;
    weights_.visit_matrices([&](const Name& name, auto& matrix) {
      if (damaged.empty() && !std::isfinite(matrix.seen->high - matrix.seen->low)) damaged = name.str();
      matrix.seen = nullptr;
    });
    if (!damaged.empty())
      fail({.where = "Inference::calibrate",
            .what = concat({"the input of '", damaged, "' is not finite"}),
            .hint = "are the weights or images damaged?"});
    range = ranges.begin();
    weights_.visit_matrices([&](const Name&, auto& matrix) {
      matrix.input = kernels::scale_of_range(range->low, range->high);
      ++range;
    });
  }

  /// Elements of working memory for one task, with `workers` threads inside the layers: what the model's own forward took
  /// when the compiler ran it over this storage.
  static constexpr Index arena_size(int workers = 1) {
    Arena<T> arena(Memory::rewind);
    arena.share(nullptr, workers);
    typename Weights::Net{}.forward(Images(nullptr, workers > 1 ? 1 : images_per_task), {}, arena);
    return arena.peak();
  }

 private:
  /// Threads that work on one image: 1 for models so small that the hand-overs cost more than they bring, and never so many
  /// that one has fewer than 16 tokens, because each reads all weights.
  int team() const {
    constexpr int most = Model::macs > 20'000'000 ? std::max(1, Model::tokens / 16) : 1;
    return std::min(most, threads_.running());
  }

  /// How many images, the last of the batch, all threads compute together, one after the other. Those left over after equal
  /// shares, if that is shorter than one more round in which some threads have no image.
  Index images_together(Index batch) const {
    if (team() < 2) return 0;
    const Index left = batch % threads_.running();
    const Index steps = (Model::tokens + ops::rows_step - 1) / ops::rows_step;
    const Index longest = (steps + team() - 1) / team();  // of the pieces of one image
    return left * longest * 10 < steps * 9 ? left : 0;    // waiting for each other takes about a tenth
  }

  void compute(Images images, Index first, Index count, T* memory, Index size, bool measure, int workers) {
    Arena<T> arena(memory, size, Memory::rewind);
    if (workers > 1) arena.share(&threads_, workers);
    const typename Weights::Net::Output out{logits_.view().slice(first, count),
                                            distilled_.view().slice(first, Model::distilled ? count : 0)};
    weights_.net().forward(images.slice(first, count), out, arena);
    if constexpr (Model::distilled)
      for (Index i = 0; i < out.logits.size(); ++i)
        out.logits.data()[i] = (out.logits.data()[i] + out.distilled.data()[i]) / T{2};
    if (measure) peak_ = std::max(peak_, arena.peak());
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
