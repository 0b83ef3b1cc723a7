// SPDX-License-Identifier: MIT
// Training of Swins for 32x32 images; Swin-T and Mini-Swin-T can be timed, too.
#include "typed_train.hpp"

namespace cli {

bool train_swin(const TrainingOptions& o, const mv::AnyConfig& config) { return train_among<Swins>(o, config); }

std::unique_ptr<TrainingStep> swin_step(const mv::AnyConfig& config, const StepOptions& options) {
  constexpr auto timed = [](const mv::SwinConfig& c) {
    return c.image == 32 || c == mv::presets::swin_tiny_patch4_window7_224 || c == mv::presets::mini_swin_tiny_patch4_window7_224;
  };
  return step_among<Swins, timed>(config, options);
}

}  // namespace cli
