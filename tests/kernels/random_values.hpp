// SPDX-License-Identifier: MIT
// Numbers that look random and are the same in every run.
#pragma once

#include <minivit/core/random.hpp>
#include <minivit/core/view.hpp>

#include <cstdint>
#include <vector>

namespace kernel_test {

/// Number i of a stream, in [low, high).
inline double uniform(std::uint64_t stream, minivit::Index i, double low, double high) {
  return low + (high - low) * minivit::Random(stream).uniform(static_cast<std::uint64_t>(i));
}

/// The first n of a stream.
inline std::vector<float> floats(std::uint64_t stream, minivit::Index n, double low, double high) {
  std::vector<float> out(static_cast<std::size_t>(n));
  for (minivit::Index i = 0; i < n; ++i)
    out[static_cast<std::size_t>(i)] = static_cast<float>(uniform(stream, i, low, high));
  return out;
}

}  // namespace kernel_test
