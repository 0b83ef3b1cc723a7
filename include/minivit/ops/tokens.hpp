// SPDX-License-Identifier: MIT
// Ops between images, tokens and features: cutting patches, and pooling tokens for the head.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/reference/rows.hpp>
#include <minivit/kernels/rows.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

/// patches [G * G, C * P * P] of one image [C, S, S]: row-major over the grid, (channel, row, column) inside a patch, so
/// that a convolution with kernel = stride = P is a linear map.
template <class T, int C, int S, int N, int K>
constexpr void cut_patches(View<const T, C, S, S> image, View<T, N, K> patches, int patch, Arena<T>& arena) {
  if (arena.counting()) return;
  const Index P = patch, G = S / P;
  arena.split(G, 1, element_cost * G * K, [&](Index first, Index count, int) {
    T* to = patches.data() + first * G * K;
    for (Index row = first; row < first + count; ++row)
      for (Index column = 0; column < G; ++column)
        for (Index c = 0; c < C; ++c)
          for (Index y = 0; y < P; ++y) {
            const T* const from = image.data() + (c * S + row * P + y) * S + column * P;
            for (Index x = 0; x < P; ++x) *to++ = from[x];
          }
  });
}

/// pooled [B, D] = mean over the N tokens of each image.
template <class Arch, class T, int N, int D>
constexpr void mean_pool(View<const T, Dyn, N, D> x, View<T, Dyn, D> pooled, Arena<T>& arena) {
  if (arena.counting()) return;
  for (Index b = 0; b < x.batch(); ++b) {
    if (std::is_constant_evaluated()) kernels::reference::mean_rows<T>(pooled[b].data(), x[b].data(), D, N, D);
    else kernels::mean_rows<Arch, T>(pooled[b].data(), x[b].data(), D, N, D);
  }
}

/// dx [B, N, D] = dpooled / N for every token.
template <class Arch, class T, int N, int D>
constexpr void mean_pool_backward(View<const T, Dyn, D> dpooled, View<T, Dyn, N, D> dx, Arena<T>& arena) {
  if (arena.counting()) return;
  for (Index b = 0; b < dx.batch(); ++b)
    kernels::mean_rows_backward<Arch, T>(dx[b].data(), D, dpooled[b].data(), N, D, false);
}

namespace detail {
/// Calls f(cell, part, token) for every token of a Side x Side map: it is part 0 .. 3 of a 2 x 2 cell, in the reference's
/// order (upper left, lower left, upper right, lower right).
template <int Side, class F>
constexpr void each_cell_part(F&& f) {
  for (Index row = 0; row < Side; ++row)
    for (Index column = 0; column < Side; ++column)
      f(row / 2 * (Side / 2) + column / 2, row % 2 + 2 * (column % 2), row * Side + column);
}
}  // namespace detail

/// cells [B, Side^2 / 4, 4 D]: the tokens of each 2 x 2 cell of x side by side.
template <class T, int Side, int D>
constexpr void gather_cells(View<const T, Dyn, Side * Side, D> x, View<T, Dyn, Side * Side / 4, 4 * D> cells,
                            Arena<T>& arena) {
  if (arena.counting()) return;
  for (Index b = 0; b < x.batch(); ++b)
    detail::each_cell_part<Side>([&](Index cell, Index part, Index token) {
      std::copy_n(x[b].data() + token * D, D, cells[b].data() + cell * 4 * D + part * D);
    });
}

/// Inverse of gather_cells.
template <class T, int Side, int D>
constexpr void scatter_cells(View<const T, Dyn, Side * Side / 4, 4 * D> cells, View<T, Dyn, Side * Side, D> x,
                             Arena<T>& arena) {
  if (arena.counting()) return;
  for (Index b = 0; b < x.batch(); ++b)
    detail::each_cell_part<Side>([&](Index cell, Index part, Index token) {
      std::copy_n(cells[b].data() + cell * 4 * D + part * D, D, x[b].data() + token * D);
    });
}

/// picked [B, D] = token `which` of each image.
template <class T, int N, int D>
constexpr void pick_token(View<const T, Dyn, N, D> x, View<T, Dyn, D> picked, int which, Arena<T>& arena) {
  if (arena.counting()) return;
  for (Index b = 0; b < x.batch(); ++b)
    for (Index c = 0; c < D; ++c) picked(b, c) = x(b, which, c);
}

/// dx[b, which] += dpicked[b].
template <class T, int N, int D>
constexpr void pick_token_backward(View<const T, Dyn, D> dpicked, View<T, Dyn, N, D> dx, int which, Arena<T>& arena) {
  if (arena.counting()) return;
  for (Index b = 0; b < dx.batch(); ++b)
    for (Index c = 0; c < D; ++c) dx(b, which, c) += dpicked(b, c);
}

}  // namespace minivit::inline MINIVIT_ISA::ops
