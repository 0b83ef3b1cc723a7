// SPDX-License-Identifier: MIT
// Counter-based random numbers: value i of a stream is a function of (key, i), the same on every machine and for
// every thread count, and a checkpoint needs no generator state beyond the seed. The mixing function is the
// finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA 2014). Not for cryptography.
#pragma once

#include <minivit/core/view.hpp>

#include <cmath>
#include <cstdint>
#include <string_view>

namespace minivit::inline MINIVIT_ISA {

/// FNV-1a of the bytes: turns a name into a key.
constexpr std::uint64_t hash_name(std::string_view name) {
  std::uint64_t h = 0xCBF29CE484222325u;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return h;
}

/// Mixes all bits of z into all bits of the result.
constexpr std::uint64_t mix_bits(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// An endless stream of random numbers with random access. A value; copying it copies the stream.
class Random {
 public:
  explicit constexpr Random(std::uint64_t key) : key_(key) {}  ///< two streams of the same key are the same

  /// An independent stream: `Random(seed).fork("drop_path").fork(step).fork(image)`.
  constexpr Random fork(std::uint64_t i) const { return Random(mix_bits(key_ ^ mix_bits(i + 0x632BE59BD9B4E019u))); }
  constexpr Random fork(std::string_view name) const { return fork(hash_name(name)); }  ///< same, by name

  /// Number i of the stream: 64 uniform bits.
  constexpr std::uint64_t bits(std::uint64_t i) const { return mix_bits(key_ + (i + 1) * 0x9E3779B97F4A7C15u); }
  /// In [0, 1), a multiple of 2^-53.
  constexpr double uniform(std::uint64_t i) const { return static_cast<double>(bits(i) >> 11) * 0x1p-53; }
  /// In [0, n). Precondition: n >= 1. The bias is below n / 2^53.
  constexpr Index below(std::uint64_t i, Index n) const {
    const auto k = static_cast<Index>(uniform(i) * static_cast<double>(n));
    return k < n ? k : n - 1;
  }
  /// Normal with mean 0 and standard deviation 1 (Box-Muller, from numbers 2i and 2i + 1).
  double normal(std::uint64_t i) const {
    const double u = 1.0 - uniform(2 * i);  // in (0, 1]
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * uniform(2 * i + 1));
  }
  /// Next number for sequential use.
  constexpr double next() { return uniform(counter_++); }
  constexpr Index next_below(Index n) { return below(counter_++, n); }  ///< next number in [0, n); n >= 1
  /// Next number of normal distribution; takes one count of the stream, as next() does.
  double next_normal() { return normal(counter_++); }

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace minivit::inline MINIVIT_ISA
