// SPDX-License-Identifier: MIT
// Kernels over rows of a matrix: layer norm, softmax, column sums and row means, forward and backward. One caller's
// thread works alone here; every sum runs in an order that depends on the sizes only. Nothing outside the `dim` or `n`
// elements of a row is read or written, so padding between rows stays as it was. Definitions: kernels/reference/rows.hpp.
#pragma once

#include <minivit/simd/sweep.hpp>

#include <cmath>
#include <limits>

namespace minivit::inline MINIVIT_ISA::kernels {

namespace detail {

/// Sum of four accumulators.
template <class T, class Arch>
inline T sum_of(const simd::Batch<T, Arch> (&acc)[4]) {
  return simd::sum((acc[0] + acc[1]) + (acc[2] + acc[3]));
}

}  // namespace detail

/// y = (x - mean) / sqrt(variance + eps) * weight + bias for each row of `dim` elements; the variance is that of the row
/// divided by `dim`, from centred squares. Stores mean and 1 / sqrt(variance + eps) per row unless the pointers are null.
/// Rows start `ldx` and `ldy` elements apart. y == x is allowed; Y may be bf16. Preconditions: dim >= 1, eps > 0 when a row
/// may be constant.
template <class Arch = simd::best, class T, class Y>
inline void layer_norm(Y* y, Index ldy, T* mean, T* rstd, const T* x, Index ldx, const T* weight, const T* bias, Index rows,
                       Index dim, T eps) {
  using B = simd::Batch<T, Arch>;
  const T count = static_cast<T>(dim);
  for (Index r = 0; r < rows; ++r) {
    const T* const in = x + r * ldx;
    Y* const out = y + r * ldy;
    B total[4] = {B(T(0)), B(T(0)), B(T(0)), B(T(0))};
    simd::sweep<Arch, T>(dim, [&](Index i, auto io, auto k) { total[k] = total[k] + io.load(in + i); });
    const T m = detail::sum_of<T, Arch>(total) / count;
    const B centre(m);
    B squares[4] = {B(T(0)), B(T(0)), B(T(0)), B(T(0))};
    simd::sweep<Arch, T>(dim, [&](Index i, auto io, auto k) {
      const B d = io.load(in + i, centre) - centre;
      squares[k] = simd::fma(d, d, squares[k]);
    });
    const T s = T(1) / std::sqrt(detail::sum_of<T, Arch>(squares) / count + eps);
    const B by(s);
    simd::sweep<Arch, T>(dim, [&](Index i, auto io, auto) {
      io.store(out + i, simd::fma((io.load(in + i) - centre) * by, io.load(weight + i), io.load(bias + i)));
    });
    if (mean) mean[r] = m;
    if (rstd) rstd[r] = s;
  }
}

namespace detail {

/// layer_norm_backward for R rows at once: a weight's gradient is loaded and stored once for all of them.
template <class Arch, int R, class T>
inline void layer_norm_backward_rows(T* dx, T* dweight, T* dbias, const T* dy, const T* x, const T* mean, const T* rstd,
                                     const T* weight, Index dim, bool accumulate_dx) {
  using B = simd::Batch<T, Arch>;
  B centre[R], by[R], average_g[R], average_gn[R];
  for (int r = 0; r < R; ++r) {
    const T* const g_in = dy + r * dim;
    const T* const x_in = x + r * dim;
    centre[r] = B(mean[r]);
    by[r] = B(rstd[r]);
    B sum_g[4] = {B(T(0)), B(T(0)), B(T(0)), B(T(0))};
    B sum_gn[4] = {B(T(0)), B(T(0)), B(T(0)), B(T(0))};
    simd::sweep<Arch, T>(dim, [&](Index i, auto io, auto k) {
      const B g = io.load(g_in + i) * io.load(weight + i);
      sum_g[k] = sum_g[k] + g;
      sum_gn[k] = simd::fma(g, io.load(x_in + i) - centre[r], sum_gn[k]);
    });
    average_g[r] = B(detail::sum_of<T, Arch>(sum_g) / static_cast<T>(dim));
    average_gn[r] = B(detail::sum_of<T, Arch>(sum_gn) * rstd[r] / static_cast<T>(dim));
  }
  simd::sweep<Arch, T>(dim, [&](Index i, auto io, auto) {
    const B w = io.load(weight + i);
    B dw = io.load(dweight + i), db = io.load(dbias + i);
    for (int r = 0; r < R; ++r) {
      const B d = io.load(dy + r * dim + i);
      const B n = (io.load(x + r * dim + i) - centre[r]) * by[r];
      dw = simd::fma(d, n, dw);
      db = db + d;
      const B inner = d * w - average_g[r] - n * average_gn[r];
      T* const out = dx + r * dim + i;
      io.store(out, accumulate_dx ? simd::fma(by[r], inner, io.load(out)) : by[r] * inner);
    }
    io.store(dweight + i, dw);
    io.store(dbias + i, db);
  });
}

}  // namespace detail

/// Gradients of layer_norm: dx = (or +=, when `accumulate_dx`) the gradient of x; dweight += and dbias += sums over rows in
/// order. `mean` and `rstd` are those that the forward stored. All rows are dense, `dim` elements apart. dx == dy is allowed
/// without `accumulate_dx`.
template <class Arch = simd::best, class T>
MINIVIT_KERNEL void layer_norm_backward(T* dx, T* dweight, T* dbias, const T* dy, const T* x, const T* mean, const T* rstd,
                                        const T* weight, Index rows, Index dim, bool accumulate_dx) {
  const Index fours = rows / 4 * 4;
  for (Index r = 0; r < fours; r += 4)
    detail::layer_norm_backward_rows<Arch, 4>(dx + r * dim, dweight, dbias, dy + r * dim, x + r * dim, mean + r, rstd + r,
                                              weight, dim, accumulate_dx);
  for (Index r = fours; r < rows; ++r)
    detail::layer_norm_backward_rows<Arch, 1>(dx + r * dim, dweight, dbias, dy + r * dim, x + r * dim, mean + r, rstd + r,
                                              weight, dim, accumulate_dx);
}

namespace detail {

/// softmax of one row of V registers, `tail` elements in the last one, which never leaves the registers. Sums as softmax()
/// does. As one function for every V it took 0.2 s less to compile, and windows of 16 keys twice the time.
template <Index V, class Arch, class T>
[[gnu::flatten]] inline void softmax_short(T* y, const T* x, Index tail) {
  using B = simd::Batch<T, Arch>;
  constexpr Index L = simd::lanes<T, Arch>, last = V - 1;
  B e[V];
#pragma GCC unroll 8
  for (Index v = 0; v < last; ++v) e[v] = simd::load<Arch>(x + v * L);
  e[last] = simd::load_partial(x + last * L, tail, B(-std::numeric_limits<T>::infinity()));
  B top = e[0];
#pragma GCC unroll 8
  for (Index v = 1; v < V; ++v) top = simd::max(top, e[v]);
  const B largest(simd::largest(top));
#pragma GCC unroll 8
  for (Index v = 0; v < V; ++v) e[v] = simd::exp(e[v] - largest);
  B total[4] = {B(T(0)), B(T(0)), B(T(0)), B(T(0))};
  const auto add = [&](auto in_fours) {
#pragma GCC unroll 8
    for (Index v = 0; v < V; ++v) total[v < in_fours ? v % 4 : 0] = total[v < in_fours ? v % 4 : 0] + e[v];
  };
  if (V % 4 == 0 && tail < L) add(std::integral_constant<Index, last / 4 * 4>{});
  else add(std::integral_constant<Index, V / 4 * 4>{});
  const B factor(T(1) / sum_of<T, Arch>(total));
#pragma GCC unroll 8
  for (Index v = 0; v < last; ++v) simd::store<Arch>(y + v * L, e[v] * factor);
  simd::store_partial<Arch>(y + last * L, e[last] * factor, tail);
}

}  // namespace detail

/// y = exp(x - largest) / sum of that, for each row of n elements; y == x is allowed. -infinity gives 0; a row that holds
/// NaN or +infinity, or nothing but -infinity, becomes NaN as a whole, so that a fault is seen.
template <class Arch = simd::best, class T>
MINIVIT_KERNEL [[gnu::flatten]] void softmax(T* y, Index ldy, const T* x, Index ldx, Index rows, Index n) {
  // flatten: exp is not called
  using B = simd::Batch<T, Arch>;
  if constexpr (std::is_same_v<T, float>) {
    constexpr Index L = simd::lanes<T, Arch>;
    const bool done = [&]<Index... I>(std::integer_sequence<Index, I...>) {
      const auto run = [&](auto registers) {
        if (n <= (registers - 1) * L || n > registers * L) return false;
        for (Index r = 0; r < rows; ++r)
          detail::softmax_short<registers, Arch>(y + r * ldy, x + r * ldx, n - (registers - 1) * L);
        return true;
      };
      return (run(std::integral_constant<Index, I + 1>{}) || ...);
    }
    (std::make_integer_sequence<Index, 8>{});
    if (done) return;
  }
  const B lowest(-std::numeric_limits<T>::infinity());
  for (Index r = 0; r < rows; ++r) {
    const T* const in = x + r * ldx;
    T* const out = y + r * ldy;
    B top[4] = {lowest, lowest, lowest, lowest};
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto k) { top[k] = simd::max(top[k], io.load(in + i, lowest)); });
    const B largest(simd::largest(simd::max(simd::max(top[0], top[1]), simd::max(top[2], top[3]))));
    B total[4] = {B(T(0)), B(T(0)), B(T(0)), B(T(0))};
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto k) {
      const B e = simd::exp(io.load(in + i, lowest) - largest);
      total[k] = total[k] + e;
      io.store(out + i, e);
    });
    const B factor(T(1) / detail::sum_of<T, Arch>(total));
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) { io.store(out + i, io.load(out + i) * factor); });
  }
}

/// Gradient of softmax from its result y: dx = y * (dy - sum(dy * y)) for each row of n elements; dx == dy is allowed.
template <class Arch = simd::best, class T>
MINIVIT_KERNEL void softmax_backward(T* dx, Index lddx, const T* dy, Index lddy, const T* y, Index ldy, Index rows,
                                     Index n) {
  using B = simd::Batch<T, Arch>;
  for (Index r = 0; r < rows; ++r) {
    const T* const g = dy + r * lddy;
    const T* const p = y + r * ldy;
    T* const out = dx + r * lddx;
    B total[4] = {B(T(0)), B(T(0)), B(T(0)), B(T(0))};
    simd::sweep<Arch, T>(n,
                         [&](Index i, auto io, auto k) { total[k] = simd::fma(io.load(g + i), io.load(p + i), total[k]); });
    const B dot(detail::sum_of<T, Arch>(total));
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) { io.store(out + i, io.load(p + i) * (io.load(g + i) - dot)); });
  }
}

/// dst += sum over rows of x, for each of n columns (the gradient of a bias). Rows are added eight at a time, so rounding
/// grows with rows / 8.
template <class Arch = simd::best, class T>
MINIVIT_KERNEL void column_sum(T* dst, const T* x, Index ldx, Index rows, Index n) {
  const Index eights = rows / 8, rest = rows % 8;
  for (Index e = 0; e < eights; ++e) {
    const T* const in = x + 8 * e * ldx;
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) {
      const T* const p = in + i;
      const auto low = (io.load(p) + io.load(p + ldx)) + (io.load(p + 2 * ldx) + io.load(p + 3 * ldx));
      const auto high = (io.load(p + 4 * ldx) + io.load(p + 5 * ldx)) + (io.load(p + 6 * ldx) + io.load(p + 7 * ldx));
      io.store(dst + i, io.load(dst + i) + (low + high));
    });
  }
  for (Index r = 0; r < rest; ++r) {
    const T* const in = x + (8 * eights + r) * ldx;
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) { io.store(dst + i, io.load(dst + i) + io.load(in + i)); });
  }
}

/// dst = average over rows of x, for each of n columns (mean pooling of tokens). Precondition: rows >= 1.
template <class Arch = simd::best, class T>
inline void mean_rows(T* dst, const T* x, Index ldx, Index rows, Index n) {
  using B = simd::Batch<T, Arch>;
  const B zero(T(0)), count(static_cast<T>(rows));
  simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) { io.store(dst + i, zero); });
  column_sum<Arch>(dst, x, ldx, rows, n);
  simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) { io.store(dst + i, io.load(dst + i) / count); });
}

/// Gradient of mean_rows: every row of dx = (or +=, when `accumulate`) dy / rows.
template <class Arch = simd::best, class T>
inline void mean_rows_backward(T* dx, Index lddx, const T* dy, Index rows, Index n, bool accumulate) {
  using B = simd::Batch<T, Arch>;
  const B count(static_cast<T>(rows));
  for (Index r = 0; r < rows; ++r) {
    T* const out = dx + r * lddx;
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) {
      const B d = io.load(dy + i) / count;
      io.store(out + i, accumulate ? io.load(out + i) + d : d);
    });
  }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
