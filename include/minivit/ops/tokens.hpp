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
  for (Index b = 0; b < dx.batch(); ++b) kernels::mean_rows_backward<Arch, T>(dx[b].data(), D, dpooled[b].data(), N, D, false);
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
