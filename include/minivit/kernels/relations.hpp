// SPDX-License-Identifier: MIT
// What distillation compares besides logits: relations between the tokens of one image (or window). Softmax relations are
// those of queries, keys and values (MiniViT section 3.2; reference 4.2), cosine relations those of hidden states. A student
// and a teacher have the same tokens, but may have any widths. Definitions: kernels/reference/relations.hpp.
#pragma once

#include <minivit/kernels/gemm.hpp>
#include <minivit/kernels/relation_shape.hpp>
#include <minivit/kernels/rows.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

namespace detail {

/// One relation matrix: turns the student's products s [n, n] into the gradient factor * (softmax(a s) - softmax(b t)) and
/// the teacher's t into its softmax. Returns the sum over rows of -sum softmax(b t) ln softmax(a s).
template <class Arch, class T>
double relation_rows(T* s, T* t, Index n, T a, T b, T factor) {
  using B = simd::Batch<T, Arch>;
  const B lowest(-std::numeric_limits<T>::infinity()), zero(T(0));
  double value = 0;
  const auto exponentials = [&](T* row, T scale) {  // row = exp(scale * (row - largest)); returns {largest, sum}
    B top[4] = {lowest, lowest, lowest, lowest};
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto k) { top[k] = simd::max(top[k], io.load(row + i, lowest)); });
    const T largest = simd::largest(simd::max(simd::max(top[0], top[1]), simd::max(top[2], top[3])));
    const B shift(largest), by(scale);
    B total[4] = {zero, zero, zero, zero};
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto k) {
      const B e = simd::exp((io.load(row + i, lowest) - shift) * by);
      total[k] = total[k] + e;
      io.store(row + i, e);
    });
    return std::pair{largest, sum_of<T, Arch>(total)};
  };
  for (Index r = 0; r < n; ++r) {
    T* const student = s + r * n;
    T* const teacher = t + r * n;
    const B share(T(1) / exponentials(teacher, b).second);
    B expected[4] = {zero, zero, zero, zero};  // sum of p_t s
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto k) {
      const B p = io.load(teacher + i) * share;
      io.store(teacher + i, p);
      expected[k] = simd::fma(p, io.load(student + i), expected[k]);
    });
    const T mean = sum_of<T, Arch>(expected);
    const auto [largest, sum] = exponentials(student, a);
    value += static_cast<double>(a * (largest - mean)) +
             std::log(static_cast<double>(sum));  // the teacher's row sums to one
    const B by(factor / sum), minus(-factor);
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) {
      io.store(student + i, simd::fma(io.load(teacher + i), minus, io.load(student + i) * by));
    });
  }
  return value;
}

/// y = x^T, both [n, n].
template <class T>
void transpose(T* y, const T* x, Index n) {
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) y[j * n + i] = x[i * n + j];
}

/// x += y^T, both [n, n].
template <class T>
void add_transposed(T* x, const T* y, Index n) {
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) x[i * n + j] += y[j * n + i];
}

/// g += g^T in place.
template <class T>
void symmetrise(T* g, Index n) {
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j <= i; ++j) g[i * n + j] = g[j * n + i] = g[i * n + j] + g[j * n + i];
}

}  // namespace detail

/// Elements of scratch that relation_cross_entropy needs.
template <class Arch, class T>
constexpr Index relation_scratch(const RelationShape& shape) {
  const Index square = aligned_count<T>(shape.tokens * shape.tokens);
  return 4 * square + unpacked_scratch<Arch, T>(std::max({shape.tokens, shape.student_width, shape.teacher_width}));
}

/// Cross-entropy of softmax relations of one image. Parts (q, k, v) stand side by side in a row: student [n, parts *
/// student_width] with row stride `lds`, teacher likewise. For each group of columns, c = width / groups wide, and each
/// ordered pair (i, j) that the shape names: R = X_i X_j^T / sqrt(c), and the sum over rows of -sum softmax(R_t) ln
/// softmax(R_s) is returned. Adds `weight` times the gradient to dstudent, which lies like student. (i, j) and (j, i) have
/// transposed relations, so they share both products and both products of backward.
template <class Arch, class T>
MINIVIT_KERNEL double relation_cross_entropy(const RelationShape& shape, const T* student, Index lds, const T* teacher,
                                             Index ldt, T weight, T* dstudent, T* scratch) {
  using enum Order;
  const Index n = shape.tokens, square = aligned_count<T>(n * n);
  const Index cs = shape.student_width / shape.groups, ct = shape.teacher_width / shape.groups;
  const T a = T(1) / std::sqrt(static_cast<T>(cs)), b = T(1) / std::sqrt(static_cast<T>(ct));
  T* const s = scratch;           // [n, n] student, then gradient
  T* const t = s + square;        // [n, n] teacher
  T* const s_other = t + square;  // the same of the pair (j, i)
  T* const t_other = s_other + square;
  T* const panel = t_other + square;
  double value = 0;
  for (Index group = 0; group < shape.groups; ++group)
    for (int i = 0; i < shape.parts; ++i)
      for (int j = i; j < shape.parts; ++j) {
        const bool forth = shape.has(i, j), back = i != j && shape.has(j, i);
        if (!forth && !back) continue;
        const auto column = [&](int part, Index width, Index c) { return part * width + group * c; };
        const Index si = column(i, shape.student_width, cs), sj = column(j, shape.student_width, cs);
        const Index ti = column(i, shape.teacher_width, ct), tj = column(j, shape.teacher_width, ct);
        gemm_unpacked<Arch>(s, n, student + si, lds, plain, student + sj, lds, transposed, n, n, cs, panel);
        gemm_unpacked<Arch>(t, n, teacher + ti, ldt, plain, teacher + tj, ldt, transposed, n, n, ct, panel);
        if (back) {
          detail::transpose(s_other, s, n);
          detail::transpose(t_other, t, n);
          value += detail::relation_rows<Arch>(s_other, t_other, n, a, b, weight * a);
        }
        if (forth) {
          value += detail::relation_rows<Arch>(s, t, n, a, b, weight * a);
          if (back) detail::add_transposed(s, s_other, n);
        } else {
          detail::transpose(s, s_other, n);
        }
        if (i == j) detail::symmetrise(s, n);
        // dX_i += G X_j, dX_j += G^T X_i; for i == j the symmetric G does both at once
        gemm_unpacked<Arch>(dstudent + si, lds, s, n, plain, student + sj, lds, plain, n, cs, n, panel,
                            {.residual = dstudent + si, .ldr = lds});
        if (i != j)
          gemm_unpacked<Arch>(dstudent + sj, lds, s, n, transposed, student + si, lds, plain, n, cs, n, panel,
                              {.residual = dstudent + sj, .ldr = lds});
      }
  return value;
}

/// Elements of scratch that cosine_relation_error needs.
template <class Arch, class T>
constexpr Index cosine_scratch(Index tokens, Index student_width, Index teacher_width) {
  const Index widest = std::max(student_width, teacher_width);
  return 2 * aligned_count<T>(tokens * tokens) + 2 * aligned_count<T>(tokens * widest) + aligned_count<T>(tokens) +
         unpacked_scratch<Arch, T>(std::max(tokens, widest));
}

/// Squared difference of cosine similarities of one image: rows of student [n, ws] and teacher [n, wt] scaled to unit length
/// (norms below 1e-12 count as 1e-12), G = h h^T; returns sum (G_s - G_t)^2 and adds `weight` times the gradient to
/// dstudent.
template <class Arch, class T>
MINIVIT_KERNEL double cosine_relation_error(Index n, const T* student, Index ws, const T* teacher, Index wt, T weight,
                                            T* dstudent, T* scratch) {
  using enum Order;
  using B = simd::Batch<T, Arch>;
  const B zero(T(0));
  const Index widest = std::max(ws, wt);
  T* const difference = scratch;                               // [n, n] G_s - G_t
  T* const other = difference + aligned_count<T>(n * n);       // [n, n] G_t
  T* const unit = other + aligned_count<T>(n * n);             // [n, w] rows of unit length
  T* const gradient = unit + aligned_count<T>(n * widest);     // [n, ws]
  T* const lengths = gradient + aligned_count<T>(n * widest);  // [n] of the student
  T* const panel = lengths + aligned_count<T>(n);
  const auto dot = [&](const T* x, const T* y, Index width) {
    B sum[4] = {zero, zero, zero, zero};
    simd::sweep<Arch, T>(width,
                         [&](Index i, auto io, auto k) { sum[k] = simd::fma(io.load(x + i), io.load(y + i), sum[k]); });
    return detail::sum_of<T, Arch>(sum);
  };
  const auto gram = [&](T* g, const T* x, Index width) {
    for (Index r = 0; r < n; ++r) {
      const T* const row = x + r * width;
      lengths[r] = std::max(std::sqrt(dot(row, row, width)), T(1e-12));
      const B by(T(1) / lengths[r]);
      simd::sweep<Arch, T>(width, [&](Index i, auto io, auto) { io.store(unit + r * width + i, io.load(row + i) * by); });
    }
    gemm_unpacked<Arch>(g, n, unit, width, plain, unit, width, transposed, n, n, width, panel);
  };
  gram(other, teacher, wt);
  gram(difference, student, ws);
  double value = 0;
  for (Index r = 0; r < n; ++r) {
    T* const d = difference + r * n;
    simd::sweep<Arch, T>(n, [&](Index i, auto io, auto) { io.store(d + i, io.load(d + i) - io.load(other + r * n + i)); });
    value += static_cast<double>(dot(d, d, n));
  }
  // of the unit rows u: du = (dG + dG^T) u = 4 weight (G_s - G_t) u; of the rows: (du - u (u . du)) / length
  gemm_unpacked<Arch>(gradient, ws, difference, n, plain, unit, ws, plain, n, ws, n, panel);
  for (Index r = 0; r < n; ++r) {
    const T* const u = unit + r * ws;
    const T* const g = gradient + r * ws;
    T* const out = dstudent + r * ws;
    const bool floored = lengths[r] <= T(1e-12);  // then the length is a constant
    const B along(floored ? T(0) : dot(u, g, ws)), by(4 * weight / lengths[r]);
    simd::sweep<Arch, T>(ws, [&](Index i, auto io, auto) {
      io.store(out + i, simd::fma(io.load(g + i) - io.load(u + i) * along, by, io.load(out + i)));
    });
  }
  return value;
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
