// SPDX-License-Identifier: MIT
// Rates apart: a factor on the learning rate for each parameter, for fine-tuning. Layer-wise decay (as in BEiT and timm)
// trains the first layers slowly and the head fast; frozen parts do not move at all.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/parameters.hpp>
#include <minivit/models/layer_geometry.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// One factor for each row of a ParameterTable, in its order; empty: all 1. 0 freezes: no update, no decay, no moments, and
/// the gradient does not count in the global norm.
using RateScales = std::vector<double>;

namespace detail {
/// Names of the sets of weights that layers use, from the first layer on, each once.
template <class Config>
std::vector<std::string> weight_groups(const Config& c) {
  std::vector<std::string> names;
  for (int l = 0; l < layer_count(c); ++l)
    if (std::string name = layer_weights(c, l); names.empty() || names.back() != name) names.push_back(std::move(name));
  return names;
}
}  // namespace detail

/// Factor decay^(groups + 1 - level): 1 for the head and the last norm, `decay` for the last group of layers, and so on down
/// to the embedding. Layers that share weights are one level; what merges patches behind a stage of a Swin is of the level
/// of that stage's last layers, as in SimMIM's fine-tuning. Throws Error unless 0 < decay <= 1.
template <class Model>
RateScales layer_decay(double decay) {
  if (!(decay > 0 && decay <= 1))
    fail({.where = "layer_decay",
          .what = "decay is out of range",
          .expected = "0 < decay <= 1",
          .found = std::to_string(decay)});
  const std::vector<std::string> groups = detail::weight_groups(Model::config);
  const auto last = static_cast<int>(groups.size());
  RateScales scales;
  int level = 0;  // that of the row before: the table is in the order of the network
  for (const ParameterInfo& p : Model::parameter_table()) {
    const auto group = std::find_if(groups.begin(), groups.end(),
                                    [&](const std::string& name) { return p.name.starts_with(name + "."); });
    if (group != groups.end()) level = static_cast<int>(group - groups.begin()) + 1;
    else if (level == last) ++level;
    scales.push_back(std::pow(decay, last + 1 - level));
  }
  return scales;
}

/// Freezes every parameter whose name begins with one of `prefixes` ("patch_embed", "blocks.0", "head"); a prefix ends at a
/// dot. Throws Error for a prefix that names nothing.
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
    if (!found)
      fail({.where = "frozen",
            .what = "no parameter's name begins with '" + prefix + "'",
            .hint = "minivit inspect lists the names"});
  }
  return scales;
}

}  // namespace minivit::inline MINIVIT_ISA
