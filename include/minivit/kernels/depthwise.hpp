// SPDX-License-Identifier: MIT
// Depth-wise convolution of a map of tokens with its skip connection (MiniViT's transformation in front of the MLP): y = x +
// conv(x) + bias, every channel on its own, zeros around the map. Vectorised over channels. Definition:
// kernels/reference/depthwise.hpp.
//
// For MiniViT's 7 x 7 kernel a tile of up to eight outputs of a row stays in registers together with a row of taps: 49
// multiply-adds for 20 loads, so the multiply-adds set the pace and not the memory (there are six for every byte read or
// written). What a border cuts off is left out by the compiler, in tiles of their own: small maps cost no multiplications by
// zeros. Each sum runs over the taps in one order, whatever the tile, so results do not depend on how rows are split.
//
// Tried and not kept: tiles of 14 outputs, 2 to 5 % slower; one block of channels after the other for the whole map, 2 to 6
// % slower than row after row; copying tokens into a dense ring always, 6 to 9 % slower where their distance does not make
// them compete (see below).
#pragma once

#include <minivit/simd/sweep.hpp>

#include <algorithm>
#include <bit>

namespace minivit::inline MINIVIT_ISA::kernels {

/// One map of tokens and the kernel that runs over it.
struct DepthwiseShape {
  Index side = 0;    ///< the map has side x side tokens, row-major
  Index dim = 0;     ///< channels of a token
  Index kernel = 0;  ///< width of the kernel, odd; padding is kernel / 2

  constexpr Index taps() const { return kernel * kernel; }  ///< of the kernel
  /// Multiply-adds with tokens of the map; the zeros around it do not count.
  constexpr Index macs() const {
    Index along = 0;  // pairs of a place in a row and a tap that meet inside of the map
    for (Index k = 0; k < kernel; ++k)
      along += std::max(Index{0}, side - (k < kernel / 2 ? kernel / 2 - k : k - kernel / 2));
    return along * along * dim;
  }
};

namespace detail {

/// Channels are computed in blocks of one register. A last block that is not full starts earlier and computes some channels
/// a second time, which writes the same numbers; only fewer channels than a register holds are loaded and stored in part.
template <class Arch, class T>
struct ChannelBlocks {
  static constexpr Index width = simd::lanes<T, Arch>;
  Index dim;
  constexpr Index count() const { return (dim + width - 1) / width; }
  constexpr Index first(Index block) const { return std::max(Index{0}, std::min(block * width, dim - width)); }
};

}  // namespace detail

/// Blocks of channels, each of which may be computed by another thread.
template <class Arch, class T>
constexpr Index depthwise_blocks(const DepthwiseShape& shape) {
  return detail::ChannelBlocks<Arch, T>{shape.dim}.count();
}

/// Elements of a block of packed weights, or of the sums of depthwise_gradient: all taps and the bias. There are
/// depthwise_blocks of them.
template <class Arch, class T>
constexpr Index depthwise_block_size(const DepthwiseShape& shape) {
  return (shape.taps() + 1) * simd::lanes<T, Arch>;
}
/// All blocks together: elements to reserve for depthwise_pack.
template <class Arch, class T>
constexpr Index depthwise_packed_size(const DepthwiseShape& shape) {
  return depthwise_blocks<Arch, T>(shape) * depthwise_block_size<Arch, T>(shape);
}

/// packed [blocks, kernel * kernel + 1, lanes] from weight [dim, 1, kernel, kernel] and bias [dim], which may be null:
/// zeros. `flipped` turns the kernel round, for the gradient of x.
template <class Arch = simd::best, class T>
void depthwise_pack(T* packed, const T* weight, const T* bias, const DepthwiseShape& shape, bool flipped = false) {
  const detail::ChannelBlocks<Arch, T> blocks{shape.dim};
  constexpr Index L = blocks.width;
  const Index taps = shape.taps();
  for (Index b = 0; b < blocks.count(); ++b)
    for (Index i = 0; i < L; ++i) {
      T* const to = packed + b * depthwise_block_size<Arch, T>(shape) + i;
      const Index c = blocks.first(b) + i;
      if (c >= shape.dim) {
        for (Index t = 0; t <= taps; ++t) to[t * L] = T{0};
        continue;
      }
      const T* const from = weight + c * taps;
      if (flipped)
        for (Index t = 0; t < taps; ++t) to[t * L] = from[taps - 1 - t];
      else
        for (Index t = 0; t < taps; ++t) to[t * L] = from[t];
      to[taps * L] = bias ? bias[c] : T{0};
    }
}

namespace detail {

/// A row of a map is cut into so many tiles of at most eight tokens ...
constexpr Index row_tiles(Index side) { return (side + 7) / 8; }
/// ... and tile i of `width` tokens starts here. They are spread over the row and may overlap.
constexpr Index tile_start(Index side, Index width, Index i) {
  return i == 0 ? 0 : i * (side - width) / (row_tiles(side) - 1);
}

/// The kernel that has tiles of its own. Each further one costs two seconds of compile time per program.
inline constexpr Index tiled_kernel = 7;

/// A tile of R tokens of a row; a single one is the whole row. Other tiles have at least half a kernel of tokens beside
/// them.
template <Index R, bool Single>
struct RowTile {};

/// Calls f(RowTile) with the tile that suits rows of that length.
template <class F>
void with_row_tile(Index side, F&& f) {
  const Index width = (side + row_tiles(side) - 1) / row_tiles(side);  // 1 to 8 for one tile, 5 to 8 for more
  const auto call = [&]<Index R>(std::integral_constant<Index, R>) {
    if (row_tiles(side) == 1) f(RowTile<R, true>{});
    else if constexpr (R > 4) f(RowTile<R, false>{});
  };
  [&]<Index... I>(std::integer_sequence<Index, I...>) {
    ((width == I + 1 ? call(std::integral_constant<Index, I + 1>{}) : void()), ...);
  }
  (std::make_integer_sequence<Index, 8>{});
}

/// Calls f(way, io) for what suits a shape. way: a RowTile, or the width of a kernel that has no tiles; io: whole registers,
/// or the first lanes of one where there are fewer channels.
template <class Arch, class T, class F>
void with_way(const DepthwiseShape& shape, F&& f) {
  const simd::Whole<T, Arch> whole;
  if (shape.dim < simd::lanes<T, Arch>) f(shape.kernel, simd::Part<T, Arch>{shape.dim});
  else if (shape.kernel == tiled_kernel) with_row_tile(shape.side, [&](auto tile) { f(tile, whole); });
  else f(shape.kernel, whole);
}

/// Rows of tokens, one block of channels of them: where they lie in the map, or copies in a ring.
template <class T>
struct TokenRows {
  const T* data;  // row r starts at data + (r & mask) * row
  Index row;
  Index mask;  // all ones: the map itself
  Index ld;    // distance between tokens

  const T* at(Index r, Index column) const { return data + (r & mask) * row + column * ld; }
};

/// Tokens at this distance, or a multiple, share one or two of the 64 sets of an L1 cache and push each other out: they are
/// copied first. With tokens of 512 and 1024 floats that makes the forward 1.5 to 3 times as fast, the gradient 1.5 to 2
/// times.
template <class T>
constexpr bool tokens_compete(Index ld) {
  return ld * static_cast<Index>(sizeof(T)) % 2048 == 0;
}

/// Slots of a ring for `rows` rows at a time.
constexpr Index ring_slots(Index rows) { return static_cast<Index>(std::bit_ceil(static_cast<std::size_t>(rows))); }

/// Copies one block of channels of `count` tokens.
template <class Arch, class T, class Io>
void copy_tokens(T* to, const T* from, Index ld, Index count, Io io) {
  constexpr Index L = simd::lanes<T, Arch>;
  for (Index t = 0; t < count; ++t) simd::store<Arch>(to + t * L, io.load(from + t * ld));
}

/// A row of outputs under a kernel of width 7: rows of taps in [from, to) lie inside of the map. `y` is the row's first
/// output.
template <class Arch, Index R, bool Single, class T, class Io>
void depthwise_row(RowTile<R, Single>, T* y, Index ldy, const TokenRows<T>& x, Index side, Index r, const T* packed,
                   Index from, Index to, Io io) {
  using B = simd::Batch<T, Arch>;
  constexpr Index L = simd::lanes<T, Arch>, K = tiled_kernel, P = K / 2;
  const Index ld = x.ld;
  // R outputs from `column` on, which begin (`First`) or end (`Last`) the row or stand further inside
  const auto tile = [&]<bool First, bool Last>(std::bool_constant<First>, std::bool_constant<Last>, Index column) {
    B sum[R];
#pragma GCC unroll 8
    for (Index j = 0; j < R; ++j) sum[j] = simd::load<Arch>(packed + K * K * L);
    for (Index ky = from; ky < to; ++ky) {
      const T* const in = x.at(r + ky - P, column);
      const T* const taps = packed + ky * K * L;
      B tap[K];
#pragma GCC unroll 8
      for (Index k = 0; k < K; ++k) tap[k] = simd::load<Arch>(taps + k * L);
#pragma GCC unroll 16
      for (Index i = First ? 0 : -P; i < (Last ? R : R + P); ++i) {
        const B token = simd::load<Arch>(in + i * ld);
#pragma GCC unroll 8
        for (Index j = 0; j < R; ++j)
          if (i - j + P >= 0 && i - j + P < K) sum[j] = simd::fma(tap[i - j + P], token, sum[j]);
      }
    }
    const T* const skip = x.at(r, column);
#pragma GCC unroll 8
    for (Index j = 0; j < R; ++j) io.store(y + (column + j) * ldy, sum[j] + simd::load<Arch>(skip + j * ld));
  };
  constexpr std::true_type yes;
  constexpr std::false_type no;
  if constexpr (Single) {
    tile(yes, yes, 0);
  } else {
    tile(yes, no, 0);
    for (Index i = 1; i + 1 < row_tiles(side); ++i) tile(no, no, tile_start(side, R, i));
    tile(no, yes, side - R);
  }
}

/// The same under a kernel of any width: four outputs at a time where no border is near, else one.
template <class Arch, class T, class Io>
void depthwise_row(Index kernel, T* y, Index ldy, const TokenRows<T>& x, Index side, Index r, const T* packed, Index from,
                   Index to, Io io) {
  constexpr Index L = simd::lanes<T, Arch>;
  const Index centre = kernel / 2;
  const auto outputs = [&]<Index R>(std::integral_constant<Index, R>, Index column, Index left, Index right) {
    simd::Batch<T, Arch> sum[R];
    for (Index j = 0; j < R; ++j) sum[j] = simd::load<Arch>(packed + kernel * kernel * L);
    for (Index ky = from; ky < to; ++ky)
      for (Index kx = left; kx < right; ++kx) {
        const auto tap = simd::load<Arch>(packed + (ky * kernel + kx) * L);
        const T* const in = x.at(r + ky - centre, column + kx - centre);
#pragma GCC unroll 4
        for (Index j = 0; j < R; ++j) sum[j] = simd::fma(tap, simd::load<Arch>(in + j * x.ld), sum[j]);
      }
    for (Index j = 0; j < R; ++j) io.store(y + (column + j) * ldy, sum[j] + simd::load<Arch>(x.at(r, column + j)));
  };
  for (Index column = 0; column < side;) {
    if (column >= centre && column + 4 + centre <= side) {
      outputs(std::integral_constant<Index, 4>{}, column, 0, kernel);
      column += 4;
    } else {
      outputs(std::integral_constant<Index, 1>{}, column, std::max(Index{0}, centre - column),
              std::min(kernel, side - column + centre));
      ++column;
    }
  }
}

}  // namespace detail

/// Elements of scratch that depthwise needs.
template <class Arch, class T>
constexpr Index depthwise_scratch(const DepthwiseShape& shape) {
  return detail::ring_slots(shape.kernel) * shape.side * simd::lanes<T, Arch>;
}

/// Rows [first, first + rows) of y = x + conv(x) + bias for one map; `y` and `x` are its first tokens, which start `ldy` and
/// `ldx` elements apart. `packed` is made by depthwise_pack<Arch, T>. Preconditions: side, dim >= 1; kernel is odd; y does
/// not overlap x.
///
/// The gradient of x is this function of dy with flipped taps and no bias.
template <class Arch = simd::best, class T>
MINIVIT_KERNEL void depthwise(T* y, Index ldy, const T* x, Index ldx, const T* packed, const DepthwiseShape& shape,
                              Index first, Index rows, T* scratch) {
  const detail::ChannelBlocks<Arch, T> blocks{shape.dim};
  constexpr Index L = blocks.width;
  const Index side = shape.side, kernel = shape.kernel, centre = kernel / 2;
  const auto run = [&](auto tile, auto io) {  // tile: a RowTile, or the width of the kernel
    const auto row = [&](Index b, Index r, const detail::TokenRows<T>& tokens) {
      detail::depthwise_row<Arch>(tile, y + r * side * ldy + blocks.first(b), ldy, tokens, side, r,
                                  packed + b * depthwise_block_size<Arch, T>(shape), std::max(Index{0}, centre - r),
                                  std::min(kernel, side - r + centre), io);
    };
    if (shape.dim >= L && !detail::tokens_compete<T>(ldx)) {
      for (Index r = first; r < first + rows; ++r)
        for (Index b = 0; b < blocks.count(); ++b) row(b, r, {x + blocks.first(b), side * ldx, -1, ldx});
      return;
    }
    const Index slots = detail::ring_slots(kernel);
    const detail::TokenRows<T> ring{scratch, side * L, slots - 1, L};
    for (Index b = 0; b < blocks.count(); ++b) {
      Index next = std::max(Index{0}, first - centre);
      for (Index r = first; r < first + rows; ++r) {
        for (; next < std::min(side, r + centre + 1); ++next)
          detail::copy_tokens<Arch>(scratch + (next & (slots - 1)) * side * L, x + next * side * ldx + blocks.first(b), ldx,
                                    side, io);
        row(b, r, ring);
      }
    }
  };
  detail::with_way<Arch, T>(shape, run);
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
