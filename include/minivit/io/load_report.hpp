// SPDX-License-Identifier: MIT
// LoadReport: which tensors of a file do not fit a model's parameters, which are adapted, and a guess why (guess_cause.hpp).
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/io/adapt.hpp>
#include <minivit/io/guess_cause.hpp>
#include <minivit/io/load_options.hpp>
#include <minivit/io/state_dict.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// How a file differs from a model. Names are in the model's, respectively the file's order.
struct LoadReport {
  std::vector<std::string> missing{};     ///< parameters that the file does not hold
  std::vector<std::string> extra{};       ///< tensors of the file that the model does not have
  std::vector<std::string> mismatched{};  ///< "NAME: expected [10, 192], found [1000, 192]"
  std::vector<std::string> replaced{};    ///< parameters of a head that starts anew (LoadOptions::replace_head)
  std::vector<std::string> resampled{};   ///< parameters whose positions are resampled (LoadOptions::resample)
  std::string hint{};                     ///< the likely cause, when there is one

  /// Whether nothing is left that does not fit. What is adapted fits.
  bool ok() const { return missing.empty() && extra.empty() && mismatched.empty(); }

  /// "2 missing, 0 extra, 1 mismatched"
  [[gnu::cold]] std::string counts() const {
    return concat({missing.size(), " missing, ", extra.size(), " extra, ", mismatched.size(), " mismatched"});
  }
  /// At most `most` entries of each list on one line.
  [[gnu::cold]] std::string details(std::size_t most) const {
    std::string text;
    each_list([&](const char* title, const std::vector<std::string>& names) {
      if (names.empty()) return;
      text += concat({text.empty() ? "" : "; ", title});
      for (std::size_t i = 0; i < names.size() && i < most; ++i) text += concat({i ? ", " : " ", printable(names[i], 160)});
      if (names.size() > most) text += ", ...";
    });
    return text;
  }
  /// One line for people: counts, the first names of each kind, the likely cause.
  std::string text() const {
    if (ok()) return "every tensor fits" + (details(8).empty() ? std::string() : "; " + details(8));
    return counts() + ": " + details(8) + (hint.empty() ? "" : " (" + hint + ")");
  }
  /// Every name on a line of its own, "missing head.bias", then the likely cause; "every tensor fits" when all does.
  std::vector<std::string> lines() const {
    std::vector<std::string> out;
    each_list([&](const char* title, const std::vector<std::string>& names) {
      for (const std::string& name : names) out.push_back(std::string(title) + " " + printable(name, 200));
    });
    out.push_back(ok() ? "every tensor fits" : counts() + (hint.empty() ? "" : ": " + hint));
    return out;
  }

 private:
  template <class F>
  void each_list(F&& f) const {
    f("mismatched", mismatched);
    f("missing", missing);
    f("extra", extra);
    f("new", replaced);
    f("resampled", resampled);
  }
};

/// Compares names and shapes of a file with a model's parameters, and with the `fixed` tensors that it may hold or not.
/// `prefix` stands before each name in the file; with a prefix only names that begin with it can be extra. `options` say
/// what may be adapted.
inline LoadReport compare(const ParameterTable& table, const StateDict& file, std::string_view prefix = {},
                          const std::vector<FixedTensor>& fixed = {}, const LoadOptions& options = {}) {
  LoadReport report;
  std::set<std::string_view> known;
  bool can_replace_head = false, can_resample = false;
  const auto differs = [&](const std::string& name, const std::vector<Index>& shape, const TensorInfo& tensor) {
    report.mismatched.push_back(concat({name, ": expected ", shape_text(shape), ", found ", shape_text(tensor.shape)}));
  };
  for (const ParameterInfo& p : table) {
    known.insert(p.name);
    const TensorInfo* const tensor = file.find(std::string(prefix) + p.name);
    const bool head = detail::head_differs_in_classes(detail::head_of(p.name), table, file, prefix);
    if (head && options.replace_head) {
      report.replaced.push_back(p.name);
      continue;
    }
    if (tensor == nullptr) {
      report.missing.push_back(p.name);
    } else if (tensor->shape != p.shape) {
      const bool positions = detail::position_change(p, *tensor, table, file, prefix).has_value();
      if (positions && options.resample) report.resampled.push_back(p.name);
      else differs(p.name, p.shape, *tensor);
      can_resample = can_resample || positions;
    }
    can_replace_head = can_replace_head || head;
  }
  for (const FixedTensor& t : fixed) {
    known.insert(t.name);
    const TensorInfo* const tensor = file.find(std::string(prefix) + t.name);
    if (tensor == nullptr || tensor->shape == t.shape) continue;
    if (!options.resample) differs(t.name, t.shape, *tensor);
    can_resample = true;
  }
  for (const TensorInfo& tensor : file.tensors()) {
    const std::string_view name = tensor.name;
    if (!name.starts_with(prefix) || known.contains(name.substr(prefix.size()))) continue;
    const bool geometry = !fixed.empty() && detail::follows_from_geometry(name);
    if (!geometry || !options.resample) report.extra.push_back(tensor.name);
    can_resample = can_resample || geometry;
  }
  report.hint = detail::guess_cause(report.missing, report.extra, report.mismatched, table, file,
                                    can_replace_head && !options.replace_head, can_resample && !options.resample);
  return report;
}

}  // namespace minivit::inline MINIVIT_ISA
