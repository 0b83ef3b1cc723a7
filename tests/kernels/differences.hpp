// SPDX-License-Identifier: MIT
// Gradients of kernels against central differences in double.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

namespace differences {

/// Largest difference between `gradient`, `n` numbers, and the one of loss() with respect to x, which loss reads and which
/// is left as it was; infinity when one is not a number.
template <class Loss>
double worst(Loss&& loss, double* x, std::ptrdiff_t n, const double* gradient) {
  const double h = 1e-5;
  double worst = 0;
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    const double at = x[i];
    x[i] = at + h;
    const double up = loss();
    x[i] = at - h;
    const double down = loss();
    x[i] = at;
    const double apart = std::fabs((up - down) / (2 * h) - gradient[i]);
    if (!(apart <= worst)) worst = std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart;
  }
  return worst;
}

/// Whether the two agree. Limit: 1e-10 from the third derivative and as much from rounding, times numbers of order 10 to
/// 100.
template <class Loss>
bool agree(Loss&& loss, std::vector<double>& x, const std::vector<double>& gradient) {
  return worst(loss, x.data(), static_cast<std::ptrdiff_t>(x.size()), gradient.data()) < 1e-7;
}

}  // namespace differences
