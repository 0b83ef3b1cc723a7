// SPDX-License-Identifier: MIT
// A square map of positions at another size, as the reference makes it before fine-tuning: bicubic with a = -0.75,
// half-pixel centres, edges repeated, no antialiasing (PyTorch's interpolate; timm antialiases since 0.8). Knows nothing of
// models.
#pragma once

#include <minivit/core/view.hpp>

#include <algorithm>
#include <cmath>

namespace minivit::inline MINIVIT_ISA {

/// to [to_side, to_side, dim] from from [from_side, from_side, dim]; cubic convolution (Keys 1981) with a = -0.75, in
/// double.
template <class T>
void resample_positions(T* to, int to_side, const T* from, int from_side, Index dim) {
  struct Taps {
    int at[4];
    double weight[4];
  };
  const auto taps_at = [&](int out) {
    constexpr double a = -0.75;
    const double x = (out + 0.5) * from_side / to_side - 0.5, floor = std::floor(x), t = x - floor;
    const auto near = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
    const auto far = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
    Taps taps{{}, {far(1 + t), near(t), near(1 - t), far(2 - t)}};
    for (int k = 0; k < 4; ++k) taps.at[k] = std::clamp(static_cast<int>(floor) + k - 1, 0, from_side - 1);
    return taps;
  };
  for (int y = 0; y < to_side; ++y) {
    const Taps rows = taps_at(y);
    for (int x = 0; x < to_side; ++x) {
      const Taps columns = taps_at(x);
      for (Index c = 0; c < dim; ++c) {
        double sum = 0;
        for (int i = 0; i < 4; ++i) {
          double row = 0;
          for (int j = 0; j < 4; ++j)
            row += columns.weight[j] * static_cast<double>(from[(Index{rows.at[i]} * from_side + columns.at[j]) * dim + c]);
          sum += rows.weight[i] * row;
        }
        to[(Index{y} * to_side + x) * dim + c] = static_cast<T>(sum);
      }
    }
  }
}

}  // namespace minivit::inline MINIVIT_ISA
