// SPDX-License-Identifier: MIT
// Gradients of kernels against central differences in double.
#pragma once

#include <cmath>
#include <vector>

namespace differences {

/// Whether `gradient` is that of loss() with respect to x, which loss reads and which is left as it was. Limit: 1e-10 from the third
/// derivative and as much from rounding, times numbers of order 10 to 100.
template <class Loss>
bool agree(Loss&& loss, std::vector<double>& x, const std::vector<double>& gradient) {
  const double h = 1e-5;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double at = x[i];
    x[i] = at + h;
    const double up = loss();
    x[i] = at - h;
    const double down = loss();
    x[i] = at;
    if (!(std::fabs((up - down) / (2 * h) - gradient[i]) < 1e-7)) return false;
  }
  return true;
}

}  // namespace differences
