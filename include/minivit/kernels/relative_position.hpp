// SPDX-License-Identifier: MIT
// Buckets of the image relative position encoding (iRPE, ICCV 2021, section 3; product method). An offset between two
// patches is mapped piecewise, rows and columns apart: exact when near, logarithmic when far, constant at the end.
#pragma once

#include <minivit/core/view.hpp>
#include <minivit/kernels/reference/math.hpp>

#include <array>
#include <cstdint>

namespace minivit::inline MINIVIT_ISA::kernels {

/// Settings of every published Mini-DeiT: ratio 1.9, so alpha = 1.9, beta = 2 * 1.9, gamma = 8 * 1.9.
struct PiecewiseIndex {
  double alpha = 1.9, beta = 3.8, gamma = 15.2;  ///< exact up to alpha; beta is reached at gamma
  /// Offset t (query minus key) to an integer in [-3, 3] for the settings above.
  constexpr int operator()(int t) const {
    const double distance = t < 0 ? -t : t;
    if (distance <= alpha) return t;
    double far = alpha + reference::log(distance / alpha) / reference::log(gamma / alpha) * (beta - alpha);
    far = static_cast<double>(round_half_to_even(far));
    const int capped = static_cast<int>(far < beta ? far : beta);  // truncated: 3.8 becomes 3
    return t < 0 ? -capped : capped;
  }

 private:
  static constexpr int round_half_to_even(double x) {
    const int floor = static_cast<int>(x);
    const double rest = x - floor;
    return rest > 0.5 || (rest == 0.5 && floor % 2 != 0) ? floor + 1 : floor;
  }
};

inline constexpr int relative_range = 3;                                ///< largest piecewise index
inline constexpr int relative_side = 2 * relative_range + 1;            ///< values per axis
inline constexpr int relative_buckets = relative_side * relative_side;  ///< 49
/// Columns of a lookup table: one more bucket for every pair with a class or distillation token.
constexpr int relative_columns(int extra_tokens) { return relative_buckets + (extra_tokens > 0 ? 1 : 0); }

/// Piecewise index plus 3 for offsets -(Side-1) .. Side-1; `center()[t]` is the value for offset t. The index is odd, so the
/// value for -t is 6 minus that for t. `padding` more values may be read behind the last one.
template <int Side>
struct RelativeOffsets {
  static constexpr int padding = 15;  ///< a register may be read from the last offset on
  /// That of offset t at [t + Side - 1], and `padding` zeros
  std::array<std::int8_t, 2 * Side - 1 + padding> values = [] {
    std::array<std::int8_t, 2 * Side - 1 + padding> out{};
    for (int t = 1 - Side; t < Side; ++t)
      out[static_cast<std::size_t>(t + Side - 1)] = static_cast<std::int8_t>(PiecewiseIndex{}(t) + relative_range);
    return out;
  }();
  /// Of offset 0; negative indices are allowed.
  constexpr const std::int8_t* center() const { return values.data() + (Side - 1); }
};

/// Bucket of (query i, key j), token numbers in the sequence; `offsets` is RelativeOffsets::center().
constexpr int relative_bucket(const std::int8_t* offsets, Index i, Index j, Index side, Index extra_tokens) {
  if (i < extra_tokens || j < extra_tokens) return relative_buckets;
  const Index q = i - extra_tokens, k = j - extra_tokens;
  return offsets[q / side - k / side] * relative_side + offsets[q % side - k % side];
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
