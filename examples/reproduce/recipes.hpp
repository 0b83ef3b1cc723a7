// SPDX-License-Identifier: MIT
// How long each group of rows is trained and what is done to its images. Chosen for two cores; see docs/results
// for what they took.
#pragma once

#include "study.hpp"

namespace study {

/// Augmentation for runs of some twenty epochs and more. Stronger (magnitude 7, cutmix on 40 % of the batches) left a plain
/// ViT at 54 % after ten.
inline mv::Augmentation strong(int padding) {
  return {.padding = padding,
          .flip = true,
          .rand_augment = mv::RandAugment{.magnitude = 6},
          .erasing = {.probability = 0.1},
          .smoothing = 0.1,
          .preprocessing = mv::presets::small_images};
}
/// For runs of a few epochs.
inline mv::Augmentation light(int padding) {
  return {.padding = padding, .flip = true, .smoothing = 0.1, .preprocessing = mv::presets::small_images};
}
/// Every model learns from images of 24 x 24 first, at half of the time per image, then from whole ones, at one rate over
/// both parts.
struct TwoParts {
  Recipe small, whole;
};
/// The rates that teachers and students have in common, and what they differ in.
inline TwoParts two_parts(mv::Index small, mv::Index whole, double small_warmup, double whole_warmup, double average,
                          mv::Augmentation (*augment)(int padding)) {
  TwoParts r;
  r.small = {.epochs = small, .lr = 1.5e-3, .last_lr = 8e-4, .warmup_epochs = small_warmup, .average = average};
  r.whole = {.epochs = whole, .lr = 8e-4, .warmup_epochs = whole_warmup, .average = average};
  r.small.augment = augment(3);
  r.whole.augment = augment(4);
  return r;
}
inline TwoParts teacher_recipe(mv::Index small, mv::Index whole) { return two_parts(small, whole, 1, 0.5, 0.999, strong); }
inline TwoParts student_recipe(mv::Index small, mv::Index whole) { return two_parts(small, whole, 0.5, 0.2, 0.998, light); }
inline Recipe ablation_recipe() {
  return {.epochs = 4, .batch = 128, .lr = 1.5e-3, .warmup_epochs = 0.5, .augment = light(3)};
}

}  // namespace study
