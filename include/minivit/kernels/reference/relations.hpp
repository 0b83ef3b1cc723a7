// SPDX-License-Identifier: MIT
// Scalar reference of kernels/relations.hpp, written out from the formulas: one value, no gradient (tests take differences).
#pragma once

#include <minivit/kernels/relation_shape.hpp>

#include <cmath>
#include <vector>

namespace minivit::inline MINIVIT_ISA::kernels::reference {

/// Sum over groups, named pairs and rows of -sum softmax(R_t) ln softmax(R_s), R = X_i X_j^T / sqrt(c).
template <class T>
double relation_cross_entropy(const RelationShape& shape, const T* student, Index lds, const T* teacher, Index ldt) {
  const auto log_softmax = [&](const T* x, Index ld, Index width, Index group, int i, int j, Index row) {
    const Index c = width / shape.groups;
    std::vector<double> r(static_cast<std::size_t>(shape.tokens));
    double total = 0;
    for (Index m = 0; m < shape.tokens; ++m) {
      double sum = 0;
      for (Index k = group * c; k < (group + 1) * c; ++k)
        sum += static_cast<double>(x[row * ld + i * width + k]) * static_cast<double>(x[m * ld + j * width + k]);
      r[static_cast<std::size_t>(m)] = sum / std::sqrt(static_cast<double>(c));
      total += std::exp(r[static_cast<std::size_t>(m)]);
    }
    for (double& v : r) v -= std::log(total);
    return r;
  };
  double value = 0;
  for (Index group = 0; group < shape.groups; ++group)
    for (int i = 0; i < shape.parts; ++i)
      for (int j = 0; j < shape.parts; ++j)
        for (Index row = 0; shape.has(i, j) && row < shape.tokens; ++row) {
          const auto s = log_softmax(student, lds, shape.student_width, group, i, j, row);
          const auto t = log_softmax(teacher, ldt, shape.teacher_width, group, i, j, row);
          for (std::size_t m = 0; m < s.size(); ++m) value -= std::exp(t[m]) * s[m];
        }
  return value;
}

/// sum over pairs of rows of (cosine in the student - cosine in the teacher)^2.
template <class T>
double cosine_relation_error(Index n, const T* student, Index ws, const T* teacher, Index wt) {
  const auto cosine = [](const T* x, Index width, Index i, Index j) {
    double ij = 0, ii = 0, jj = 0;
    for (Index k = 0; k < width; ++k) {
      const auto a = static_cast<double>(x[i * width + k]), b = static_cast<double>(x[j * width + k]);
      ij += a * b;
      ii += a * a;
      jj += b * b;
    }
    return ij / (std::fmax(std::sqrt(ii), 1e-12) * std::fmax(std::sqrt(jj), 1e-12));
  };
  double value = 0;
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) {
      const double d = cosine(student, ws, i, j) - cosine(teacher, wt, i, j);
      value += d * d;
    }
  return value;
}

}  // namespace minivit::inline MINIVIT_ISA::kernels::reference
