// SPDX-License-Identifier: MIT
// EpochMeans: the running means of an epoch by name, and as text that a training checkpoint can hold, so that the log line
// of an epoch that was interrupted equals the one of an unbroken run bit for bit. Times are not kept: they belong to one
// run.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/train/json_line.hpp>
#include <minivit/train/metrics.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <system_error>

namespace minivit::inline MINIVIT_ISA {

/// Weighted means by name, in the order of the names.
class EpochMeans {
 public:
  /// Adds to the mean called `name`: any text without a line end.
  void add(std::string_view name, double value, double weight) { at(name).add(value, weight); }
  /// 0 for a name without values.
  double mean(std::string_view name) const {
    const auto found = means_.find(name);
    return found == means_.end() ? 0 : found->second.mean();
  }
  /// Sum of the weights given to `name`; 0 for a name without values.
  double weight(std::string_view name) const {
    const auto found = means_.find(name);
    return found == means_.end() ? 0 : found->second.weight();
  }

  /// A line "sum weight name" for each, with all digits.
  std::string text() const {
    std::string out;
    for (const auto& [name, mean] : means_)
      out += json_number(mean.sum()) + " " + json_number(mean.weight()) + " " + name + "\n";
    return out;
  }
  /// What text() gave. Throws Error, beginning with `where`, for any other text.
  static EpochMeans read(std::string_view text, std::string_view where) {
    EpochMeans means;
    for (std::string_view rest = text; !rest.empty();) {
      const std::string_view sum = up_to(' ', rest), weight = up_to(' ', rest), name = up_to('\n', rest);
      double s = 0, w = 0;
      if (name.empty() || !number(sum, s) || !number(weight, w) || w < 0 || means.means_.contains(name))
        fail({.where = where,
              .what = "the means of the unfinished epoch",
              .expected = "lines of sum, weight, name",
              .found = text});
      means.at(name) = RunningMean(s, w);
    }
    return means;
  }

 private:
  RunningMean& at(std::string_view name) {
    const auto found = means_.find(name);
    return found != means_.end() ? found->second : means_[std::string(name)];
  }
  /// Takes the text up to the next `mark`, and the mark, off `rest`.
  static std::string_view up_to(char mark, std::string_view& rest) {
    const std::size_t end = std::min(rest.find(mark), rest.size());
    const std::string_view out = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return out;
  }
  static bool number(std::string_view text, double& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && std::isfinite(value);
  }

  std::map<std::string, RunningMean, std::less<>> means_;
};

}  // namespace minivit::inline MINIVIT_ISA
