// SPDX-License-Identifier: MIT
// Element-wise kernels: GELU in its exact form and its gradient, addition, scaling, squared norm, search for values that
// are not finite. Definitions: kernels/reference/pointwise.hpp.
#pragma once

#include <minivit/simd/sweep.hpp>

#include <algorithm>
#include <limits>

namespace minivit::inline MINIVIT_ISA::kernels {

/// x * Phi(x) with the standard normal distribution function Phi, one register; called by the matrix product's epilogue.
/// Within 4.5e-7 of the exact value for |x| <= 6 (float). -infinity gives NaN, as 0.5 * x * (1 + erf(x / sqrt 2)) does.
template <class Arch, class T>
inline simd::Batch<T, Arch> gelu(const simd::Batch<T, Arch>& x) {
  using B = simd::Batch<T, Arch>;
  const B half = x * B(T(0.5));
  return simd::fma(half, simd::erf(x * B(T(0.7071067811865476))), half);
}

/// gelu for results that are rounded to bf16 or 8 bits: within 1.7e-5 of the exact value for |x| <= 100, a third of erf's
/// work. x * (1/2 + x P(x^2)) with |x| cut at 4.75, where Phi is 0 or 1 to 1.4e-7; P is a minimax fit of degree 9 to x *
/// Phi(x), in the variable that maps x^2 to [-1, 1], found by iterated reweighted least squares.
template <class Arch>
inline simd::Batch<float, Arch> gelu_near(const simd::Batch<float, Arch>& x) {
  using B = simd::Batch<float, Arch>;
  constexpr float limit = 4.75f;
  constexpr float p[] = {0.14874859f,   -0.073652528f, 0.053205814f,   -0.040838595f, 0.03078489f,
                         -0.020388333f, 0.011841793f,  -0.0092809079f, 0.0074629351f, -0.0026205317f};
  const B inside = simd::min(simd::max(x, B(-limit)), B(limit));
  const B t = simd::fma(inside * inside, B(2 / (limit * limit)), B(-1.f));
  B sum(p[9]);
#pragma GCC unroll 9
  for (int i = 8; i >= 0; --i) sum = simd::fma(sum, t, B(p[i]));
  return x * simd::fma(inside, sum, B(0.5f));
}

/// Derivative of gelu, one register: Phi(x) + x * phi(x) with the standard normal density phi.
template <class Arch, class T>
inline simd::Batch<T, Arch> gelu_slope(const simd::Batch<T, Arch>& x) {
  using B = simd::Batch<T, Arch>;
  const B cdf = simd::fma(B(T(0.5)), simd::erf(x * B(T(0.7071067811865476))), B(T(0.5)));
  return simd::fma(x, simd::exp(x * x * B(T(-0.5))) * B(T(0.3989422804014327)), cdf);
}

/// y = gelu(x) for n elements; y == x is allowed.
template <class Arch = simd::best, class T>
MINIVIT_KERNEL void gelu(T* y, const T* x, Index n) {
  simd::each<Arch, T>(n, [&](Index i, auto io) { io.store(y + i, gelu(io.load(x + i))); });
}

/// y = gelu(y) for `rows` rows of n elements, ldy apart: the constants are loaded once for all of them.
template <class Arch = simd::best, class T>
MINIVIT_KERNEL void gelu_rows(T* y, Index ldy, Index rows, Index n) {
  for (Index r = 0; r < rows; ++r, y += ldy)
    simd::each<Arch, T>(n, [&](Index i, auto io) { io.store(y + i, gelu(io.load(y + i))); });
}

/// Applies gelu to NaN once. The compiler chooses erf's NaN by a masked load of a constant; on Zen 4 such a load costs
/// hundreds of cycles, each time, while the constant's page has never been read, and no lane reads it before a NaN comes
/// along: DeiT-B took 13 % longer in programs where nothing else on that page was in use.
template <class Arch = simd::best, class T>
inline void touch_gelu_constants() {
  const volatile T nan = std::numeric_limits<T>::quiet_NaN();
  T x[static_cast<std::size_t>(simd::lanes<T, Arch>)];
  std::fill_n(x, simd::lanes<T, Arch>, nan);
  gelu_rows<Arch>(x, 0, 1, simd::lanes<T, Arch>);
  const volatile T sink = x[0];
  (void)sink;
}

/// y = gelu(x) between bf16 numbers, with gelu_near.
template <class Arch = simd::best>
MINIVIT_KERNEL void gelu(bf16* y, const bf16* x, Index n) {
  simd::each<Arch, float>(n, [&](Index i, auto io) { io.store(y + i, gelu_near(io.load(x + i))); });
}

/// dx = dy * gelu'(x) for n elements; x, the input of the forward, may be bf16. dx == dy is allowed.
template <class Arch = simd::best, class T, class X>
MINIVIT_KERNEL void gelu_backward(T* dx, const T* dy, const X* x, Index n) {
  simd::each<Arch, T>(n, [&](Index i, auto io) { io.store(dx + i, io.load(dy + i) * gelu_slope(io.load(x + i))); });
}

/// dst += src for n elements.
template <class Arch = simd::best, class T>
inline void add(T* dst, const T* src, Index n) {
  simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) { io.store(dst + i, io.load(dst + i) + io.load(src + i)); });
}

/// dst *= factor for n elements.
template <class Arch = simd::best, class T>
inline void scale(T* dst, T factor, Index n) {
  const simd::Batch<T, Arch> f(factor);
  simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) { io.store(dst + i, io.load(dst + i) * f); });
}

/// dst += a * x for n elements.
template <class Arch = simd::best, class T>
inline void axpy(T* dst, T a, const T* x, Index n) {
  const simd::Batch<T, Arch> f(a);
  simd::sweep<Arch, T>(n,
                       [&](Index i, auto io, auto) { io.store(dst + i, simd::fma(f, io.load(x + i), io.load(dst + i))); });
}

/// Sum of x^2 over n elements, in double: no overflow for any finite float. Sixteen running sums in a fixed order that no
/// instruction set changes; for float the result is the same to the bit on every machine (products of floats are exact).
template <class Arch = simd::best, class T>
inline double sum_squares(const T* x, Index n) {
  constexpr Index width = 16;
  double sums[width] = {};
  Index i = 0;
  for (; i + width <= n; i += width)
    for (Index k = 0; k < width; ++k) sums[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  for (Index k = 0; i + k < n; ++k) sums[k] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  for (Index half = width / 2; half > 0; half /= 2)
    for (Index k = 0; k < half; ++k) sums[k] += sums[k + half];
  return sums[0];
}

/// Index of the first infinity or NaN among n elements, or -1.
template <class Arch = simd::best, class T>
inline Index first_non_finite(const T* x, Index n) {
  using B = simd::Batch<T, Arch>;
  constexpr Index block = 4096;
  for (Index begin = 0; begin < n; begin += block) {
    const Index count = std::min(block, n - begin);
    const T* const p = x + begin;
    const B zero(T(0));
    B seen[4] = {zero, zero, zero, zero};  // 0 * x is 0 for a finite x and NaN otherwise; no mask operation is needed
    simd::sweep<Arch, T>(count, [&](Index i, auto io, auto k) { seen[k] = simd::fma(io.load(p + i), zero, seen[k]); });
    if (simd::sum((seen[0] + seen[1]) + (seen[2] + seen[3])) == T(0)) continue;
    for (Index i = 0; i < count; ++i)
      if (!(p[i] * T(0) == T(0))) return begin + i;
  }
  return -1;
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
