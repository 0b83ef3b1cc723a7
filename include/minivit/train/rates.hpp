// SPDX-License-Identifier: MIT
// Rates apart: a factor on the learning rate for each parameter, for fine-tuning. Layer-wise decay (as in BEiT and timm) trains the
// first layers slowly and the head fast; frozen parts do not move at all.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/parameters.hpp>

#include <charconv>
#include <cmath>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// One factor for each row of a ParameterTable, in its order; empty: all 1. 0 freezes: no update, no decay, no moments, and the
/// gradient does not count in the global norm.
using RateScales = std::vector<double>;

namespace detail {
/// Layer number for layer-wise decay: 0 for what comes before the blocks, 1 + g for `blocks.g.`, groups + 1 for what comes after.
inline int decay_level(const std::string& name, int groups) {
  constexpr std::string_view prefix = "blocks.";
  if (name.starts_with(prefix)) {
    int group = 0;
    std::from_chars(name.data() + prefix.size(), name.data() + name.size(), group);
    return group + 1;
  }
  const bool before = name.starts_with("patch_embed.") || name == "pos_embed" || name == "cls_token" || name == "dist_token";
  return before ? 0 : groups + 1;
}
}  // namespace detail

/// Factor decay^(groups + 1 - level): 1 for the head and the last norm, `decay` for the last group of layers, and so on down to
/// the embedding. Layers that share weights are one level. Throws Error unless 0 < decay <= 1.
template <class Model>
RateScales layer_decay(double decay) {
  if (!(decay > 0 && decay <= 1))
    fail({.where = "layer_decay", .what = "decay is out of range", .expected = "0 < decay <= 1", .found = std::to_string(decay)});
  RateScales scales;
  constexpr int groups = Model::config.groups();
  for (const ParameterInfo& p : Model::parameter_table()) scales.push_back(std::pow(decay, groups + 1 - detail::decay_level(p.name, groups)));
  return scales;
}

/// Freezes every parameter whose name begins with one of `prefixes` ("patch_embed", "blocks.0", "head"); a prefix ends at a dot. Throws
/// Error for a prefix that names nothing.
template <class Model>
RateScales frozen(const std::vector<std::string>& prefixes, RateScales scales = {}) {
  const ParameterTable& table = Model::parameter_table();
  if (scales.empty()) scales.assign(table.size(), 1.0);
  for (const std::string& prefix : prefixes) {
    bool found = false;
    for (std::size_t i = 0; i < table.size(); ++i) {
      const std::string& name = table[i].name;
      if (!name.starts_with(prefix) || (name.size() > prefix.size() && name[prefix.size()] != '.')) continue;
      scales[i] = 0;
      found = true;
    }
    if (!found) fail({.where = "frozen", .what = "no parameter's name begins with '" + prefix + "'", .hint = "minivit inspect lists the names"});
  }
  return scales;
}

}  // namespace minivit::inline MINIVIT_ISA
