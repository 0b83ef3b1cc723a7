// SPDX-License-Identifier: MIT
// Scalar definitions of the row kernels (kernels/rows.hpp): layer norm, softmax, column sums and row means. They are
// what the tests compare with and what the compiler runs when a model stands in a static_assert. Every sum is a double,
// whatever T is. Plain loops, no care for speed.
#pragma once

#include <minivit/core/view.hpp>
#include <minivit/kernels/reference/math.hpp>

namespace minivit::inline MINIVIT_ISA::kernels::reference {

/// y = (x - mean) / sqrt(variance + eps) * weight + bias for each row of `dim` elements; the variance is divided by `dim`.
/// Stores mean and 1 / sqrt(variance + eps) per row unless the pointers are null. y == x is allowed.
template <class T>
constexpr void layer_norm(T* y, Index ldy, T* mean, T* rstd, const T* x, Index ldx, const T* weight, const T* bias,
                          Index rows, Index dim, T eps) {
  for (Index r = 0; r < rows; ++r) {
    const T* const in = x + r * ldx;
    T* const out = y + r * ldy;
    double m = 0;
    for (Index i = 0; i < dim; ++i) m += static_cast<double>(in[i]);
    m /= static_cast<double>(dim);
    double v = 0;
    for (Index i = 0; i < dim; ++i) v += (static_cast<double>(in[i]) - m) * (static_cast<double>(in[i]) - m);
    const double s = 1 / sqrt(v / static_cast<double>(dim) + static_cast<double>(eps));
    for (Index i = 0; i < dim; ++i)
      out[i] = static_cast<T>((static_cast<double>(in[i]) - m) * s * static_cast<double>(weight[i]) +
                              static_cast<double>(bias[i]));
    if (mean) mean[r] = static_cast<T>(m);
    if (rstd) rstd[r] = static_cast<T>(s);
  }
}

/// Gradients of layer_norm. dx = or += rstd * (g - average(g) - n * average(g * n)) with g = dy * weight and the normalised
/// n = (x - mean) * rstd; dweight += sum over rows of dy * n; dbias += sum over rows of dy. Rows are dense. dx == dy is
/// allowed.
template <class T>
constexpr void layer_norm_backward(T* dx, T* dweight, T* dbias, const T* dy, const T* x, const T* mean, const T* rstd,
                                   const T* weight, Index rows, Index dim, bool accumulate_dx) {
  for (Index i = 0; i < dim; ++i) {
    double dw = 0, db = 0;
    for (Index r = 0; r < rows; ++r) {
      const double n = (static_cast<double>(x[r * dim + i]) - static_cast<double>(mean[r])) * static_cast<double>(rstd[r]);
      dw += static_cast<double>(dy[r * dim + i]) * n;
      db += static_cast<double>(dy[r * dim + i]);
    }
    dweight[i] = static_cast<T>(static_cast<double>(dweight[i]) + dw);
    dbias[i] = static_cast<T>(static_cast<double>(dbias[i]) + db);
  }
  for (Index r = 0; r < rows; ++r) {
    const double m = static_cast<double>(mean[r]), s = static_cast<double>(rstd[r]);
    double sum_g = 0, sum_gn = 0;
    for (Index i = 0; i < dim; ++i) {
      const double g = static_cast<double>(dy[r * dim + i]) * static_cast<double>(weight[i]);
      sum_g += g;
      sum_gn += g * (static_cast<double>(x[r * dim + i]) - m) * s;
    }
    sum_g /= static_cast<double>(dim);
    sum_gn /= static_cast<double>(dim);
    for (Index i = 0; i < dim; ++i) {
      const double g = static_cast<double>(dy[r * dim + i]) * static_cast<double>(weight[i]);
      const double d = s * (g - sum_g - (static_cast<double>(x[r * dim + i]) - m) * s * sum_gn);
      dx[r * dim + i] = static_cast<T>(accumulate_dx ? static_cast<double>(dx[r * dim + i]) + d : d);
    }
  }
}

/// y = exp(x - largest) / sum of that, for each row of n elements; y == x is allowed. A row of -infinity only is not a
/// number.
template <class T>
constexpr void softmax(T* y, Index ldy, const T* x, Index ldx, Index rows, Index n) {
  for (Index r = 0; r < rows; ++r) {
    const T* const in = x + r * ldx;
    T* const out = y + r * ldy;
    T top = n > 0 ? in[0] : T{};
    for (Index i = 1; i < n; ++i) top = in[i] > top ? in[i] : top;
    double sum = 0;
    for (Index i = 0; i < n; ++i) sum += exp(static_cast<double>(in[i]) - static_cast<double>(top));
    for (Index i = 0; i < n; ++i) out[i] = static_cast<T>(exp(static_cast<double>(in[i]) - static_cast<double>(top)) / sum);
  }
}

/// Gradient of softmax from its result y: dx = y * (dy - sum(dy * y)) for each row of n elements; dx == dy is allowed.
template <class T>
constexpr void softmax_backward(T* dx, Index lddx, const T* dy, Index lddy, const T* y, Index ldy, Index rows, Index n) {
  for (Index r = 0; r < rows; ++r) {
    double dot = 0;
    for (Index i = 0; i < n; ++i) dot += static_cast<double>(dy[r * lddy + i]) * static_cast<double>(y[r * ldy + i]);
    for (Index i = 0; i < n; ++i)
      dx[r * lddx + i] = static_cast<T>(static_cast<double>(y[r * ldy + i]) * (static_cast<double>(dy[r * lddy + i]) - dot));
  }
}

/// dst += sum over rows of x, for each of n columns.
template <class T>
constexpr void column_sum(T* dst, const T* x, Index ldx, Index rows, Index n) {
  for (Index i = 0; i < n; ++i) {
    double sum = static_cast<double>(dst[i]);
    for (Index r = 0; r < rows; ++r) sum += static_cast<double>(x[r * ldx + i]);
    dst[i] = static_cast<T>(sum);
  }
}

/// dst = average over rows of x, for each of n columns. Precondition: rows >= 1.
template <class T>
constexpr void mean_rows(T* dst, const T* x, Index ldx, Index rows, Index n) {
  for (Index i = 0; i < n; ++i) {
    double sum = 0;
    for (Index r = 0; r < rows; ++r) sum += static_cast<double>(x[r * ldx + i]);
    dst[i] = static_cast<T>(sum / static_cast<double>(rows));
  }
}

/// Gradient of mean_rows: every row of dx = or += dy / rows.
template <class T>
constexpr void mean_rows_backward(T* dx, Index lddx, const T* dy, Index rows, Index n, bool accumulate) {
  for (Index r = 0; r < rows; ++r)
    for (Index i = 0; i < n; ++i) {
      const double d = static_cast<double>(dy[i]) / static_cast<double>(rows);
      dx[r * lddx + i] = static_cast<T>(accumulate ? static_cast<double>(dx[r * lddx + i]) + d : d);
    }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels::reference
