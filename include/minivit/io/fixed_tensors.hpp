// SPDX-License-Identifier: MIT
// Tensors of a file that are no parameters, because they follow from the model's config (core/parameters.hpp): accepted, and
// compared with what the config says. A file whose masks belong to another geometry would load and give wrong answers.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/io/state_dict.hpp>

#include <charconv>
#include <optional>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// Model::fixed_tensors(), or none for a model that does not know any.
template <class Model>
std::vector<FixedTensor> fixed_tensors_of() {
  if constexpr (requires { Model::fixed_tensors(); }) return Model::fixed_tensors();
  else return {};
}

/// An element of a tensor that is not what it must be.
struct WrongElement {
  std::string place;            ///< "[0, 3, 5]"
  std::string expected, found;  ///< numbers as text
};

namespace detail {
/// -100, 0.5, nan
template <class T>
std::string shortest_text(T value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

template <class T>
std::optional<WrongElement> first_wrong_element(const StateDict& file, const TensorInfo& tensor, const FixedTensor& fixed) {
  Buffer<T> values(tensor.size);
  file.copy_to(tensor, values.data());
  const Index slices = fixed.shape.front(), size = slices > 0 ? tensor.size / slices : 0;
  std::vector<double> slice(static_cast<std::size_t>(size));
  for (Index s = 0; s < slices; ++s) {
    fixed.fill(s, slice.data());
    for (Index i = 0; i < size; ++i) {
      const T value = values.data()[s * size + i], expected = static_cast<T>(slice[static_cast<std::size_t>(i)]);
      if (value == expected) continue;
      std::vector<Index> place(fixed.shape.size());
      for (Index left = s * size + i, axis = std::ssize(place) - 1; axis >= 0; --axis) {
        const auto a = static_cast<std::size_t>(axis);
        place[a] = left % fixed.shape[a];
        left /= fixed.shape[a];
      }
      return WrongElement{shape_text(place), shortest_text(expected), shortest_text(value)};
    }
  }
  return std::nullopt;
}
}  // namespace detail

/// The first element of `tensor` that differs from `fixed`, or nothing. Precondition: same shape. Throws Error for a dtype
/// of another kind.
inline std::optional<WrongElement> first_wrong_element(const StateDict& file, const TensorInfo& tensor,
                                                       const FixedTensor& fixed) {
  return fixed.integers ? detail::first_wrong_element<std::int64_t>(file, tensor, fixed)
                        : detail::first_wrong_element<double>(file, tensor, fixed);
}

namespace detail {
/// Calls f(fixed, element) for each tensor of the file that has the shape of one of `fixed` and other numbers.
template <class F>
void each_wrong_tensor(const StateDict& file, const std::vector<FixedTensor>& fixed, F&& f) {
  for (const FixedTensor& t : fixed)
    if (const TensorInfo* const tensor = file.find(t.name); tensor != nullptr && tensor->shape == t.shape)
      if (const auto wrong = first_wrong_element(file, *tensor, t)) f(t, *wrong);
}
}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
