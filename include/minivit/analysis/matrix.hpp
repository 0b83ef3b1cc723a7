// SPDX-License-Identifier: MIT
// What analyses hand around: Matrix, a table of doubles whose size is known at run time, and Examples, a look at features
// that lie elsewhere. Storage only; products are the kernels' business.
#pragma once

#include <minivit/core/view.hpp>

#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// rows x columns numbers, row-major, zero at first.
struct Matrix {
  Index rows = 0;              ///< height
  Index columns = 0;           ///< width
  std::vector<double> values;  ///< [rows, columns]

  Matrix() = default;  ///< 0 x 0
  /// Zeros; preconditions: r, c >= 0.
  Matrix(Index r, Index c) : rows(r), columns(c), values(static_cast<std::size_t>(r * c)) {}
  /// Precondition: 0 <= i < rows, 0 <= j < columns.
  double& operator()(Index i, Index j) { return values[static_cast<std::size_t>(i * columns + j)]; }
  double operator()(Index i, Index j) const { return values[static_cast<std::size_t>(i * columns + j)]; }  ///< same, to read
  double* row(Index i) { return values.data() + i * columns; }              ///< precondition: 0 <= i < rows
  const double* row(Index i) const { return values.data() + i * columns; }  ///< same, to read
  bool operator==(const Matrix&) const = default;                           ///< equal extents and numbers
};

/// The features of `count` examples, `width` numbers each, row-major. Does not own.
template <class T>
struct Examples {
  const T* data = nullptr;  ///< [count, width]
  Index count = 0;          ///< examples
  Index width = 0;          ///< features of one
};

}  // namespace minivit::inline MINIVIT_ISA
