// SPDX-License-Identifier: MIT
// What a run needs to go on as if it had never stopped: weights, both optimiser moments, the moving average and fitting
// layers if there are any, the step, and the settings it was started with. The random streams and the sampler are functions
// of seed and step, so there is nothing more to keep.
#pragma once

#include <minivit/io/checkpoint.hpp>
#include <minivit/train/trainer.hpp>

namespace minivit::inline MINIVIT_ISA {

/// `run` is a Trainer, or whatever else has a Model, state().step, visit_state() and set_step(). Written atomically.
/// `settings` is text that must be equal on resume (hyperparameters, data, seed); `epoch` is text about an unfinished epoch,
/// which load_training() gives back. Throws Error; also when a weight or a moment is not finite.
template <class Run>
void save_training(const std::string& path, Run& run, const std::string& settings, const CheckpointInfo& info = {},
                   const std::string& epoch = {}) {
  const std::string where = "write " + path;
  std::vector<TensorToWrite> tensors;
  run.visit_state([&](const std::string& prefix, const ParameterTable& table, const auto* data) {
    // a huge gradient overflows v first
    require_finite(table, data, prefix.empty() ? where : where + ", " + prefix.substr(0, prefix.size() - 1));
    append_parameters(tensors, table, data, prefix);
  });
  auto metadata = metadata_of(Run::Model::config, info, where);
  metadata["minivit.step"] = std::to_string(run.state().step);
  metadata["minivit.settings"] = settings;
  if (!epoch.empty()) metadata["minivit.epoch"] = epoch;
  write_safetensors(path, tensors, metadata);
}

/// Fills the run's student and state; returns save_training()'s `epoch`. Throws Error when the file belongs to another model
/// or to a run with other settings.
template <class Run>
std::string load_training(const std::string& path, Run& run, const std::string& settings) {
  const SafeTensors file = SafeTensors::open(path);
  const auto text = [&](const char* key) {
    const auto at = file.metadata().find(key);
    if (at == file.metadata().end())
      fail({.where = file.where(),
            .what = std::string("metadata '") + key + "' is missing",
            .hint = "is this a training checkpoint?"});
    return at->second;
  };
  if (const std::string found = text("minivit.settings"); found != settings)
    fail({.where = file.where(),
          .what = "the run was started with other settings",
          .expected = settings,
          .found = found,
          .hint = "use the same settings, or start a new run without --resume"});
  const std::string step = text("minivit.step");
  Index value = 0;
  for (const char c : step) {
    if (c < '0' || c > '9' || value > Index{1} << 52)
      fail({.where = file.where(), .what = "metadata 'minivit.step'", .expected = "a number of steps", .found = step});
    value = 10 * value + (c - '0');
  }
  run.visit_state([&](const std::string& prefix, const ParameterTable& table, auto* data) {
    read_parameters(file, table, data, prefix);
  });
  run.set_step(value);
  return file.metadata().contains("minivit.epoch") ? text("minivit.epoch") : std::string();
}

}  // namespace minivit::inline MINIVIT_ISA
