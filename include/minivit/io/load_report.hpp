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

/// The most likely reason in one sentence; empty when nothing is recognised.
inline std::string guess_cause(const LoadReport& report, const SafeTensors& file) {
  const auto any = [](const std::vector<std::string>& names, std::string_view part) {
    return std::ranges::any_of(names, [&](const std::string& n) { return n.find(part) != std::string::npos; });
  };
  if (const std::string prefix = common_prefix(report, file); !prefix.empty())
    return "every name begins with '" + printable(prefix, 60) + "': remove that prefix";
  if (report.missing.empty() && any(report.extra, "optimiser.")) return "is this a training checkpoint?";
  constexpr std::string_view shared = ".instances.";
  if (any(report.missing, shared) && !any(report.extra, shared) && any(report.extra, "blocks."))
    return "is this a checkpoint of an unshared model?";
  if (any(report.extra, shared) && !any(report.missing, shared) && any(report.missing, "blocks."))
    return "is this a checkpoint of a model with shared weights?";
  if (any(report.missing, "conv_l") || any(report.missing, "conv_w")) return "other sharing.mix_heads or sharing.repeat?";
  if (any(report.extra, "conv_l") || any(report.extra, "conv_w")) return "other sharing.mix_heads or sharing.repeat?";
  if (any(report.missing, "rpe_k") || any(report.extra, "rpe_k")) return "other position.keys or sharing.repeat?";
  if (any(report.missing, shared) || any(report.extra, shared)) return "other sharing.repeat?";
  if (any(report.missing, "dist") || any(report.extra, "dist_token")) return "distilled in one, not in the other?";
  if (any(report.missing, "cls_token") || any(report.extra, "cls_token")) return "other pool?";
  if (any(report.missing, "blocks.") || any(report.extra, "blocks.")) return "other depth?";
  if (any(report.mismatched, "blocks.")) return "other dim, heads or mlp_ratio?";
  if (any(report.mismatched, "head")) return "other number of classes?";
  if (any(report.mismatched, "pos_embed")) return "other image size, patch size or pool?";
  return {};
}

}  // namespace detail

/// Compares names and shapes of a file with a model's parameters. `prefix` stands before each name in the file; with a
/// prefix only names that begin with it can be extra.
inline LoadReport compare(const ParameterTable& table, const SafeTensors& file, std::string_view prefix = {}) {
  LoadReport report;
  std::set<std::string_view> known;
  for (const ParameterInfo& parameter : table) {
    known.insert(parameter.name);
    const TensorInfo* const tensor = file.find(std::string(prefix) + parameter.name);
    if (tensor == nullptr) {
      report.missing.push_back(parameter.name);
    } else if (tensor->shape != parameter.shape) {
      report.mismatched.push_back(parameter.name + ": expected " + shape_text(parameter.shape) + ", found " +
                                  shape_text(tensor->shape));
    }
  }
  for (const TensorInfo& tensor : file.tensors()) {
    const std::string_view name = tensor.name;
    if (name.starts_with(prefix) && !known.contains(name.substr(prefix.size()))) report.extra.push_back(tensor.name);
  }
  report.hint = detail::guess_cause(report, file);
  return report;
}

}  // namespace minivit::inline MINIVIT_ISA
