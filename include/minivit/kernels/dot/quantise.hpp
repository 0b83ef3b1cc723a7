// SPDX-License-Identifier: MIT
// Activations to 8 bits, row by row: each token gets the scale and the zero point that its own values need (dynamic per-token
// quantisation, asymmetric), so nothing has to be known about the data beforehand and no image influences another.
#pragma once

#include <minivit/kernels/dot/pack.hpp>
#include <minivit/simd/sweep.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// codes[i] = round(x[i] / scale) + zero in [0, 255], ties to even, for `n` values; codes up to `stride` are set to 0 (behind n the
/// weights are zero). The range is that of the row together with 0. A row with a NaN or an infinity gets a scale that is not
/// finite, so that the result shows it. X: float or bf16.
template <class Arch = simd::best, class X>
inline RowScale quantise_row(std::uint8_t* codes, const X* x, Index n, Index stride) {
  using B = simd::Batch<float, Arch>;
  B lowest(0.f), highest(0.f), odd(0.f);
  simd::sweep<Arch, float>(n, [&](Index i, auto io, auto) {  // missing lanes are 0 and change nothing
    const B v = io.load(x + i);
    lowest = simd::min(lowest, v);
    highest = simd::max(highest, v);
    odd = simd::fma(v, B(0.f), odd);  // NaN after the first value that is not finite
  });
  const float low = -simd::largest(B(0.f) - lowest), high = simd::largest(highest), bad = simd::sum(odd);
  const float scale = (high - low) / 255.f + bad;
  const float inverse = scale > 0 ? 1 / scale : 0.f;
  constexpr float magic = 12582912.f;  // 1.5 * 2^23: adding it leaves the rounded integer in the low bits
  const float zero = (-low * inverse + magic) - magic;
  for (Index i = 0; i < n; ++i) {
    float code = static_cast<float>(x[i]) * inverse + zero;
    code = code > 0.f ? code : 0.f;  // also for NaN
    code = code < 255.f ? code : 255.f;
    codes[i] = static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(code + magic) & 255u);
  }
  std::fill(codes + n, codes + stride, std::uint8_t{0});
  return {scale, zero};
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
