// SPDX-License-Identifier: MIT
// `minivit distill` for each family, a source each.
#pragma once

#include "training_options.hpp"

#include <minivit/io/open_weights.hpp>
#include <minivit/models/any_config.hpp>

namespace cli {

/// Trains a preset `student` with the teacher in `file`, whose config is `teacher`; false when this program has no such
/// pair.
bool distill_vit(const TrainingOptions& o, const mv::AnyConfig& student, const mv::AnyConfig& teacher,
                 const mv::StateDict& file);
bool distill_swin(const TrainingOptions& o, const mv::AnyConfig& student, const mv::AnyConfig& teacher,
                  const mv::StateDict& file);

}  // namespace cli
