// SPDX-License-Identifier: MIT
// Name and ParameterInfo: how a parameter is called and where it stands in a model's slab. Layers name their
// parameters through `visit`; files, optimisers and reports work on the resulting table and never see a layer. FixedTensor:
// what else published checkpoints hold.
#pragma once

#include <minivit/core/view.hpp>

#include <concepts>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// A dotted parameter name built without allocation, also by the compiler: `Name{} / "blocks" / 3 / "attn"`. Its operators
/// are not inlined and take no copies: g++ 12 at -O3 otherwise puts two temporary names of a large model into one stack slot
/// while both are in use (it does not with -fstack-reuse=none), and parameters get the names of others.
class Name {
 public:
  static constexpr int capacity = 120;  ///< characters a name can have; the longest in use has 60

  constexpr Name() = default;  ///< the empty name, for the model itself
  /// `at` followed by "." (unless empty) and `part`. Precondition: the result fits in `capacity`.
  [[gnu::noinline]] friend constexpr Name operator/(const Name& at, std::string_view part) {
    Name name;
    name.append(at.view());
    if (name.size_ > 0) name.push('.');
    name.append(part);
    return name;
  }
  /// The same with a number in decimal. Precondition: part >= 0.
  [[gnu::noinline]] friend constexpr Name operator/(const Name& at, int part) {
    char digits[12]{};
    int n = 0;
    do digits[n++] = static_cast<char>('0' + part % 10);
    while ((part /= 10) > 0);
    Name name;
    name.append(at.view());
    if (name.size_ > 0) name.push('.');
    while (n > 0) name.push(digits[--n]);
    return name;
  }
  /// Valid as long as this name.
  constexpr std::string_view view() const { return {text_, static_cast<std::size_t>(size_)}; }
  std::string str() const { return std::string(view()); }  ///< a copy to keep

 private:
  constexpr void append(std::string_view text) {
    for (const char c : text) push(c);
  }
  constexpr void push(char c) { text_[size_ < capacity ? size_++ : capacity - 1] = c; }
  char text_[capacity]{};
  int size_ = 0;
};

/// One parameter of a model. `name` equals the checkpoint's key, `shape` the checkpoint's shape.
struct ParameterInfo {
  std::string name;          ///< dotted, as in the checkpoint: "blocks.0.norm1.weight"
  std::vector<Index> shape;  ///< extents as PyTorch writes them: a matrix is [out, in]
  Index offset = 0;          ///< in elements from the start of the slab, a multiple of 64 bytes
  Index size = 0;            ///< product of `shape`
};

/// All parameters of a model in the order of its slab, which is also the order of `visit`.
using ParameterTable = std::vector<ParameterInfo>;

/// Appends a row. Apart from those who visit parameters, who do it anew for each type of parameter.
[[gnu::noinline]] inline void add_parameter(ParameterTable& table, const Name& name, std::span<const Index> shape,
                                            Index offset, Index size) {
  table.push_back({name.str(), {shape.begin(), shape.end()}, offset, size});
}

/// A tensor of a checkpoint that is no parameter, because all its numbers follow from the config ("buffers" in PyTorch): a
/// mask, a table of places. We do not write such tensors; where a file holds one, it must agree.
struct FixedTensor {
  std::string name;          ///< its key in the checkpoint
  std::vector<Index> shape;  ///< at least one axis
  bool integers = false;     ///< elements are whole numbers, else floating ones
  /// fill(i, to) writes slice i along the first axis, row-major.
  std::function<void(Index, double*)> fill{};
};

/// Gives parameters one by one: source(info, to) writes the info.size elements of one of them, row-major. Several threads
/// may ask at the same time.
template <class Source, class T>
concept ParameterSource = requires(const Source& source, const ParameterInfo& info, T* to) {
  source(info, to);
};

}  // namespace minivit::inline MINIVIT_ISA
