// SPDX-License-Identifier: MIT
// What a run needs to go on as if it had never stopped: weights, both optimiser moments, the step, and the settings it was
// started with. The random streams and the sampler are functions of seed and step, so there is nothing more to keep.
#pragma once

#include <minivit/io/checkpoint.hpp>
#include <minivit/train/adamw.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Written atomically. `settings` is text that must be equal on resume (hyperparameters, data, seed); `epoch` is text about an
/// unfinished epoch, which load_training() gives back. Throws Error; also when a weight or a moment is not finite.
template <class Model, class State>
void save_training(const std::string& path, const Model& model, const State& state, const std::string& settings,
                   const CheckpointInfo& info = {}, const std::string& epoch = {}) {
  const std::string where = "write " + path;
  require_finite(Model::parameter_table(), model.data(), where);
  require_finite(Model::parameter_table(), state.m.data(), where + ", optimiser.m");
  require_finite(Model::parameter_table(), state.v.data(), where + ", optimiser.v");  // a huge gradient overflows here first
  std::vector<TensorToWrite> tensors;
  append_parameters(tensors, Model::parameter_table(), model.data());
  append_parameters(tensors, Model::parameter_table(), state.m.data(), "optimiser.m.");
  append_parameters(tensors, Model::parameter_table(), state.v.data(), "optimiser.v.");
  auto metadata = metadata_of(Model::config, info, where);
  metadata["minivit.step"] = std::to_string(state.step);
  metadata["minivit.settings"] = settings;
  if (!epoch.empty()) metadata["minivit.epoch"] = epoch;
  write_safetensors(path, tensors, metadata);
}

/// Fills model and state; returns save_training()'s `epoch`. Throws Error when the file belongs to another model or to a run with
/// other settings.
template <class Model, class State>
std::string load_training(const std::string& path, Model& model, State& state, const std::string& settings) {
  const SafeTensors file = SafeTensors::open(path);
  const auto text = [&](const char* key) {
    const auto at = file.metadata().find(key);
    if (at == file.metadata().end())
      fail({.where = file.where(), .what = std::string("metadata '") + key + "' is missing", .hint = "is this a training checkpoint?"});
    return at->second;
  };
  if (const std::string found = text("minivit.settings"); found != settings)
    fail({.where = file.where(), .what = "the run was started with other settings", .expected = settings, .found = found,
          .hint = "use the same settings, or start a new run without --resume"});
  const std::string step = text("minivit.step");
  Index value = 0;
  for (const char c : step) {
    if (c < '0' || c > '9' || value > Index{1} << 52)
      fail({.where = file.where(), .what = "metadata 'minivit.step'", .expected = "a number of steps", .found = step});
    value = 10 * value + (c - '0');
  }
  read_parameters(file, Model::parameter_table(), model.data());
  read_parameters(file, Model::parameter_table(), state.m.data(), "optimiser.m.");
  read_parameters(file, Model::parameter_table(), state.v.data(), "optimiser.v.");
  state.step = value;
  return file.metadata().contains("minivit.epoch") ? text("minivit.epoch") : std::string();
}

}  // namespace minivit::inline MINIVIT_ISA
