// SPDX-License-Identifier: MIT
// Windows of a map by their definition in the Swin paper: a map of token numbers is really rolled and really cut, and the
// mask follows from the nine regions of the rolled map. What kernels/windows.hpp computes is compared with this.
#pragma once

#include <minivit/core/view.hpp>

#include <vector>

namespace naive {

using minivit::Index;

/// A side x side map, rolled by -shift along both axes, in windows of window x window.
struct Windows {
  Index side, window, shift;
  std::vector<Index> order;  // token of each row of the window order

  Windows(Index side_, Index window_, Index shift_) : side(side_), window(window_), shift(shift_) {
    std::vector<std::vector<Index>> map(static_cast<std::size_t>(side), std::vector<Index>(static_cast<std::size_t>(side)));
    for (Index r = 0; r < side; ++r)
      for (Index c = 0; c < side; ++c)
        map[static_cast<std::size_t>((r - shift + side) % side)][static_cast<std::size_t>((c - shift + side) % side)] =
            r * side + c;
    for (Index r0 = 0; r0 < side; r0 += window)
      for (Index c0 = 0; c0 < side; c0 += window)
        for (Index r = r0; r < r0 + window; ++r)
          for (Index c = c0; c < c0 + window; ++c)
            order.push_back(map[static_cast<std::size_t>(r)][static_cast<std::size_t>(c)]);
  }

  Index count() const { return (side / window) * (side / window); }
  Index tokens() const { return window * window; }

  /// Whether tokens i and j of window w lie in different regions of a map rolled by -mask_shift.
  bool apart(Index w, Index i, Index j, Index mask_shift) const {
    const auto region = [&](Index x) { return x < side - window ? 0 : x < side - mask_shift ? 1 : 2; };
    const auto row = [&](Index t) { return w / (side / window) * window + t / window; };
    const auto column = [&](Index t) { return w % (side / window) * window + t % window; };
    return region(row(i)) != region(row(j)) || region(column(i)) != region(column(j));
  }

  /// Row of the bias table for query i and key j of a window: index (dr + w - 1)(2 w - 1) + dc + w - 1, query minus key.
  Index table_row(Index i, Index j) const {
    const Index dr = i / window - j / window, dc = i % window - j % window;
    return (dr + window - 1) * (2 * window - 1) + dc + window - 1;
  }
};

}  // namespace naive
