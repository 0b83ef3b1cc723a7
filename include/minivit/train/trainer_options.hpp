// SPDX-License-Identifier: MIT
// What a Trainer is told and what it reports: everything about training that is not a model, as plain values.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/train/adamw.hpp>
#include <minivit/train/averaging.hpp>
#include <minivit/train/losses.hpp>
#include <minivit/train/schedule.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Settings of a Trainer with this loss; check() says what is allowed.
template <class Loss>
struct TrainerOptions {
  Loss loss{};                ///< what is minimised
  AdamW optimiser{};          ///< AdamW; its lr is replaced by the schedule's
  CosineSchedule schedule{};  ///< the rate of each step; `optimiser.lr` is not used
  RateScales rate_scales{};   ///< layer_decay<Model>(0.75), frozen<Model>({"patch_embed"}); empty: one rate for all
  WeightAveraging average{};  ///< off unless its decay is above 0
  double drop_path = 0;       ///< largest stochastic depth rate, of the last layer; in [0, 1)
  std::uint64_t seed = 0;     ///< of stochastic depth, and of a fitting layer's start
  int threads = 0;            ///< 0: all the process may use
  Index micro_batch = 0;      ///< images computed together; 0: about 512 tokens' worth
  /// keep: backward finds all that forward computed. recompute: it runs each layer's forward again, a third more work in
  /// less than half of the memory, with the same bits.
  Memory memory = Memory::keep;

  /// Throws Error when a field is out of range.
  void check() const {
    optimiser.check();
    schedule.check();
    average.check();
    if (!(drop_path >= 0 && drop_path < 1))
      fail({.where = "Trainer", .what = "drop_path", .expected = "0 <= drop_path < 1", .found = std::to_string(drop_path)});
    if (memory == Memory::rewind)
      fail({.where = "Trainer",
            .what = "memory",
            .expected = "Memory::keep or Memory::recompute",
            .found = "Memory::rewind"});
    if (micro_batch < 0)
      fail({.where = "Trainer", .what = "micro_batch", .expected = "0 or more", .found = std::to_string(micro_batch)});
    for (const double scale : rate_scales)
      if (!(scale >= 0 && std::isfinite(scale)))
        fail({.where = "Trainer",
              .what = "a factor in rate_scales",
              .expected = "0 or more",
              .found = std::to_string(scale)});
  }
};

/// What one step did.
struct StepReport {
  LossValues loss{};         ///< mean over the batch, before the update
  double lr = 0;             ///< rate of this step
  double gradient_norm = 0;  ///< before clipping
  Index images = 0;          ///< in the batch
  Index correct = 0;         ///< images whose best class is the best class of their target
};

}  // namespace minivit::inline MINIVIT_ISA
