// SPDX-License-Identifier: MIT
// Learning rate over time: linear warm-up, then a cosine whose time is not restarted after the warm-up, as in the MiniViT
// reference, including its two oddities: the rate lags one unit behind, and Mini-DeiT holds it for a whole epoch.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/view.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace minivit::inline MINIVIT_ISA {

/// A schedule as a plain value. All times are optimiser steps, counted from 0.
struct CosineSchedule {
  double peak = 1e-3;          ///< where the warm-up leads, and the top of the cosine
  double warmup_start = 1e-6;  ///< rate of step 0 when there is a warm-up
  double minimum = 1e-5;       ///< may lie above `peak` (the reference's 384 recipe); the cosine then goes up
  Index warmup_steps = 0;      ///< 0: no warm-up, step 0 runs at `peak`
  Index total_steps = 1;       ///< from here on the rate is `minimum`
  Index hold = 1;              ///< the rate changes every `hold` steps
  Index lag = 0;               ///< the rate in use is the one `lag` changes ago

  /// Rate of optimiser step t >= 0.
  double at(Index t) const { return value(hold * std::max<Index>(0, t / hold - lag)); }
  /// The curve itself, without hold and lag.
  double value(Index t) const {
    const auto x = static_cast<double>(t);
    if (t < warmup_steps) return warmup_start + x * ((peak - warmup_start) / static_cast<double>(warmup_steps));
    if (t >= total_steps) return minimum;
    return minimum + (peak - minimum) * (1 + std::cos(3.141592653589793 * x / static_cast<double>(total_steps))) / 2;
  }
  /// Throws Error when the fields make no schedule.
  void check() const {
    const auto require = [](bool good, const char* what, const char* expected, Index found) {
      if (!good) fail({.where = "CosineSchedule", .what = what, .expected = expected, .found = std::to_string(found)});
    };
    require(total_steps >= 1, "total_steps is too small", "1 or more", total_steps);
    require(warmup_steps >= 0 && warmup_steps <= total_steps, "warmup_steps is out of range", "0 to total_steps",
            warmup_steps);
    require(hold >= 1, "hold is too small", "1 or more", hold);
    require(lag >= 0, "lag is negative", "0 or more", lag);
    for (const double rate : {peak, warmup_start, minimum})
      if (!(rate >= 0 && std::isfinite(rate)))
        fail({.where = "CosineSchedule",
              .what = "a rate is out of range",
              .expected = "0 or more",
              .found = std::to_string(rate)});
  }
  bool operator==(const CosineSchedule&) const = default;  ///< equal in every field
};

/// Mini-DeiT's schedule: one rate per epoch, and epoch e uses the value of e - 1, so the first two epochs run at the
/// warm-up start.
constexpr CosineSchedule mini_deit_schedule(Index epochs, Index warmup_epochs, Index steps_per_epoch, double peak = 1e-3) {
  return {.peak = peak,
          .warmup_steps = warmup_epochs * steps_per_epoch,
          .total_steps = epochs * steps_per_epoch,
          .hold = steps_per_epoch,
          .lag = 1};
}

/// Mini-Swin's schedule: a new rate in every step, one step late.
constexpr CosineSchedule mini_swin_schedule(Index epochs, Index warmup_epochs, Index steps_per_epoch, double peak = 1e-3) {
  return {.peak = peak, .warmup_steps = warmup_epochs * steps_per_epoch, .total_steps = epochs * steps_per_epoch, .lag = 1};
}

}  // namespace minivit::inline MINIVIT_ISA
