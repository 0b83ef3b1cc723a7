// SPDX-License-Identifier: MIT
// Packing: the right-hand matrix of a product, B [K, N], is stored in vertical panels so that the inner loop of the
// product reads it front to back. A panel is 3 registers wide; the last one, or two, are as narrow as whole registers allow,
// so a packed matrix has K * round_up(N, lanes) elements. Columns behind N are zero.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/kernels/matrix.hpp>
#include <minivit/simd/bf16.hpp>
#include <minivit/simd/transpose.hpp>

#include <algorithm>

namespace minivit::inline MINIVIT_ISA::kernels {

/// Register tile of the matrix product: `rows` x (`vectors` * lanes). 8 x 3 uses 24 of 32 registers for sums, 4 x 3 uses
/// 12 of 16; both leave room for one row of B and a broadcast of A.
template <class Arch, class T>
struct Tile {
  static constexpr Index rows = simd::registers<Arch> == 32 ? 8 : 4;  ///< of A and C
  static constexpr Index vectors = 3;                                 ///< registers side by side
  static constexpr Index lanes = simd::lanes<T, Arch>;                ///< elements of T in a register
  static constexpr Index width = vectors * lanes;                     ///< columns of a full panel
};

/// Width of the next panel when `columns` are left. Four registers are 2 + 2, not 3 + 1: a tile of one register reads as
/// many numbers of A as one of three. Attention of 49 keys, and of heads of width 64, takes 4 to 5 % less time with it.
template <class Arch, class T>
constexpr Index panel_width(Index columns) {
  using Shape = Tile<Arch, T>;
  const Index left = round_up(columns, Shape::lanes);
  return left == 4 * Shape::lanes ? 2 * Shape::lanes : std::min(left, Shape::width);
}

/// Depth of one block of K: 512 rows of a float panel are 96 KiB and stay in L2 while all row tiles pass over them.
inline constexpr Index block_depth = 512;

/// Elements of packed B [k, n].
template <class Arch, class T>
constexpr Index packed_size(Index k, Index n) {
  return k * round_up(n, Tile<Arch, T>::lanes);
}

/// Packs columns [column, column + width) and rows [row, row + depth) of B [.., n] into `dst` [depth, width].
/// Order::plain: B(i, j) = b[i * ldb + j]. Order::transposed: B(i, j) = b[j * ldb + i]. Precondition: `width` is a multiple
/// of the lanes.
template <class Arch, class W, class T>
MINIVIT_KERNEL void pack_panel(W* dst, const T* b, Index ldb, Order order, Index row, Index depth, Index column, Index width,
                               Index n) {
  constexpr Index L = simd::lanes<T, Arch>;
  const Index valid = std::min(width, n - column);
  const auto convert = [](T value) {
    if constexpr (std::is_same_v<W, T>) return value;
    else return W(static_cast<float>(value));
  };
  if (order == Order::plain) {
    for (Index k = 0; k < depth; ++k) {
      const T* const source = b + (row + k) * ldb + column;
      W* const target = dst + k * width;
      Index j = 0;
      if constexpr (std::is_same_v<W, T>) {
        for (; j + L <= valid; j += L) simd::store<Arch>(target + j, simd::load<Arch>(source + j));
        if (j < valid) simd::store<Arch>(target + j, simd::load_partial<Arch>(source + j, valid - j)), j += L;
      }
      for (; j < valid; ++j) target[j] = convert(source[j]);
      for (; j < width; ++j) target[j] = W{};
    }
    return;
  }
  Index done = 0;  // rows of the panel
  if constexpr (std::is_same_v<W, float> && std::is_same_v<T, float> && simd::transpose_side<Arch> == L) {
    constexpr Index bytes = sizeof(float);
    done = depth / L * L;
    for (Index j = 0; j < width; j += L)
      for (Index k = 0; k < done; k += L)
        simd::transpose<Arch>(dst + k * width + j, width * bytes, b + (column + j) * ldb + row + k, ldb * bytes,
                              std::clamp(valid - j, Index{0}, L));
  }
  constexpr Index strip = 16;  // short runs along K: a cache line of the source is used up before the next one is read
  for (Index k0 = done; k0 < depth; k0 += strip) {
    const Index k1 = std::min(depth, k0 + strip);
    for (Index j = 0; j < valid; ++j) {
      const T* const source = b + (column + j) * ldb + row;
      for (Index k = k0; k < k1; ++k) dst[k * width + j] = convert(source[k]);
    }
    for (Index k = k0; k < k1; ++k)
      for (Index j = valid; j < width; ++j) dst[k * width + j] = W{};
  }
}

/// Packs all of B [k, n]. `dst` has packed_size<Arch, T>(k, n) elements.
template <class Arch, class T, class W>
MINIVIT_KERNEL void pack(W* dst, const T* b, Index ldb, Order order, Index k, Index n) {
  for (Index column = 0; column < n;) {
    const Index width = panel_width<Arch, T>(n - column);
    pack_panel<Arch>(dst + k * column, b, ldb, order, 0, k, column, width, n);
    column += width;
  }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
