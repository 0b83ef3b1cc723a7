// SPDX-License-Identifier: MIT
// Initialisation of all families, as in the published code (reference sections 1.6 and 2.7). Each parameter draws from a
// stream of its own, keyed by its name, so the numbers do not depend on the order of layers.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/core/random.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

namespace minivit::inline MINIVIT_ISA {

/// How a parameter starts.
enum class InitRule {
  zero,              ///< biases, relative position tables on keys
  one,               ///< weights of norms
  truncated_normal,  ///< std 0.02, cut at +-2: matrices, tokens, positions, position biases, head mixing (near zero, not
                     ///< identity)
  uniform_fan_in,    ///< +-1 / sqrt(fan_in): weight and bias of the patch convolution and of depth-wise ones
};

/// The rule for a parameter, from its name and shape.
inline InitRule init_rule(const ParameterInfo& p) {
  const std::string_view name = p.name;
  if (name.find("patch_embed.proj.") != name.npos || name.find("local_conv") != name.npos) return InitRule::uniform_fan_in;
  if (name.ends_with("lookup_table_weight") || name.ends_with(".bias")) return InitRule::zero;
  if (p.shape.size() == 1) return InitRule::one;
  return InitRule::truncated_normal;
}

/// Numbers that one output of a convolution sums up: the product of all axes of its weight but the first. `p` is the weight,
/// or the bias beside it in `table`.
inline Index fan_in(const ParameterInfo& p, const ParameterTable& table) {
  const ParameterInfo* weight = &p;
  constexpr std::string_view bias = ".bias";
  if (p.name.ends_with(bias)) {
    const std::string name = p.name.substr(0, p.name.size() - bias.size()) + ".weight";
    const auto at = std::find_if(table.begin(), table.end(), [&](const ParameterInfo& q) { return q.name == name; });
    if (at != table.end()) weight = &*at;
  }
  Index product = 1;
  for (std::size_t axis = 1; axis < weight->shape.size(); ++axis) product *= weight->shape[axis];
  return product;
}

/// The parameters of a new model with this table one by one, a ParameterSource. The table must outlive it.
inline auto initial_values(const ParameterTable& table, std::uint64_t seed) {
  return [seed, &table]<class T>(const ParameterInfo& p, T* to) {
    const Random random = Random(seed).fork("init").fork(p.name);
    const InitRule rule = init_rule(p);
    const double bound = rule == InitRule::uniform_fan_in ? 1.0 / std::sqrt(static_cast<double>(fan_in(p, table))) : 0;
    for (Index i = 0; i < p.size; ++i) {
      const auto key = static_cast<std::uint64_t>(i);
      double value = 0;
      switch (rule) {
        case InitRule::zero: break;
        case InitRule::one: value = 1; break;
        case InitRule::truncated_normal:
          value = std::clamp(0.02 * random.normal(key), -2.0, 2.0);
          break;  // 100 sigma: never cut
        case InitRule::uniform_fan_in: value = bound * (2 * random.uniform(key) - 1); break;
      }
      to[i] = static_cast<T>(value);
    }
  };
}

/// The parameters of a new `Model` one by one, a ParameterSource.
template <class Model>
auto initial_parameters(std::uint64_t seed) {
  return initial_values(Model::parameter_table(), seed);
}

/// Sets every parameter of `model` from `seed`.
template <class Model>
void initialise(Model& model, std::uint64_t seed) {
  const auto source = initial_parameters<Model>(seed);
  for (const ParameterInfo& p : Model::parameter_table()) source(p, model.data() + p.offset);
}

}  // namespace minivit::inline MINIVIT_ISA
