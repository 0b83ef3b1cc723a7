// SPDX-License-Identifier: MIT
// The machine's limit, measured in the same run as the model: multiply-adds in registers, nothing else.
#pragma once

#include <minivit/core/threads.hpp>
#include <minivit/kernels/dot/amx.hpp>

#include <chrono>
#include <vector>

namespace minivit::inline MINIVIT_ISA::testing {

namespace detail {

/// Multiply-adds of `rounds` rounds, in float32 registers; returns something that depends on all of them.
inline float float_rounds(long rounds) {
  using Batch = simd::Batch<float>;
  constexpr int sums = 12;  // more than latency times issue rate of any current core
  Batch sum[sums];
  for (int i = 0; i < sums; ++i) sum[i] = Batch(static_cast<float>(i));
  const Batch x(0.999f), y(1e-3f);
  for (long r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int i = 0; i < sums; ++i) sum[i] = simd::fma(sum[i], x, y);
  for (int i = 1; i < sums; ++i) sum[0] = sum[0] + sum[i];
  return simd::sum(sum[0]);
}
inline constexpr double float_flop = 2.0 * 12 * static_cast<double>(simd::lanes<float>);

/// The same in words of W, with the instruction that the kernels use.
template <class W>
float word_rounds(long rounds) {
#if defined(__AVX512F__)
  __m512 sum[12];
#pragma GCC unroll 12
  for (int i = 0; i < 12; ++i) sum[i] = _mm512_set1_ps(0.f);
  const __m512i word = _mm512_set1_epi32(0x3f7f3f7f);
  for (long r = 0; r < rounds; ++r)
#pragma GCC unroll 12
    for (int i = 0; i < 12; ++i) {
#if defined(__AVX512BF16__)
      if constexpr (std::is_same_v<W, bf16>)
        sum[i] = _mm512_dpbf16_ps(sum[i], std::bit_cast<__m512bh>(word), std::bit_cast<__m512bh>(word));
#endif
#if defined(__AVX512VNNI__)
      if constexpr (std::is_same_v<W, int8>)
        sum[i] = _mm512_castsi512_ps(_mm512_dpbusd_epi32(_mm512_castps_si512(sum[i]), word, word));
#endif
      asm volatile("" : "+v"(sum[i]));  // otherwise the compiler sees that all twelve are equal
    }
#pragma GCC unroll 12
  for (int i = 1; i < 12; ++i)
    sum[0] = _mm512_castsi512_ps(_mm512_xor_si512(_mm512_castps_si512(sum[0]), _mm512_castps_si512(sum[i])));
  return _mm512_cvtss_f32(sum[0]);
#else
  return static_cast<float>(rounds);
#endif
}

/// The same in tiles.
template <class W>
float tile_rounds(long rounds) {
#if MINIVIT_HAS_AMX
  namespace amx = kernels::amx;
  alignas(64) std::byte data[1024] = {};
  amx::configure<amx::Hardware>(amx::block_rows);
  [&]<int... T>(std::integer_sequence<int, T...>) { (amx::Hardware::load<T>(data, 64), ...); }
  (std::make_integer_sequence<int, 8>{});
  for (long r = 0; r < rounds; ++r) {
    amx::Hardware::dot<W, 0, 4, 6>();
    amx::Hardware::dot<W, 1, 4, 7>();
    amx::Hardware::dot<W, 2, 5, 6>();
    amx::Hardware::dot<W, 3, 5, 7>();
  }
  amx::Hardware::store<0>(data, 64);
  amx::Hardware::release();
  return static_cast<float>(data[0]);
#else
  return static_cast<float>(rounds);
#endif
}

}  // namespace detail

/// GFLOP/s (for int8: 10^9 integer operations) of multiply-adds on `threads` threads, in the fastest way that products of W
/// have on this machine: the best of five rounds of about 20 ms, because other programs only ever make it slower.
template <class W = float>
double peak_gflops(int threads) {
  float (*rounds_of)(long) = detail::float_rounds;
  double flop = detail::float_flop;
  if constexpr (!std::is_same_v<W, float>) {
    constexpr double per_word = 2.0 * static_cast<double>(kernels::Dot<W>::group);
    if (kernels::amx::available<W>()) {
      rounds_of = detail::tile_rounds<W>;
      flop = per_word * 4 * 16 * 16 * 16;
    } else if (kernels::has_dot<simd::best, W>) {
      rounds_of = detail::word_rounds<W>;
      flop = per_word * 12 * 16;
    }
  }
  const Threads pool(threads);
  std::vector<float> sink(static_cast<std::size_t>(pool.count()));
  const auto seconds = [&](long rounds) {
    const auto start = std::chrono::steady_clock::now();
    pool.for_each(pool.count(), [&](Index t) { sink[static_cast<std::size_t>(t)] = rounds_of(rounds); });
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  long rounds = 1000;
  while (seconds(rounds) < 0.02) rounds *= 2;
  double best = 1e30;
  for (int i = 0; i < 5; ++i) best = std::min(best, seconds(rounds));
  return flop * static_cast<double>(rounds) * pool.count() / best * 1e-9 + 0 * static_cast<double>(sink[0]);
}

}  // namespace minivit::inline MINIVIT_ISA::testing
