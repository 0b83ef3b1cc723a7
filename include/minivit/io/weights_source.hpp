// SPDX-License-Identifier: MIT
// WeightsSource: the parameters of a model one by one from a file that was compared with it: copied, resampled or new.
#pragma once

#include <minivit/core/parameters.hpp>
#include <minivit/io/load_report.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/resample_positions.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

namespace minivit::inline MINIVIT_ISA {

/// A ParameterSource. File and table must outlive it; several threads may use it.
class WeightsSource {
 public:
  /// `report` is that of compare() with the same file and table, and ok().
  WeightsSource(const StateDict& file, const ParameterTable& table, LoadReport report, std::uint64_t seed)
      : file_(&file), table_(&table), report_(std::move(report)), seed_(seed) {}

  /// Writes the p.size elements of a parameter. Throws Error when the file has it in an unusable dtype.
  template <class T>
  void operator()(const ParameterInfo& p, T* to) const {
    if (std::ranges::find(report_.replaced, p.name) != report_.replaced.end()) return initial_values(*table_, seed_)(p, to);
    const TensorInfo& tensor = file_->at(p.name);
    if (std::ranges::find(report_.resampled, p.name) == report_.resampled.end()) return file_->copy_to(tensor, to);
    const auto change = detail::position_change(p, tensor, *table_, *file_);
    if (!change) return;  // compare() saw that there is one
    Buffer<T> from(tensor.size);
    file_->copy_to(tensor, from.data());
    const Index extra = change->extra * change->dim;
    std::copy_n(from.data(), extra, to);
    resample_positions(to + extra, change->to_side, from.data() + extra, change->from_side, change->dim);
  }

  /// What was adapted.
  const LoadReport& report() const { return report_; }

 private:
  const StateDict* file_;
  const ParameterTable* table_;
  LoadReport report_;
  std::uint64_t seed_;
};

}  // namespace minivit::inline MINIVIT_ISA
