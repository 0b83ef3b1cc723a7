// SPDX-License-Identifier: MIT
// Gradients of the depth-wise convolution with its skip connection (kernels/depthwise.hpp) with respect to taps and bias:
// sums over the map, vectorised over channels. The gradient of x is depthwise() itself with flipped taps. Definition:
// kernels/reference/depthwise.hpp.
//
// The sums of a row of taps stay in registers while tiles of up to eight gradients of a row pass by, with as few loads as in
// the forward. They are taken over a band of rows and then added to those of the bands before: fewer roundings than in one
// long sum, and the band is still in cache when the next row of taps needs it.
#pragma once

#include <minivit/kernels/depthwise.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

namespace detail {

/// Rows of a band, a power of two: at most 128 tokens, but at least a row. With 64 or 256 tokens it is up to 3 % slower.
constexpr Index band_rows(Index side) {
  return static_cast<Index>(std::bit_floor(static_cast<std::size_t>(std::max(Index{1}, Index{128} / side))));
}

/// sums [7, lanes] += products of rows [first, end) of the gradient with the tokens under one row of taps, which lie `shift`
/// rows below.
template <class Arch, Index R, bool Single, class T>
void depthwise_gradient_rows(RowTile<R, Single>, T* sums, const TokenRows<T>& dy, const TokenRows<T>& x, Index side,
                             Index first, Index end, Index shift) {
  using B = simd::Batch<T, Arch>;
  constexpr Index L = simd::lanes<T, Arch>, K = tiled_kernel, P = K / 2;
  alignas(64) static constexpr T zeros[static_cast<std::size_t>(L)] = {};
  B sum[K];
#pragma GCC unroll 8
  for (Index k = 0; k < K; ++k) sum[k] = B(T{0});
  // R gradients of a row from `column` on; the tile before has counted those in front of `done`. Must be inlined: otherwise
  // the sums are in memory, which clang 19 chose for rows of more than one tile, five times slower.
  const auto tile = [&]<bool First, bool Last>(std::bool_constant<First>, std::bool_constant<Last>, Index r, Index column,
                                               Index done) __attribute__((always_inline)) {
    const T* const g = dy.at(r, column);
    const T* const in = x.at(r + shift, column);
    B d[R];
#pragma GCC unroll 8
    for (Index j = 0; j < R; ++j) d[j] = simd::load<Arch>(!First && column + j < done ? zeros : g + j * dy.ld);
#pragma GCC unroll 16
    for (Index i = First ? 0 : -P; i < (Last ? R : R + P); ++i) {
      const B token = simd::load<Arch>(in + i * x.ld);
#pragma GCC unroll 8
      for (Index j = 0; j < R; ++j)
        if (i - j + P >= 0 && i - j + P < K) sum[i - j + P] = simd::fma(d[j], token, sum[i - j + P]);
    }
  };
  constexpr std::true_type yes;
  constexpr std::false_type no;
  for (Index r = first; r < end; ++r) {
    if constexpr (Single) {
      tile(yes, yes, r, 0, 0);
    } else {
      tile(yes, no, r, 0, 0);
      Index done = R;
      for (Index i = 1; i + 1 < row_tiles(side); ++i) {
        const Index column = tile_start(side, R, i);
        tile(no, no, r, column, done);
        done = column + R;
      }
      tile(no, yes, r, side - R, done);
    }
  }
#pragma GCC unroll 8
  for (Index k = 0; k < K; ++k) simd::store<Arch>(sums + k * L, simd::load<Arch>(sums + k * L) + sum[k]);
}

/// The same under a kernel of any width, in four sums that do not wait for each other.
template <class Arch, class T>
void depthwise_gradient_rows(Index kernel, T* sums, const TokenRows<T>& dy, const TokenRows<T>& x, Index side, Index first,
                             Index end, Index shift) {
  using B = simd::Batch<T, Arch>;
  constexpr Index L = simd::lanes<T, Arch>;
  for (Index k = 0; k < kernel; ++k) {
    const Index beside = k - kernel / 2, last = std::min(side, side - beside);
    B sum[4] = {B(T{0}), B(T{0}), B(T{0}), B(T{0})};
    const auto add = [&](B& to, Index r, Index c) {
      to = simd::fma(simd::load<Arch>(dy.at(r, c)), simd::load<Arch>(x.at(r + shift, c + beside)), to);
    };
    for (Index r = first; r < end; ++r) {
      Index c = std::max(Index{0}, -beside);
      for (; c + 4 <= last; c += 4)
#pragma GCC unroll 4
        for (Index j = 0; j < 4; ++j) add(sum[j], r, c + j);
      for (; c < last; ++c) add(sum[0], r, c);
    }
    simd::store<Arch>(sums + k * L, simd::load<Arch>(sums + k * L) + ((sum[0] + sum[1]) + (sum[2] + sum[3])));
  }
}

/// sum [lanes] += `count` tokens.
template <class Arch, class T>
void add_tokens(T* sum, const T* x, Index ld, Index count) {
  using B = simd::Batch<T, Arch>;
  B part[4] = {B(T{0}), B(T{0}), B(T{0}), B(T{0})};  // one chain of additions would take a tenth of the whole time
  Index t = 0;
  for (; t + 4 <= count; t += 4)
#pragma GCC unroll 4
    for (Index k = 0; k < 4; ++k) part[k] = part[k] + simd::load<Arch>(x + (t + k) * ld);
  for (; t < count; ++t) part[0] = part[0] + simd::load<Arch>(x + t * ld);
  simd::store<Arch>(sum, simd::load<Arch>(sum) + ((part[0] + part[1]) + (part[2] + part[3])));
}

}  // namespace detail

/// Elements of scratch that depthwise_gradient needs.
template <class Arch, class T>
constexpr Index depthwise_gradient_scratch(const DepthwiseShape& shape) {
  const Index band = detail::band_rows(shape.side);
  return (detail::ring_slots(band + shape.kernel - 1) + band) * shape.side * simd::lanes<T, Arch>;
}

/// sums += the gradients of taps and bias that one map gives, in the order of depthwise_pack<Arch, T>, for `count` blocks of
/// channels from block `first` on. `dy` and `x` are the first tokens of the map, `sums` those of block 0. Blocks do not
/// depend on each other.
template <class Arch = simd::best, class T>
void depthwise_gradient(T* sums, const T* dy, Index lddy, const T* x, Index ldx, const DepthwiseShape& shape, Index first,
                        Index count, T* scratch) {
  using Rows = detail::TokenRows<T>;
  const detail::ChannelBlocks<Arch, T> blocks{shape.dim};
  constexpr Index L = blocks.width;
  const Index side = shape.side, kernel = shape.kernel, centre = kernel / 2, band = detail::band_rows(side);
  const auto run = [&](auto tile, auto io) {  // tile: a RowTile, or the width of the kernel
    const auto one_band = [&](Index b, Index top, Index bottom, const Rows& gradients, const Rows& tokens) {
      T* const to = sums + b * depthwise_block_size<Arch, T>(shape);
      for (Index ky = 0; ky < kernel; ++ky) {
        const Index from = std::max(top, centre - ky), end = std::min(bottom, side + centre - ky);
        if (from < end)
          detail::depthwise_gradient_rows<Arch>(tile, to + ky * kernel * L, gradients, tokens, side, from, end, ky - centre);
      }
      detail::add_tokens<Arch>(to + shape.taps() * L, gradients.at(top, 0), gradients.ld, (bottom - top) * side);
    };
    if (shape.dim >= L && !detail::tokens_compete<T>(ldx) && !detail::tokens_compete<T>(lddy)) {
      for (Index top = 0; top < side; top += band)
        for (Index b = first; b < first + count; ++b)
          one_band(b, top, std::min(side, top + band), {dy + blocks.first(b), side * lddy, -1, lddy},
                   {x + blocks.first(b), side * ldx, -1, ldx});
      return;
    }
    const Index slots = detail::ring_slots(band + kernel - 1);
    T* const copies = scratch + slots * side * L;  // of the band's gradients
    for (Index b = first; b < first + count; ++b) {
      const Index c = blocks.first(b);
      for (Index top = 0, next = 0; top < side; top += band) {
        const Index bottom = std::min(side, top + band);
        for (; next < std::min(side, bottom + centre); ++next)
          detail::copy_tokens<Arch>(scratch + (next & (slots - 1)) * side * L, x + next * side * ldx + c, ldx, side, io);
        detail::copy_tokens<Arch>(copies, dy + top * side * lddy + c, lddy, (bottom - top) * side, io);
        one_band(b, top, bottom, {copies, side * L, band - 1, L}, {scratch, side * L, slots - 1, L});
      }
    }
  };
  detail::with_way<Arch, T>(shape, run);
}

/// dweight [dim, 1, kernel, kernel] += and dbias [dim] += sums of depthwise_gradient, for `count` blocks of channels from
/// `first` on.
template <class Arch = simd::best, class T>
void depthwise_add(T* dweight, T* dbias, const T* sums, const DepthwiseShape& shape, Index first, Index count) {
  const detail::ChannelBlocks<Arch, T> blocks{shape.dim};
  constexpr Index L = blocks.width;
  const Index taps = shape.taps();
  for (Index b = first; b < first + count; ++b)
    for (Index c = b * L; c < std::min(shape.dim, (b + 1) * L);
         ++c) {  // without the channels that the block before has, too
      const T* const from = sums + b * depthwise_block_size<Arch, T>(shape) + c - blocks.first(b);
      for (Index t = 0; t < taps; ++t) dweight[c * taps + t] += from[t * L];
      dbias[c] += from[taps * L];
    }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
