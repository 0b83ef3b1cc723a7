// SPDX-License-Identifier: MIT
// The machine's limit, measured in the same run as the model: multiply-adds in registers, nothing else.
#pragma once

#include <minivit/core/threads.hpp>
#include <minivit/simd/batch.hpp>

#include <algorithm>
#include <chrono>
#include <vector>

namespace minivit::inline MINIVIT_ISA::testing {

/// GFLOP/s of float32 multiply-adds on `threads` threads: the best of five rounds of about 20 ms, because other programs only
/// ever make it slower.
inline double peak_gflops(int threads) {
  using Batch = simd::Batch<float>;
  constexpr int sums = 12;  // more than latency times issue rate of any current core
  const Threads pool(threads);
  std::vector<float> sink(static_cast<std::size_t>(pool.count()));
  const auto work = [&](long rounds) {
    pool.for_each(pool.count(), [&](Index t) {
      Batch sum[sums];
      for (int i = 0; i < sums; ++i) sum[i] = Batch(static_cast<float>(i));
      const Batch x(0.999f), y(1e-3f);
      for (long r = 0; r < rounds; ++r)
        for (int i = 0; i < sums; ++i) sum[i] = simd::fma(sum[i], x, y);
      for (int i = 1; i < sums; ++i) sum[0] = sum[0] + sum[i];
      sink[static_cast<std::size_t>(t)] = simd::sum(sum[0]);
    });
  };
  const auto seconds = [&](long rounds) {
    const auto start = std::chrono::steady_clock::now();
    work(rounds);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  long rounds = 1000;
  while (seconds(rounds) < 0.02) rounds *= 2;
  double best = 1e30;
  for (int i = 0; i < 5; ++i) best = std::min(best, seconds(rounds));
  const double flop = 2.0 * sums * static_cast<double>(simd::lanes<float>) * static_cast<double>(rounds) * pool.count();
  return flop / best * 1e-9 + 0 * static_cast<double>(sink[0]);
}

}  // namespace minivit::inline MINIVIT_ISA::testing
