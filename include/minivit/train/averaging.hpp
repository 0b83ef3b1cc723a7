// SPDX-License-Identifier: MIT
// Moving average of weights (Polyak averaging, "EMA"): average = decay * average + (1 - decay) * weights after each step, as
// timm's ModelEma. It starts as a copy of the initial weights.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/threads.hpp>
#include <minivit/simd/sweep.hpp>

#include <string>

namespace minivit::inline MINIVIT_ISA {

/// Whether and how slowly an average of the weights follows them.
struct WeightAveraging {
  double decay = 0;  ///< 0: no average is kept. 0.9999 and more for long runs, 0.99 to 0.999 for tens of epochs
  /// Use min(decay, (1 + step) / (10 + step)), so that a short run is not dominated by its first weights (timm's ModelEmaV3,
  /// and TensorFlow).
  bool warmup = true;

  bool on() const { return decay > 0; }  ///< an average is kept
  /// Decay after optimiser step t >= 1.
  double at(Index t) const {
    const auto x = static_cast<double>(t);
    return warmup ? std::min(decay, (1 + x) / (10 + x)) : decay;
  }
  /// Throws Error when the decay is out of range.
  void check() const {
    if (!(decay >= 0 && decay < 1))
      fail({.where = "WeightAveraging",
            .what = "decay is out of range",
            .expected = "0 <= decay < 1",
            .found = std::to_string(decay)});
  }
  bool operator==(const WeightAveraging&) const = default;  ///< equal in both
};

/// average += (1 - decay) * (weights - average) over `size` elements.
template <class T>
void update_average(T* average, const T* weights, Index size, double decay, const Threads& threads) {
  using B = simd::Batch<T, simd::best>;
  const B by(static_cast<T>(1 - decay));
  threads.for_ranges(size, Index{16384}, [&](Index begin, Index end) {
    simd::sweep<simd::best, T>(end - begin, [&](Index i, auto io, auto) {
      T* const at = average + begin + i;
      const B old = io.load(at);
      io.store(at, simd::fma(io.load(weights + begin + i) - old, by, old));
    });
  });
}

}  // namespace minivit::inline MINIVIT_ISA
