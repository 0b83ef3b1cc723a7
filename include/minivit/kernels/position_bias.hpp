// SPDX-License-Identifier: MIT
// Position bias of Swin windows: a table with one number for each head and offset between query and key, spread out once per
// call to planes in the layout of the scores, and its gradient gathered from such planes. Neighbouring rows of a window have
// the same offsets, so all but w of the N = w^2 numbers of a plane's row are those of the row w above it, moved by w.
#pragma once

#include <minivit/kernels/windows.hpp>
#include <minivit/simd/sweep.hpp>

#include <algorithm>

namespace minivit::inline MINIVIT_ISA::kernels {

namespace detail {

/// A few dozen elements, for which a call of memmove takes longer than the copy.
template <class Arch, class T>
constexpr void copy(T* to, const T* from, Index count) {
  if (std::is_constant_evaluated())
    for (Index i = 0; i < count; ++i) to[i] = from[i];
  else simd::sweep<Arch, T>(count, [&](Index i, auto io, auto) { io.store(to + i, io.load(from + i)); });
}

}  // namespace detail

/// planes[h, i, j] = table[position_bias_row(window, i, j), h], planes [heads, N, stride] with N = window^2, zero behind N.
/// Preconditions: stride >= N; `table` [(2 window - 1)^2, heads].
template <class Arch, class T>
constexpr void spread_position_bias(T* planes, Index stride, const T* table, Index window, Index heads) {
  const Index N = window * window;
  for (Index h = 0; h < heads; ++h)
    for (Index row = 0, i = 0; row < window; ++row)
      for (Index column = 0; column < window; ++column, ++i) {
        T* const to = planes + (h * N + i) * stride;
        const Index known = row == 0 ? 0 : N - window;  // keys from the second row of the window on
        if (known > 0) detail::copy<Arch>(to + window, to - window * stride, known);
        for (Index key_row = 0; key_row * window < N - known; ++key_row) {
          const T* const from = table + position_bias_row(window, i, key_row * window) * heads + h;
          for (Index c = 0; c < window; ++c) to[key_row * window + c] = from[-c * heads];
        }
        for (Index j = N; j < stride; ++j) to[j] = T{0};
      }
}

/// dtable[position_bias_row(window, i, j), h] += the sum of dplanes[h, i, j] over all such i, j. `dplanes` is used up.
template <class T>
constexpr void gather_position_bias(T* dtable, T* dplanes, Index stride, Index window, Index heads) {
  const Index N = window * window;
  for (Index h = 0; h < heads; ++h)
    for (Index i = N; i-- > 0;) {
      T* const from = dplanes + (h * N + i) * stride;
      const Index moved = i < window ? 0 : N - window;  // to the row above
      for (Index j = 0; j < moved; ++j) from[j - window * stride] += from[j + window];
      for (Index key_row = 0; key_row * window < N - moved; ++key_row) {
        T* const to = dtable + position_bias_row(window, i, key_row * window) * heads + h;
        for (Index c = 0; c < window; ++c) to[-c * heads] += from[key_row * window + c];
      }
    }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
