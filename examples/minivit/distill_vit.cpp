// SPDX-License-Identifier: MIT
// Distillation from ViTs for 32x32 images to the same models with shared weights.
#include "typed_distill.hpp"

namespace cli {

bool distill_vit(const TrainingOptions& o, const mv::AnyConfig& student, const mv::AnyConfig& teacher,
                 const mv::StateDict& file) {
  return distill_among<ViTs>(o, student, teacher, file);
}

}  // namespace cli
