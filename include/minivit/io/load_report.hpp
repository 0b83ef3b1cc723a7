// SPDX-License-Identifier: MIT
// LoadReport: which tensors of a file do not fit a model's parameters, and a guess why.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/io/safetensors.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// How a file differs from a model. Names are in the model's, respectively the file's order.
struct LoadReport {
  std::vector<std::string> missing;     ///< parameters that the file does not hold
  std::vector<std::string> extra;       ///< tensors of the file that the model does not have
  std::vector<std::string> mismatched;  ///< "NAME: expected [10, 192], found [1000, 192]"
  std::string hint;                     ///< the likely cause, when there is one

  bool ok() const { return missing.empty() && extra.empty() && mismatched.empty(); }

  /// "2 missing, 0 extra, 1 mismatched"
  std::string counts() const {
    return std::to_string(missing.size()) + " missing, " + std::to_string(extra.size()) + " extra, " +
           std::to_string(mismatched.size()) + " mismatched";
  }
  /// At most `most` entries of each list on one line.
  std::string details(std::size_t most) const {
    std::string text;
    const auto add = [&](const char* title, const std::vector<std::string>& names) {
      if (names.empty()) return;
      text += (text.empty() ? "" : "; ") + std::string(title);
      for (std::size_t i = 0; i < names.size() && i < most; ++i) text += (i ? ", " : " ") + printable(names[i], 160);
      if (names.size() > most) text += ", ...";
    };
    add("mismatched", mismatched);
    add("missing", missing);
    add("extra", extra);
    return text;
  }
  /// One line for people: counts, the first names of each kind, the likely cause.
  std::string text() const {
    if (ok()) return "every tensor fits";
    return counts() + ": " + details(8) + (hint.empty() ? "" : " (" + hint + ")");
  }
};

namespace detail {

/// A prefix that, removed from the file's names, gives at least half of the missing ones; empty when there is none.
inline std::string common_prefix(const LoadReport& report, const SafeTensors& file) {
  if (report.missing.empty()) return {};
  const std::string ending = "." + report.missing.front();
  for (const std::string& name : report.extra) {
    if (!name.ends_with(ending)) continue;
    const std::string prefix = name.substr(0, name.size() - ending.size() + 1);
    std::size_t explained = 0;
    for (const std::string& missing : report.missing) explained += file.find(prefix + missing) ? 1 : 0;
    if (2 * explained >= report.missing.size()) return prefix;
  }
  return {};
}

inline bool any_begins(const std::vector<std::string>& names, std::string_view part) {
  return std::ranges::any_of(names, [&](const std::string& n) { return n.starts_with(part); });
}
inline bool any_has(const std::vector<std::string>& names, std::string_view part) {
  return std::ranges::any_of(names, [&](const std::string& n) { return n.find(part) != std::string::npos; });
}

/// guess_cause() for keys of the Swin family.
inline std::string guess_swin_cause(const LoadReport& report) {
  const auto differs = [&](std::string_view part) { return any_has(report.missing, part) || any_has(report.extra, part); };
  constexpr std::string_view own = "norm1_list.", block = ".qkv.";  // of a layer in a shared block; of a block
  if (any_has(report.missing, own) && any_has(report.extra, block)) return "is this a checkpoint of an unshared model?";
  if (any_has(report.extra, own) && any_has(report.missing, block)) return "is this a checkpoint of a model with shared weights?";
  if (differs(".proj_l.") || differs(".proj_w.")) return "other transformations.mix_heads or blocks?";
  if (differs("local_norm") || differs("local_conv")) return "other transformations.local_conv or blocks?";
  if (differs(own)) return "other transformations.separate_norms or blocks?";
  if (any_begins(report.missing, "layers.") || any_has(report.extra, ".weight")) return "other depths or blocks?";
  if (any_has(report.mismatched, ".qkv.")) return "other dim?";
  if (any_has(report.mismatched, "bias_table")) return "other window or heads? at_resolution() takes a model to another window";
  if (any_has(report.mismatched, "attn_mask") || any_has(report.extra, "attn_mask")) return "other image, window or blocks?";
  if (any_has(report.mismatched, ".fc1.")) return "other mlp_ratio?";
  return {};
}

/// The most likely reason in one sentence; empty when nothing is recognised.
inline std::string guess_cause(const LoadReport& report, const SafeTensors& file) {
  if (const std::string prefix = common_prefix(report, file); !prefix.empty())
    return "every name begins with '" + printable(prefix, 60) + "': remove that prefix";
  if (report.missing.empty() && any_has(report.extra, "optimiser.")) return "is this a training checkpoint?";
  if (any_begins(report.missing, "layers.") && any_begins(report.extra, "blocks.")) return "is this a checkpoint of a DeiT or Mini-DeiT?";
  if (any_begins(report.missing, "blocks.") && any_begins(report.extra, "layers.")) return "is this a checkpoint of a Swin or Mini-Swin?";
  for (const auto* const names : {&report.missing, &report.extra, &report.mismatched})
    if (any_begins(*names, "layers.")) return guess_swin_cause(report);
  constexpr std::string_view shared = ".instances.";
  if (any_has(report.missing, shared) && !any_has(report.extra, shared) && any_has(report.extra, "blocks."))
    return "is this a checkpoint of an unshared model?";
  if (any_has(report.extra, shared) && !any_has(report.missing, shared) && any_has(report.missing, "blocks."))
    return "is this a checkpoint of a model with shared weights?";
  if (any_has(report.missing, "conv_l") || any_has(report.missing, "conv_w")) return "other sharing.mix_heads or sharing.repeat?";
  if (any_has(report.extra, "conv_l") || any_has(report.extra, "conv_w")) return "other sharing.mix_heads or sharing.repeat?";
  if (any_has(report.missing, "rpe_k") || any_has(report.extra, "rpe_k")) return "other position.keys or sharing.repeat?";
  if (any_has(report.missing, shared) || any_has(report.extra, shared)) return "other sharing.repeat?";
  if (any_has(report.missing, "dist") || any_has(report.extra, "dist_token")) return "distilled in one, not in the other?";
  if (any_has(report.missing, "cls_token") || any_has(report.extra, "cls_token")) return "other pool?";
  if (any_has(report.missing, "blocks.") || any_has(report.extra, "blocks.")) return "other depth?";
  if (any_has(report.mismatched, "blocks.")) return "other dim, heads or mlp_ratio?";
  if (any_has(report.mismatched, "head")) return "other number of classes?";
  if (any_has(report.mismatched, "pos_embed")) return "other image size, patch size or pool?";
  return {};
}

}  // namespace detail

/// Compares names and shapes of a file with a model's parameters, and with the `fixed` tensors that it may hold or not. `prefix` stands
/// before each name in the file; with a prefix only names that begin with it can be extra.
inline LoadReport compare(const ParameterTable& table, const SafeTensors& file, std::string_view prefix = {},
                          const std::vector<FixedTensor>& fixed = {}) {
  LoadReport report;
  std::set<std::string_view> known;
  const auto look = [&](const std::string& name, const std::vector<Index>& shape, bool needed) {
    known.insert(name);
    const TensorInfo* const tensor = file.find(std::string(prefix) + name);
    if (tensor == nullptr && needed) report.missing.push_back(name);
    if (tensor != nullptr && tensor->shape != shape)
      report.mismatched.push_back(name + ": expected " + shape_text(shape) + ", found " + shape_text(tensor->shape));
  };
  for (const ParameterInfo& parameter : table) look(parameter.name, parameter.shape, true);
  for (const FixedTensor& tensor : fixed) look(tensor.name, tensor.shape, false);
  for (const TensorInfo& tensor : file.tensors()) {
    const std::string_view name = tensor.name;
    if (name.starts_with(prefix) && !known.contains(name.substr(prefix.size()))) report.extra.push_back(tensor.name);
  }
  report.hint = detail::guess_cause(report, file);
  return report;
}

}  // namespace minivit::inline MINIVIT_ISA
