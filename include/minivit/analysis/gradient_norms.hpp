// SPDX-License-Identifier: MIT
// Norms of a model's gradients, by layer or by parameter: plain rows (name, norm) that a training loop may log every k
// steps. It works on a parameter table and a slab, so weights, moments and updates can be measured the same way. Writes no
// file.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/parameters.hpp>

#include <algorithm>
#include <cmath>

namespace minivit::inline MINIVIT_ISA {

/// The Euclidean norm of one part of a model.
struct PartNorm {
  std::string name;
  double norm = 0;
};

/// What makes a row.
enum class NormOf {
  layer,      ///< see part_of
  parameter,  ///< one row for each, by its own name
};

/// The part of a model to which a parameter belongs, the beginning of its name:
///   blocks.3                    layer 3 of a model that shares nothing
///   blocks.1.block              what all layers of group 1 share; its gradient is the sum of what they contribute
///   blocks.1.block.instances.0  what the first layer of group 1 has for itself: norms, head mixing, relative position
///   patch_embed, norm, head     and whatever else stands outside the layers
/// With R layers in a group, instance r of group g is layer g R + r.
inline std::string part_of(std::string_view parameter) {
  constexpr std::string_view blocks = "blocks.", block = ".block.", instances = ".instances.";
  const auto dot = [&](std::size_t from) { return std::min(parameter.find('.', from), parameter.size()); };
  if (!parameter.starts_with(blocks)) return std::string(parameter.substr(0, dot(0)));
  const std::size_t group_end = dot(blocks.size());
  std::string part(parameter.substr(0, group_end));
  // a layer that shares nothing may have an `instances.0`, too, but not the `block` in between
  if (!parameter.substr(group_end).starts_with(block)) return part;
  part += ".block";
  if (const auto at = parameter.find(instances); at != parameter.npos)
    part += parameter.substr(at, dot(at + instances.size()) - at);
  return part;
}

/// Norms of the parts of one model. Finds the rows once; a call costs one pass over the gradients.
class GradientNorms {
 public:
  explicit GradientNorms(const ParameterTable& table, NormOf of = NormOf::layer) {
    for (const ParameterInfo& p : table) {
      std::string name = of == NormOf::parameter ? p.name : part_of(p.name);
      const auto at = std::find(names_.begin(), names_.end(), name);
      pieces_.push_back({p.offset, p.size, static_cast<std::size_t>(at - names_.begin())});
      if (at == names_.end()) names_.push_back(std::move(name));
    }
  }

  /// Names of the rows, in the order of the table.
  const std::vector<std::string>& names() const { return names_; }

  /// The norms in the order of names(), summed in double, from a slab laid out as the table says. NaN and infinity show up
  /// in the row where they are.
  template <class T>
  std::vector<double> operator()(const T* slab) const {
    std::vector<double> out(names_.size());
    for (const Piece& piece : pieces_) out[piece.row] += sum_of_squares(slab + piece.offset, piece.size);
    for (double& value : out) value = std::sqrt(value);
    return out;
  }

 private:
  struct Piece {
    Index offset, size;
    std::size_t row;
  };

  /// Four sums, because additions to one would wait for each other.
  template <class T>
  static double sum_of_squares(const T* x, Index count) {
    double sum[4]{};
    for (Index i = 0; i < count; i += 4)
      for (Index k = 0; k < std::min<Index>(4, count - i); ++k) {
        const auto value = static_cast<double>(x[i + k]);
        sum[k] += value * value;
      }
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
  }

  std::vector<std::string> names_;
  std::vector<Piece> pieces_;
};

/// The norms of `gradients`, a Model such as Trainer::gradients(), as rows.
template <class Model>
std::vector<PartNorm> gradient_norms(const Model& gradients, NormOf of = NormOf::layer) {
  const GradientNorms norms(Model::parameter_table(), of);
  const std::vector<double> values = norms(gradients.data());
  std::vector<PartNorm> rows;
  for (std::size_t i = 0; i < values.size(); ++i) rows.push_back({norms.names()[i], values[i]});
  return rows;
}

}  // namespace minivit::inline MINIVIT_ISA
