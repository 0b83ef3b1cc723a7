// SPDX-License-Identifier: MIT
// Packing: the right-hand matrix of a product, B [K, N], is stored in vertical panels so that the inner loop of the
// product reads it front to back. A panel is 3 registers wide; the last one is as narrow as whole registers allow, so a
// packed matrix has K * round_up(N, lanes) elements. Columns behind N are zero.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/kernels/matrix.hpp>
#include <minivit/simd/bf16.hpp>

#include <algorithm>

namespace minivit::inline MINIVIT_ISA::kernels {

/// Register tile of the matrix product: `rows` x (`vectors` * lanes). 8 x 3 uses 24 of 32 registers for sums, 4 x 3 uses
/// 12 of 16; both leave room for one row of B and a broadcast of A.
template <class Arch, class T>
struct Tile {
  static constexpr Index rows = simd::registers<Arch> == 32 ? 8 : 4;
  static constexpr Index vectors = 3;
  static constexpr Index lanes = simd::lanes<T, Arch>;
  static constexpr Index width = vectors * lanes;  ///< columns of a full panel
};

/// Depth of one block of K: 512 rows of a float panel are 96 KiB and stay in L2 while all row tiles pass over them.
inline constexpr Index block_depth = 512;

/// Elements of packed B [k, n].
template <class Arch, class T>
constexpr Index packed_size(Index k, Index n) {
  return k * round_up(n, Tile<Arch, T>::lanes);
}

/// Packs columns [column, column + width) and rows [row, row + depth) of B [.., n] into `dst` [depth, width].
/// Order::plain: B(i, j) = b[i * ldb + j]. Order::transposed: B(i, j) = b[j * ldb + i].
template <class W, class T>
void pack_panel(W* dst, const T* b, Index ldb, Order order, Index row, Index depth, Index column, Index width, Index n) {
  const Index valid = std::min(width, n - column);
  const auto convert = [](T value) {
    if constexpr (std::is_same_v<W, T>) return value;
    else return W(static_cast<float>(value));
  };
  if (order == Order::plain) {
    for (Index k = 0; k < depth; ++k) {
      const T* const source = b + (row + k) * ldb + column;
      W* const target = dst + k * width;
      for (Index j = 0; j < valid; ++j) target[j] = convert(source[j]);
      for (Index j = valid; j < width; ++j) target[j] = W{};
    }
    return;
  }
  constexpr Index strip = 16;  // short runs along K: a cache line of the source is used up before the next one is read
  for (Index k0 = 0; k0 < depth; k0 += strip) {
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
void pack(W* dst, const T* b, Index ldb, Order order, Index k, Index n) {
  using Shape = Tile<Arch, T>;
  for (Index column = 0; column < n; column += Shape::width) {
    const Index width = std::min(Shape::width, round_up(n - column, Shape::lanes));
    pack_panel(dst + k * column, b, ldb, order, 0, k, column, width, n);
  }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
