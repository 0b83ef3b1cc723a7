// SPDX-License-Identifier: MIT
// The weights and inputs of the reference fixtures: every number is a function of its name (FNV-1a and splitmix64), so no
// weight files are needed. Rules as in tests/fixtures/README.md.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/core/random.hpp>

#include <cmath>
#include <vector>

namespace generated {

namespace mv = minivit;

/// Number i of the key's stream, in [-1, 1).
inline double unit(const mv::Random& random, mv::Index i) {
  return static_cast<double>(random.bits(static_cast<std::uint64_t>(i)) >> 11) * 0x1p-52 - 1.0;
}

/// Factor and offset by which a parameter's unit numbers are turned into weights.
struct Scale {
  double offset = 0, factor = 1;
};

inline Scale scale_of(std::string_view key, const std::vector<mv::Index>& shape) {
  const auto ends = [&](std::string_view end) { return key.ends_with(end); };
  if (ends("relative_position_bias_table")) return {0, 0.5};
  if (ends("lookup_table_weight")) return {0, 1};
  if (ends("pos_embed") || ends("cls_token") || ends("dist_token")) return {0, 0.25};
  if (ends(".bias")) return {0, 0.03125};
  if (shape.size() == 1) return {1, 0.125};
  double fan_in = 1;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) fan_in *= static_cast<double>(shape[axis]);
  return {0, 1.5 / std::sqrt(fan_in)};
}

/// Fills a model. Values are computed in double and rounded once to float32, also when T is double. The key of a parameter
/// is `prefix` + its name.
template <class Model>
void weights(Model& model, const std::string& prefix = "") {
  using T = typename Model::Scalar;
  for (const mv::ParameterInfo& p : Model::parameter_table()) {
    const mv::Random random(mv::hash_name(prefix + p.name));
    const Scale scale = scale_of(p.name, p.shape);
    for (mv::Index i = 0; i < p.size; ++i)
      model.data()[p.offset + i] = static_cast<T>(static_cast<float>(scale.offset + scale.factor * unit(random, i)));
  }
}

/// Inputs: 2 * u, rounded to float32.
template <class T>
void input(T* to, mv::Index count, std::string_view key = "input") {
  const mv::Random random(mv::hash_name(key));
  for (mv::Index i = 0; i < count; ++i) to[i] = static_cast<T>(static_cast<float>(2 * unit(random, i)));
}

/// Integer classes: floor((u + 1) / 2 * K).
inline std::vector<int> labels(mv::Index count, int classes, std::string_view key = "labels") {
  const mv::Random random(mv::hash_name(key));
  std::vector<int> out;
  for (mv::Index i = 0; i < count; ++i) out.push_back(static_cast<int>(std::floor((unit(random, i) + 1) * 0.5 * classes)));
  return out;
}

}  // namespace generated
