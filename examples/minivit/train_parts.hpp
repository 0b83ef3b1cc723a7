// SPDX-License-Identifier: MIT
// What needs a Trainer, one source for each family (train_*.cpp): `minivit train`, and the training steps that `minivit
// bench` times, which are the same code.
#pragma once

#include "training_options.hpp"

#include <minivit/models/any_config.hpp>

#include <memory>

namespace cli {

/// Runs `minivit train` for a preset of the family that is for 32x32 images; false when `config` is none.
bool train_vit(const TrainingOptions& o, const mv::AnyConfig& config);
bool train_swin(const TrainingOptions& o, const mv::AnyConfig& config);

struct StepOptions {
  std::string precision = "f32";  ///< "f32" or "bf16"
  mv::Index batch = 1;
  int threads = 0;
  bool recompute = false;
};

/// A training step on random images, to be run again and again.
class TrainingStep {
 public:
  virtual ~TrainingStep() = default;
  virtual void run() = 0;
  virtual mv::Index macs() const = 0;             ///< of a forward pass of one image
  virtual mv::Index bytes_per_image() const = 0;  ///< Trainer::bytes_per_image
};

/// For the presets of train_...() and few larger ones, else null.
std::unique_ptr<TrainingStep> vit_step(const mv::AnyConfig& config, const StepOptions& options);
std::unique_ptr<TrainingStep> swin_step(const mv::AnyConfig& config, const StepOptions& options);

}  // namespace cli
