// SPDX-License-Identifier: MIT
// Windows of a square map of tokens (Swin, arXiv 2103.14030): which token stands where when the map is rolled and cut into
// windows, and which tokens of a window on the rolled border must not see each other. Nothing is moved: what reads or writes
// tokens in window order asks here for their place.
#pragma once

#include <minivit/core/view.hpp>

#include <algorithm>

namespace minivit::inline MINIVIT_ISA::kernels {

/// A map of side x side tokens, row-major, in windows of window x window tokens, after a roll by -shift along both axes.
/// Windows are ordered row-major, so are the tokens of a window. Precondition: window divides side; 0 <= shift < window.
struct WindowMap {
  Index side = 0;    ///< tokens per side of the map
  Index window = 0;  ///< tokens per side of a window
  Index shift = 0;   ///< tokens by which the map is rolled up and left before the cut; 0: not at all

  constexpr Index per_side() const { return side / window; }           ///< windows
  constexpr Index windows() const { return per_side() * per_side(); }  ///< in a map
  constexpr Index tokens() const { return window * window; }           ///< in a window
  /// Whether window order is the map's own.
  constexpr bool plain() const { return window == side && shift == 0; }

  /// Place in the map of row r of the window order, 0 <= r < side * side.
  constexpr Index token(Index r) const {
    const Index w = r / tokens(), i = r % tokens();
    const Index row = w / per_side() * window + i / window, column = w % per_side() * window + i % window;
    return (row + shift) % side * side + (column + shift) % side;
  }

  /// Calls f(row, token, count) for stretches of `count` rows of the window order, from `first` on, that are neighbours in
  /// the map, too: together the rows [first, first + rows).
  template <class F>
  constexpr void each_run(Index first, Index rows, F&& f) const {
    for (Index r = first; r < first + rows;) {
      const Index at = token(r);
      const Index to_window = window - r % window, to_edge = side - at % side, left = first + rows - r;
      const Index count = to_window < to_edge ? (to_window < left ? to_window : left) : (to_edge < left ? to_edge : left);
      f(r, at, count);
      r += count;
    }
  }

  /// Which borders of the rolled map a window touches: 1 the right one, 2 the lower one, 3 both, 0 none. There tokens from
  /// both sides of the map meet.
  constexpr int border(Index w) const {
    return (w % per_side() == per_side() - 1 ? 1 : 0) + (w / per_side() == per_side() - 1 ? 2 : 0);
  }
};

/// Added to the scores of tokens that must not see each other (the published code's value; not minus infinity).
inline constexpr int masked_score = -100;

/// mask [N, stride], N = window^2, of a window at `border`, for a shift of `shift`: masked_score between tokens that come
/// from different sides of the map, 0 elsewhere and behind N. The shift is an argument of its own, because MiniViT's shared
/// blocks mask their unshifted layers, too (reference section 2.4).
template <class T>
constexpr void window_mask(T* mask, Index stride, Index window, Index shift, int border) {
  const Index edge = window - shift;
  for (Index row = 0; row < window; ++row)
    for (Index column = 0; column < window; ++column, mask += stride) {  // of the query
      const bool as_left = column > 0 && column != edge, as_above = row > 0 && row != edge;
      if (as_left || as_above) {
        std::copy_n(mask - (as_left ? 1 : window) * stride, stride, mask);
        continue;
      }
      T* to = mask;
      for (Index key_row = 0; key_row < window; ++key_row) {
        const bool rows_apart = (border & 2) && (row < edge) != (key_row < edge);
        for (Index key_column = 0; key_column < window; ++key_column)
          *to++ = rows_apart || ((border & 1) && (column < edge) != (key_column < edge)) ? T{masked_score} : T{0};
      }
      std::fill(to, mask + stride, T{0});
    }
}

/// Row of the bias table [(2 window - 1)^2, H] for query i and key j of a window.
constexpr Index position_bias_row(Index window, Index i, Index j) {
  return (i / window - j / window + window - 1) * (2 * window - 1) + i % window - j % window + window - 1;
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
