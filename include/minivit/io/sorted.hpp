// SPDX-License-Identifier: MIT
// sorted: in which order records stand by some rule, as numbers. One sort is compiled for all kinds of records of files: std::sort is a
// kilobyte of code for numbers, and ten for records with names, each time.
#pragma once

#include <minivit/core/isa.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>
#include <vector>

namespace minivit::inline MINIVIT_ISA::detail {

/// The numbers 0 .. count - 1 so that less(later, earlier) is never true; numbers that no rule puts before each other stand in any order.
inline std::vector<std::size_t> sorted(std::size_t count, const std::function<bool(std::size_t, std::size_t)>& less) {
  std::vector<std::size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  std::sort(numbers.begin(), numbers.end(), [&](std::size_t a, std::size_t b) { return less(a, b); });
  return numbers;
}

}  // namespace minivit::inline MINIVIT_ISA::detail
