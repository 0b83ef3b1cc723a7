// SPDX-License-Identifier: MIT
// Norms of a model's gradients, by layer or by parameter: plain rows (name, norm) that a training loop may log every k
// steps. It works on a parameter table and a slab, so weights, moments and updates can be measured the same way. Writes no
// file.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/parameters.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// The Euclidean norm of one part of a model.
struct PartNorm {
  std::string name;  ///< see part_of; with NormOf::parameter the parameter's
  double norm = 0;   ///< Euclidean
};

/// What makes a row.
enum class NormOf {
  layer,      ///< see part_of
  parameter,  ///< one row for each, by its own name
};

/// The part of a model to which a parameter belongs, the beginning of its name:
///   blocks.3                      layer 3 of a model that shares nothing
///   blocks.1.block                what all layers of group 1 share; its gradient is the sum of what they contribute
///   blocks.1.block.instances.0    what the first layer of group 1 has for itself: norms, head mixing, relative position
///   layers.2.blocks.1             of a Swin: what the layers of group 1 in stage 2 share, or the layer when they share
///   nothing layers.2.blocks.1.instances.0 what the first layer of that group has for itself layers.2.downsample what merges
///   patches behind stage 2 patch_embed, norm, head       and whatever else stands outside the layers
/// With R layers in a group, instance r of group g is layer g R + r, in a Swin of its stage.
inline std::string part_of(std::string_view parameter) {
  std::vector<std::string_view> words;  // between dots
  for (std::size_t from = 0; from <= parameter.size();) {
    const std::size_t dot = std::min(parameter.find('.', from), parameter.size());
    words.push_back(parameter.substr(from, dot - from));
    from = dot + 1;
  }
  const auto first = [&](std::size_t count) {  // as many words, with their dots
    const auto end = words[std::min(count, words.size()) - 1];
    return std::string(parameter.data(), end.data() + end.size());
  };
  const auto word = [&](std::size_t i) { return i < words.size() ? words[i] : std::string_view(); };
  const auto number = [](std::string_view w) { return !w.empty() && w.find_first_not_of("0123456789") == w.npos; };
  const bool staged = word(0) == "layers";
  const std::size_t at = staged ? 2 : 0;  // of "blocks"
  if (word(at) != "blocks") return first(staged ? 3 : 1);
  // a layer of a ViT that shares nothing may have an `instances.0`, too, but not the `block` in between
  if (word(at + 2) == "block") {
    const auto instances = std::find(words.begin(), words.end(), "instances");
    const auto which = static_cast<std::size_t>(instances - words.begin()) + 1;
    return first(at + 3) + (which < words.size() ? ".instances." + std::string(words[which]) : "");
  }
  return first(at + 2) + (staged && number(word(at + 3)) ? ".instances." + std::string(word(at + 3)) : "");  // norm1_list.0
}

/// Norms of the parts of one model. Finds the rows once; a call costs one pass over the gradients.
class GradientNorms {
 public:
  /// Rows for a model with this table, in the order in which parts first appear in it.
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
