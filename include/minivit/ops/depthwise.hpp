// SPDX-License-Identifier: MIT
// depthwise: y = x + conv(x) + bias over the map of tokens of each image, every channel on its own (MiniViT's transformation
// in front of the MLP). Class and distillation tokens stand in front of the map and pass through unchanged. No drop path, no
// norm.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/depthwise_backward.hpp>
#include <minivit/kernels/reference/depthwise.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

namespace detail {

/// dst = src for the first `extra` tokens of each image.
template <class T, int N, int D>
constexpr void copy_extra_tokens(View<const T, Dyn, N, D> src, View<T, Dyn, N, D> dst, int extra) {
  for (Index b = 0; b < src.batch(); ++b) std::copy_n(src[b].data(), extra * D, dst[b].data());
}

/// y = x + conv(x) + bias for the maps of all images, with packed weights. `scratch` holds kernels::depthwise_scratch for
/// each worker.
template <class Arch, class T, int N, int D>
void depthwise_maps(View<const T, Dyn, N, D> x, const T* packed, View<T, Dyn, N, D> y, const kernels::DepthwiseShape& shape,
                    int extra, T* scratch, const Arena<T>& arena) {
  arena.split(x.batch() * shape.side, 1, shape.taps() * shape.side * D, [&](Index first, Index count, int worker) {
    for (const Index end = first + count; first < end;) {
      const Index b = first / shape.side, row = first % shape.side, rows = std::min(end - first, shape.side - row);
      kernels::depthwise<Arch, T>(y[b].data() + extra * D, D, x[b].data() + extra * D, D, packed, shape, row, rows,
                                  scratch + worker * aligned_count<T>(kernels::depthwise_scratch<Arch, T>(shape)));
      first += rows;
    }
  });
}

}  // namespace detail

/// N = extra + Side * Side tokens of width D; the kernel is K x K, K odd, padded with zeros. y does not overlap x.
template <class Arch, class T, int Side, int D, int K, int N>
constexpr void depthwise(View<const T, Dyn, N, D> x, View<const T, D, 1, K, K> weight, View<const T, D> bias,
                         View<T, Dyn, N, D> y, int extra, Arena<T>& arena) {
  static_assert(K % 2 == 1, "depthwise: the width of the kernel must be odd");
  constexpr kernels::DepthwiseShape shape{Side, D, K};
  const auto scope = arena.scratch();
  T* const packed = arena.raw(kernels::depthwise_packed_size<Arch, T>(shape));
  T* const scratch = arena.raw(arena.workers() * aligned_count<T>(kernels::depthwise_scratch<Arch, T>(shape)));
  if (arena.counting()) return;
  assert(extra + Side * Side == N);
  detail::copy_extra_tokens(x, y, extra);
  if (std::is_constant_evaluated()) {
    for (Index b = 0; b < x.batch(); ++b)
      kernels::reference::depthwise<T>(y[b].data() + extra * D, D, x[b].data() + extra * D, D, weight.data(), bias.data(),
                                       Side, D, K);
  } else {
    kernels::depthwise_pack<Arch, T>(packed, weight.data(), bias.data(), shape);
    detail::depthwise_maps<Arch>(x, packed, y, shape, extra, scratch, arena);
  }
}

/// dx = gradient, overwritten, does not overlap dy; dweight and dbias +=. `x` is the input of the forward.
template <class Arch, class T, int Side, int D, int K, int N>
constexpr void depthwise_backward(View<const T, Dyn, N, D> dy, View<const T, Dyn, N, D> x, View<const T, D, 1, K, K> weight,
                                  View<T, Dyn, N, D> dx, View<T, D, 1, K, K> dweight, View<T, D> dbias, int extra,
                                  Arena<T>& arena) {
  static_assert(K % 2 == 1, "depthwise: the width of the kernel must be odd");
  constexpr kernels::DepthwiseShape shape{Side, D, K};
  constexpr Index each = aligned_count<T>(
      std::max(kernels::depthwise_scratch<Arch, T>(shape), kernels::depthwise_gradient_scratch<Arch, T>(shape)));
  constexpr Index size = kernels::depthwise_packed_size<Arch, T>(shape);
  const auto scope = arena.scratch();
  T* const packed = arena.raw(size);  // the flipped taps, then the sums of the gradients
  T* const scratch = arena.raw(arena.workers() * each);
  if (arena.counting()) return;
  assert(extra + Side * Side == N);
  detail::copy_extra_tokens(dy, dx, extra);
  if (std::is_constant_evaluated()) {
    for (Index b = 0; b < x.batch(); ++b)
      kernels::reference::depthwise_backward<T>(dx[b].data() + extra * D, D, dweight.data(), dbias.data(),
                                                dy[b].data() + extra * D, D, x[b].data() + extra * D, D, weight.data(), Side,
                                                D, K);
    return;
  }
  kernels::depthwise_pack<Arch, T>(packed, weight.data(), nullptr, shape, true);
  detail::depthwise_maps<Arch>(dy, packed, dx, shape, extra, scratch, arena);
  std::fill_n(packed, size, T{0});
  const Index of_a_block = x.batch() * shape.taps() * Side * Side * simd::lanes<T, Arch>;
  arena.split(kernels::depthwise_blocks<Arch, T>(shape), 1, of_a_block, [&](Index first, Index count, int worker) {
    for (Index b = 0; b < x.batch(); ++b)
      kernels::depthwise_gradient<Arch, T>(packed, dy[b].data() + extra * D, D, x[b].data() + extra * D, D, shape, first,
                                           count, scratch + worker * each);
    kernels::depthwise_add<Arch, T>(dweight.data(), dbias.data(), packed, shape, first, count);
  });
}

}  // namespace minivit::inline MINIVIT_ISA::ops
