// SPDX-License-Identifier: MIT
// Scalar definitions of the element-wise kernels (kernels/pointwise.hpp): GELU and its gradient, sums, scaling, norms.
// Usable in constant expressions. Everything is computed in double, whatever T is.
#pragma once

#include <minivit/core/view.hpp>
#include <minivit/kernels/reference/math.hpp>

namespace minivit::inline MINIVIT_ISA::kernels::reference {

/// Standard normal distribution function, 0.5 * (1 + erf(x / sqrt(2))).
constexpr double normal_cdf(double x) { return 0.5 * (1 + erf(x * 0.7071067811865476)); }
/// Standard normal density, exp(-x^2 / 2) / sqrt(2 pi).
constexpr double normal_density(double x) { return exp(-0.5 * x * x) * 0.3989422804014327; }

/// x * normal_cdf(x): the exact GELU, not the tanh approximation.
constexpr double gelu(double x) { return x * normal_cdf(x); }
/// Derivative of gelu.
constexpr double gelu_slope(double x) { return normal_cdf(x) + x * normal_density(x); }

/// y = gelu(x); y == x is allowed.
template <class T>
constexpr void gelu(T* y, const T* x, Index n) {
  for (Index i = 0; i < n; ++i) y[i] = static_cast<T>(gelu(static_cast<double>(x[i])));
}

/// dx = dy * gelu'(x); dx == dy is allowed.
template <class T>
constexpr void gelu_backward(T* dx, const T* dy, const T* x, Index n) {
  for (Index i = 0; i < n; ++i) dx[i] = static_cast<T>(static_cast<double>(dy[i]) * gelu_slope(static_cast<double>(x[i])));
}

/// dst += src.
template <class T>
constexpr void add(T* dst, const T* src, Index n) {
  for (Index i = 0; i < n; ++i) dst[i] += src[i];
}

/// dst *= factor.
template <class T>
constexpr void scale(T* dst, T factor, Index n) {
  for (Index i = 0; i < n; ++i) dst[i] *= factor;
}

/// dst += a * x.
template <class T>
constexpr void axpy(T* dst, T a, const T* x, Index n) {
  for (Index i = 0; i < n; ++i)
    dst[i] = static_cast<T>(static_cast<double>(dst[i]) + static_cast<double>(a) * static_cast<double>(x[i]));
}

/// Sum of x^2.
template <class T>
constexpr double sum_squares(const T* x, Index n) {
  double sum = 0;
  for (Index i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

/// Index of the first infinity or not-a-number, or -1.
template <class T>
constexpr Index first_non_finite(const T* x, Index n) {
  for (Index i = 0; i < n; ++i)
    if (!(x[i] >= std::numeric_limits<T>::lowest() && x[i] <= std::numeric_limits<T>::max())) return i;
  return -1;
}

}  // namespace minivit::inline MINIVIT_ISA::kernels::reference
