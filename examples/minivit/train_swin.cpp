// SPDX-License-Identifier: MIT
// Training of Swins for 32x32 images.
#include "typed_train.hpp"

namespace cli {

bool train_swin(const TrainingOptions& o, const mv::AnyConfig& config) { return train_among<Swins>(o, config); }

std::unique_ptr<TrainingStep> swin_step(const mv::AnyConfig& config, const StepOptions& options) {
  return step_among<Swins, small_images>(config, options);
}

}  // namespace cli
