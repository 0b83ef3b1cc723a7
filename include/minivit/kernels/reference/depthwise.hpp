// SPDX-License-Identifier: MIT
// Scalar definition of the depth-wise convolution with its skip connection (kernels/depthwise.hpp), forward and backward. It
// is what the tests compare with and what the compiler runs in a constant expression. Every sum is a double, whatever T is.
#pragma once

#include <minivit/core/view.hpp>

namespace minivit::inline MINIVIT_ISA::kernels::reference {

namespace detail {

/// Place of the token `down` rows below and `right` columns beside `token` in a map of side x side tokens; -1 outside of the
/// map.
constexpr Index neighbour(Index token, Index down, Index right, Index side) {
  const Index row = token / side + down, column = token % side + right;
  return row >= 0 && row < side && column >= 0 && column < side ? row * side + column : -1;
}

}  // namespace detail

/// y = x + conv(x) + bias for one map of side x side tokens of `dim` channels, row-major; tokens start `ldy` and `ldx`
/// elements apart. weight [dim, 1, kernel, kernel], bias [dim]. What lies outside of the map is zero. `kernel` is odd; y
/// does not overlap x.
template <class T>
constexpr void depthwise(T* y, Index ldy, const T* x, Index ldx, const T* weight, const T* bias, Index side, Index dim,
                         Index kernel) {
  const Index taps = kernel * kernel, centre = kernel / 2;
  for (Index t = 0; t < side * side; ++t)
    for (Index c = 0; c < dim; ++c) {
      double sum = static_cast<double>(x[t * ldx + c]) + static_cast<double>(bias[c]);
      for (Index tap = 0; tap < taps; ++tap) {
        const Index from = detail::neighbour(t, tap / kernel - centre, tap % kernel - centre, side);
        if (from >= 0) sum += static_cast<double>(x[from * ldx + c]) * static_cast<double>(weight[c * taps + tap]);
      }
      y[t * ldy + c] = static_cast<T>(sum);
    }
}

/// Gradients of depthwise: dx = dy + conv^T(dy), overwritten; dweight += and dbias += sums over the map. dx does not overlap
/// dy.
template <class T>
constexpr void depthwise_backward(T* dx, Index lddx, T* dweight, T* dbias, const T* dy, Index lddy, const T* x, Index ldx,
                                  const T* weight, Index side, Index dim, Index kernel) {
  const Index taps = kernel * kernel, centre = kernel / 2;
  for (Index c = 0; c < dim; ++c) {
    double db = static_cast<double>(dbias[c]);
    for (Index t = 0; t < side * side; ++t) db += static_cast<double>(dy[t * lddy + c]);
    dbias[c] = static_cast<T>(db);
    for (Index tap = 0; tap < taps; ++tap) {
      double dw = static_cast<double>(dweight[c * taps + tap]);
      for (Index t = 0; t < side * side; ++t) {
        const Index from = detail::neighbour(t, tap / kernel - centre, tap % kernel - centre, side);
        if (from >= 0) dw += static_cast<double>(dy[t * lddy + c]) * static_cast<double>(x[from * ldx + c]);
      }
      dweight[c * taps + tap] = static_cast<T>(dw);
    }
    for (Index t = 0; t < side * side; ++t) {
      double d = static_cast<double>(dy[t * lddy + c]);
      for (Index tap = 0; tap < taps; ++tap) {
        const Index to = detail::neighbour(t, centre - tap / kernel, centre - tap % kernel, side);
        if (to >= 0) d += static_cast<double>(dy[to * lddy + c]) * static_cast<double>(weight[c * taps + tap]);
      }
      dx[t * lddx + c] = static_cast<T>(d);
    }
  }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels::reference
