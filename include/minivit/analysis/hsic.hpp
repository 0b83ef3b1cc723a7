// SPDX-License-Identifier: MIT
// The Hilbert-Schmidt independence criterion of two sets of features with a linear kernel, in double: the biased estimate of
// Gretton et al. 2005 and the unbiased one of Song et al. 2012, which Nguyen et al. 2021 (arXiv 2010.15327) add up over
// minibatches. cka.hpp divides them.
#pragma once

#include <minivit/analysis/matrix.hpp>
#include <minivit/core/buffer.hpp>
#include <minivit/kernels/gemm.hpp>

namespace minivit::inline MINIVIT_ISA {

/// K = Xc Xc^T, [n, n], where Xc is X minus the mean of each feature over the examples. Works through the features in
/// strips, so that besides K only n x 1024 numbers are in memory. Centring first changes neither estimate below, and avoids
/// the cancellation that a large mean would bring.
template <class T>
Matrix centred_gram(Examples<T> x) {
  using enum kernels::Order;
  constexpr Index strip = 1024;
  const Index n = x.count;
  Matrix gram(n, n);
  Buffer<double> centred(n * std::min(strip, x.width)), scratch(kernels::unpacked_scratch<simd::best, double>(strip));
  std::vector<double> mean;
  for (Index first = 0; first < x.width && n > 0; first += strip) {
    const Index width = std::min(strip, x.width - first);
    mean.assign(static_cast<std::size_t>(width), 0.0);
    for (Index i = 0; i < n; ++i)
      for (Index c = 0; c < width; ++c)
        mean[static_cast<std::size_t>(c)] += static_cast<double>(x.data[i * x.width + first + c]);
    for (double& m : mean) m /= static_cast<double>(n);
    for (Index i = 0; i < n; ++i)
      for (Index c = 0; c < width; ++c)
        centred.data()[i * width + c] = static_cast<double>(x.data[i * x.width + first + c]) -
                                        mean[static_cast<std::size_t>(c)];
    kernels::gemm_unpacked<simd::best, double>(gram.values.data(), n, centred.data(), width, plain, centred.data(), width,
                                               transposed, n, n, width, scratch.data(),
                                               {.residual = gram.values.data(), .ldr = n});
  }
  return gram;
}

/// tr(K H L H) / (n - 1)^2 for K and L from centred_gram, which have H applied already. Precondition: both are n x n, n >=
/// 2.
inline double hsic_biased(const Matrix& k, const Matrix& l) {
  double product = 0;
  for (std::size_t i = 0; i < k.values.size(); ++i) product += k.values[i] * l.values[i];
  const auto n = static_cast<double>(k.rows);
  return product / ((n - 1) * (n - 1));
}

/// HSIC_1 = (tr(K~ L~) + 1'K~1 1'L~1 / ((n-1)(n-2)) - 2 / (n-2) 1'K~L~1) / (n (n-3)), where ~ sets the diagonal to zero. Its
/// expectation does not depend on n, and it is negative about as often as positive when the features are independent.
/// Precondition: both are n x n and symmetric, n >= 4.
inline double hsic_unbiased(const Matrix& k, const Matrix& l) {
  const Index n = k.rows;
  double trace = 0, sum_k = 0, sum_l = 0, sum_kl = 0;
  for (Index i = 0; i < n; ++i) {
    const double* const ki = k.row(i);
    const double* const li = l.row(i);
    double row_k = -ki[i], row_l = -li[i], product = -ki[i] * li[i];
    for (Index j = 0; j < n; ++j) {
      row_k += ki[j];
      row_l += li[j];
      product += ki[j] * li[j];
    }
    trace += product;
    sum_k += row_k;
    sum_l += row_l;
    sum_kl += row_k * row_l;
  }
  const auto m = static_cast<double>(n);
  return (trace + sum_k * sum_l / ((m - 1) * (m - 2)) - 2 * sum_kl / (m - 2)) / (m * (m - 3));
}

}  // namespace minivit::inline MINIVIT_ISA
