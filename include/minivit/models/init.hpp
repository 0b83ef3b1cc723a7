// SPDX-License-Identifier: MIT
// Initialisation of the DeiT and Mini-DeiT family, as in the published code (reference section 1.6). Each parameter draws from a
// stream of its own, keyed by its name, so the numbers do not depend on the order of layers.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/core/random.hpp>

#include <algorithm>

namespace minivit::inline MINIVIT_ISA {

/// How a parameter starts.
enum class InitRule {
  zero,              ///< biases, relative position tables
  one,               ///< weights of norms
  truncated_normal,  ///< std 0.02, cut at +-2: matrices, tokens, positions, head mixing (near zero, not identity)
  uniform_fan_in,    ///< +-1 / sqrt(fan_in): weight and bias of the patch convolution
};

/// The rule for a parameter, from its name and shape.
inline InitRule init_rule(const ParameterInfo& p) {
  const std::string_view name = p.name;
  if (name.find("patch_embed.proj.") != name.npos) return InitRule::uniform_fan_in;
  if (name.ends_with("lookup_table_weight") || name.ends_with(".bias")) return InitRule::zero;
  if (p.shape.size() == 1) return InitRule::one;
  return InitRule::truncated_normal;
}

/// The parameters of a new `Model` one by one, a ParameterSource.
template <class Model>
auto initial_parameters(std::uint64_t seed) {
  constexpr double patch = static_cast<double>(Model::config.channels) * Model::config.patch * Model::config.patch;
  return [seed, patch_bound = 1.0 / std::sqrt(patch)]<class T>(const ParameterInfo& p, T* to) {
    const Random random = Random(seed).fork("init").fork(p.name);
    const InitRule rule = init_rule(p);
    for (Index i = 0; i < p.size; ++i) {
      const auto key = static_cast<std::uint64_t>(i);
      double value = 0;
      switch (rule) {
        case InitRule::zero: break;
        case InitRule::one: value = 1; break;
        case InitRule::truncated_normal: value = std::clamp(0.02 * random.normal(key), -2.0, 2.0); break;  // 100 sigma: never cut
        case InitRule::uniform_fan_in: value = patch_bound * (2 * random.uniform(key) - 1); break;
      }
      to[i] = static_cast<T>(value);
    }
  };
}

/// Sets every parameter of `model` from `seed`.
template <class Model>
void initialise(Model& model, std::uint64_t seed) {
  const auto source = initial_parameters<Model>(seed);
  for (const ParameterInfo& p : Model::parameter_table()) source(p, model.data() + p.offset);
}

}  // namespace minivit::inline MINIVIT_ISA
