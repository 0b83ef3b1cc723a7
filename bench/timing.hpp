// SPDX-License-Identifier: MIT
// What the benches that print tables share: seconds of a call, medians, and the refusal to time an unoptimised build.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <vector>

/// False, after saying so, when times of this build mean nothing.
inline bool is_optimised_build(const char* program) {
#if !defined(NDEBUG) || !defined(__OPTIMIZE__)
  std::fprintf(stderr, "%s: this is not an optimised build, its times mean nothing; use cmake --preset release\n", program);
  return false;
#else
  (void)program;
  return true;
#endif
}

/// The middle one, the upper of two. Precondition: not empty.
inline double median(std::vector<double> x) {
  const auto middle = x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2);
  std::nth_element(x.begin(), middle, x.end());
  return *middle;
}

template <class F>
double seconds(F&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}
