// SPDX-License-Identifier: MIT
// Activations to 8 bits: each token with the scale and the zero point that its own values need (dynamic, nothing has to be
// known about the data), or all with those that a calibration found for the whole tensor. Asymmetric, so 0 has a code of its
// own.
#pragma once

#include <minivit/kernels/dot/pack.hpp>
#include <minivit/simd/sweep.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// The scale and zero point of numbers in [low, high], low <= 0 <= high: 0 has a code of its own.
inline RowScale scale_of_range(float low, float high) {
  const float scale = (high - low) / 255.f;
  return {scale, scale > 0 ? std::nearbyint(-low / scale) : 0.f};
}

/// codes[i] = round(x[i] / scale) + zero in [0, 255], ties to even, for `n` values; codes up to `stride` are set to 0
/// (behind n the weights are zero). X: float or bf16. NaN gets code 0. Precondition: scale.scale is positive, or x is all 0.
template <class Arch = simd::best, class X>
MINIVIT_KERNEL void quantise_row(std::uint8_t* codes, const X* x, Index n, Index stride, RowScale scale) {
  using B = simd::Batch<float, Arch>;
  const B inverse(scale.scale > 0 ? 1 / scale.scale : 0.f), zero(scale.zero);
  simd::sweep<Arch, float>(n,
                           [&](Index i, auto io, auto) { io.store(codes + i, simd::fma(io.load(x + i), inverse, zero)); });
  std::fill(codes + n, codes + stride, std::uint8_t{0});
}

/// The same with the range of the row itself, together with 0. A row with a NaN or an infinity gets a scale that is not
/// finite, so that the result shows it.
template <class Arch = simd::best, class X>
MINIVIT_KERNEL RowScale quantise_row(std::uint8_t* codes, const X* x, Index n, Index stride) {
  using B = simd::Batch<float, Arch>;
  B lowest(0.f), highest(0.f), odd(0.f);
  simd::sweep<Arch, float>(n, [&](Index i, auto io, auto) {  // missing lanes are 0 and change nothing
    const B v = io.load(x + i);
    lowest = simd::min(lowest, v);
    highest = simd::max(highest, v);
    odd = simd::fma(v, B(0.f), odd);  // NaN after the first value that is not finite
  });
  RowScale scale = scale_of_range(-simd::largest(B(0.f) - lowest), simd::largest(highest));
  quantise_row<Arch>(codes, x, n, stride, scale);
  scale.scale += simd::sum(odd);
  return scale;
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
