// SPDX-License-Identifier: MIT
// Training of ViTs for 32x32 images; DeiT-Ti and Mini-DeiT-Ti can be timed, too.
#include "typed_train.hpp"

namespace cli {

bool train_vit(const TrainingOptions& o, const mv::AnyConfig& config) { return train_among<ViTs>(o, config); }

std::unique_ptr<TrainingStep> vit_step(const mv::AnyConfig& config, const StepOptions& options) {
  constexpr auto timed = [](const mv::ViTConfig& c) {
    return c.image == 32 || c == mv::presets::deit_tiny || c == mv::presets::mini_deit_tiny;
  };
  return step_among<ViTs, timed>(config, options);
}

}  // namespace cli
