// SPDX-License-Identifier: MIT
// sorted: in which order records stand by some rule, as numbers. One sort is compiled for all kinds of records of files:
// std::sort is two kilobytes of code for numbers, and ten for records with names, each time.
#pragma once

#include <minivit/core/isa.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <vector>

namespace minivit::inline MINIVIT_ISA::detail {

/// A rule that says whether record a stands in front of record b, whatever its type.
struct Order {
  const void* rule;
  bool (*before)(const void*, std::size_t, std::size_t);
  bool operator()(std::size_t a, std::size_t b) const { return before(rule, a, b); }
};

inline std::vector<std::size_t> sorted_by(std::size_t count, Order order) {
  std::vector<std::size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  std::sort(numbers.begin(), numbers.end(), order);
  return numbers;
}

/// The numbers 0 .. count - 1 so that before(later, earlier) is never true; those that no rule puts before each other stand
/// in any order.
template <class Before>
std::vector<std::size_t> sorted(std::size_t count, const Before& before) {
  return sorted_by(count, {&before, [](const void* rule, std::size_t a, std::size_t b) {
                             return (*static_cast<const Before*>(rule))(a, b);
                           }});
}

}  // namespace minivit::inline MINIVIT_ISA::detail
