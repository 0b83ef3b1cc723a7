// SPDX-License-Identifier: MIT
// Loader: batches of a data set, prepared ahead of time on a thread of its own. Batch k of epoch e is a function of
// (data, options, e, k): not of the number of threads, and not of where the loader was started, so training resumes
// exactly. Training batches are shuffled and augmented; evaluation uses the defaults.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/data/augment_image.hpp>
#include <minivit/data/dataset.hpp>
#include <minivit/data/order.hpp>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <ranges>
#include <thread>

namespace minivit::inline MINIVIT_ISA {

/// What a Loader's batches are.
struct LoaderOptions {
  Index batch = 128;       ///< images in a batch
  std::uint64_t seed = 0;  ///< of the order and of every draw of augmentation
  bool shuffle = false;    ///< a new order for each epoch
  bool drop_last = false;  ///< leave out the shorter last batch of an epoch
  /// Repeated augmentation: each image stands so often in a row in the order, each time changed by draws of its own, and an
  /// epoch holds epoch_images(size, repeats) images. 1: off; the published models use 3.
  int repeats = 1;
  Augmentation augment{};  ///< of each image, by draws of its own
  int threads = 1;         ///< workers that prepare one batch; 0 all that are available
  int prefetch = 2;        ///< batches kept ready; 0 prepares each batch when it is asked for, without a thread
  /// Called for each prepared image, (3, S, S) floats, with the image's own random stream; may change it.
  std::function<void(std::span<float>, const Random&)> transform{};
};

/// One batch of B images.
template <int Side, int Classes, int Channels = 3>
struct Batch {
  Index epoch = 0;                                                  ///< from 0
  Index number = 0;                                                 ///< position inside the epoch
  Tensor<float, Dyn, Channels, Side, Side> images;                  ///< (B, C, S, S), normalised
  Tensor<float, Dyn, Classes> targets;                              ///< (B, K), smoothed and mixed; each row sums to one
  std::vector<std::int32_t> labels;                                 ///< (B)
  std::vector<Index> indices;                                       ///< (B) positions in the data set
  Mix mix;                                                          ///< how the batch was mixed
  Index size() const { return static_cast<Index>(labels.size()); }  ///< images (B)
};

/// `Side`: image side S. `Classes`: K. The data set must outlive the loader and stay unchanged.
template <int Side, int Classes, int Channels = 3>
class Loader {
  static_assert(Channels == Dataset::channels, "Loader: data sets have three channels");

 public:
  using batch_type = Batch<Side, Classes, Channels>;  ///< what next() returns

  /// Starts at batch 0 of epoch 0. Throws Error when the data does not fit the model or an option makes no sense.
  Loader(const Dataset& data, LoaderOptions options)
      : data_(data),
        options_(std::move(options)),
        threads_(options_.threads),
        scratch_(static_cast<std::size_t>(threads_.count()), AugmentScratch<Side>(options_.augment)) {
    const auto require = [](bool good, const char* what, Index expected, Index found) {
      if (!good) detail::fail_with("data loader", what, std::to_string(expected), std::to_string(found));
    };
    require(data.side == Side, "the images have another side than the model", Side, data.side);
    require(data.classes == Classes, "the data has another number of classes than the model", Classes, data.classes);
    require(data.size() >= 1, "the data set is empty", 1, data.size());
    require(options_.batch >= 1, "impossible batch size", 1, options_.batch);
    require(options_.prefetch >= 0, "impossible number of prefetched batches", 0, options_.prefetch);
    require(static_cast<Index>(data.pixels.size()) == data.size() * data.image_size(),
            "the data set has a wrong number of pixels", data.size() * data.image_size(),
            static_cast<Index>(data.pixels.size()));
    for (const auto label : data.labels)
      require(label >= 0 && label < Classes, "a label is out of range", Classes - 1, label);
    require(options_.repeats >= 1, "impossible number of repeats", 1, options_.repeats);
    require(batches() >= 1, "drop_last leaves no batch; the data set is smaller than", options_.batch, epoch_size());
    check(options_.augment);
  }
  Loader(const Loader&) = delete;             ///< its thread works on it
  Loader& operator=(const Loader&) = delete;  ///< nor is it assigned
  /// Waits for the thread, whose batches are dropped.
  ~Loader() { stop(); }

  /// Images in an epoch, before `drop_last`.
  Index epoch_size() const { return epoch_images(data_.size(), options_.repeats); }
  /// Batches in an epoch.
  Index batches() const { return batch_count(epoch_size(), options_.batch, options_.drop_last); }
  const LoaderOptions& options() const { return options_; }  ///< as given
  const Dataset& data() const { return data_; }              ///< the data set it reads

  /// The next call of `next()` gives batch `number` of `epoch`; number == batches() means the first of the next epoch.
  /// Throws Error when there is no such batch.
  void start(Index epoch, Index number = 0) {
    if (epoch < 0 || number < 0 || number > batches()) {
      const std::string expected = "batch 0 to " + std::to_string(batches());
      const std::string found = "epoch " + std::to_string(epoch) + ", batch " + std::to_string(number);
      detail::fail_with("data loader", "no such batch", expected, found);
    }
    stop();
    position_ = number == batches() ? Position{epoch + 1, 0} : Position{epoch, number};
  }

  /// The next batch, valid until the next call; after the last batch of an epoch comes the first of the next one.
  /// Rethrows what went wrong while it was prepared.
  const batch_type& next() {
    if (options_.prefetch == 0) {
      make(position_, current_);
    } else {
      if (!worker_.joinable()) run();
      take();
    }
    position_ = after(position_);
    return current_;
  }

  /// The batches of one epoch as an input range: `for (const auto& batch : loader.epoch(3))`.
  auto epoch(Index number) {
    start(number);
    return std::views::iota(Index{0}, batches()) |
           std::views::transform([this](Index) -> const batch_type& { return next(); });
  }

  /// Positions in the data set of the images of an epoch, in order.
  std::vector<Index> order(Index epoch) const {
    const auto plain = options_.shuffle ? shuffled(data_.size(), stream("shuffle", epoch))
                                        : sample_of(data_.size(), 0, Random(0));
    return options_.repeats > 1 ? repeated(plain, options_.repeats, epoch_size()) : plain;
  }

 private:
  struct Position {
    Index epoch = 0, number = 0;
  };
  struct Slot {
    batch_type batch;
    std::exception_ptr error;
  };

  Position after(Position p) const {
    return p.number + 1 < batches() ? Position{p.epoch, p.number + 1} : Position{p.epoch + 1, 0};
  }
  Random stream(std::string_view name, Index epoch) const {
    return Random(options_.seed).fork(name).fork(static_cast<std::uint64_t>(epoch));
  }

  /// Prepares batch `p`. Runs on the worker, or on the caller's thread when nothing is prefetched; never on both.
  void make(Position p, batch_type& out) {
    if (order_epoch_ != p.epoch) {
      order_ = order(p.epoch);
      order_epoch_ = p.epoch;
    }
    const auto chosen = batches_of(order_, options_.batch)[p.number];
    const auto count = static_cast<Index>(ranges::distance(chosen));
    out.epoch = p.epoch;
    out.number = p.number;
    out.indices.assign(ranges::begin(chosen), ranges::end(chosen));
    out.labels.clear();
    for (const Index i : out.indices) out.labels.push_back(data_.label(i));
    if (out.images.batch() != count) {
      out.images = Tensor<float, Dyn, Channels, Side, Side>(count);
      out.targets = Tensor<float, Dyn, Classes>(count);
    }
    const auto images = out.images.view();
    const Random base = stream("augment", p.epoch);
    threads_.for_each(count, [&](Index j, int worker) {
      const Random random = base.fork(static_cast<std::uint64_t>(p.number * options_.batch + j));
      const auto image = images[j];  // (C, S, S)
      augment_image<Channels, Side>(options_.augment, data_.image(out.indices[static_cast<std::size_t>(j)]), random,
                                    scratch_[static_cast<std::size_t>(worker)], image);
      if (options_.transform) options_.transform({image.begin(), image.end()}, random.fork("transform"));
    });
    out.mix = draw_mix(options_.augment, Side, stream("mix", p.epoch).fork(static_cast<std::uint64_t>(p.number)));
    apply_mix<Channels, Side>(out.mix, images);
    fill_targets<Classes>(out.mix, options_.augment.smoothing, out.labels, out.targets.view());
  }

  void run() {
    slots_ = std::vector<Slot>(static_cast<std::size_t>(options_.prefetch));
    made_ = taken_ = 0;
    stopping_ = false;
    worker_ = std::thread([this, p = position_]() mutable {
      for (;; p = after(p)) {
        {
          std::unique_lock lock(mutex_);
          changed_.wait(lock, [&] { return stopping_ || made_ - taken_ < options_.prefetch; });
          if (stopping_) return;
        }
        Slot& slot = slots_[static_cast<std::size_t>(made_ % options_.prefetch)];
        try {
          make(p, slot.batch);
        } catch (...) {
          slot.error = std::current_exception();
        }
        const bool failed = slot.error != nullptr;
        {
          const std::lock_guard lock(mutex_);
          ++made_;
        }
        changed_.notify_all();
        if (failed) return;
      }
    });
  }

  /// Waits for the oldest slot and swaps it with `current_`, so no batch is copied.
  void take() {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return made_ > taken_; });
      Slot& slot = slots_[static_cast<std::size_t>(taken_ % options_.prefetch)];
      if (const auto error = slot.error) {
        lock.unlock();
        stop();  // the next call tries again from the same batch
        std::rethrow_exception(error);
      }
      std::swap(current_, slot.batch);
      ++taken_;
    }
    changed_.notify_all();
  }

  void stop() {
    if (!worker_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    worker_.join();
  }

  const Dataset& data_;
  LoaderOptions options_;
  Threads threads_;
  std::vector<AugmentScratch<Side>> scratch_;  // of each worker
  Position position_;                          // of the batch that `next()` gives
  batch_type current_;
  std::vector<Index> order_;
  Index order_epoch_ = -1;

  std::mutex mutex_;  // guards made_, taken_, stopping_ and the slots between them
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  Index made_ = 0, taken_ = 0;
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace minivit::inline MINIVIT_ISA
