// SPDX-License-Identifier: MIT
// TensorInfo: name, type, shape and place of one tensor of a file, whatever kind of file it is. Holds no numbers.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/dtype.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// One tensor of a file.
struct TensorInfo {
  std::string name;              ///< its key in the file
  DType dtype = DType::F32;      ///< of the elements in the file
  std::vector<Index> shape;      ///< empty for a scalar
  Index offset = 0;              ///< bytes from the start of the data to the first element
  Index bytes = 0;               ///< bytes of the elements: `size` times the size of one
  Index size = 0;                ///< elements: product of `shape`
  std::vector<Index> strides{};  ///< in elements, one per axis, 0 or more; empty when row-major without gaps
  std::vector<TensorInfo>
      parts{};  ///< if any: the tensor is these behind each other along its first axis, and has no place of its own

  /// Whether its bytes stand in the file row-major, one behind the other.
  bool in_one_piece() const { return strides.empty() && parts.empty(); }
};

/// "[10, 192]"
template <class Shape>
[[gnu::cold]] std::string shape_text(const Shape& shape) {
  std::string text = "[";
  for (const auto extent : shape) text += concat({text.size() > 1 ? ", " : "", extent});
  return text + "]";
}

namespace detail {
inline std::string in_quotes(std::string_view name) { return concat({"'", printable(name, 80), "'"}); }
}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
