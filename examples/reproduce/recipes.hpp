// SPDX-License-Identifier: MIT
// How long each group of rows is trained and what is done to its images. Chosen for two cores without matrix units; see
// docs/results for what they took.
#pragma once

#include "study.hpp"

namespace study {

/// Augmentation for runs of about sixty epochs. Stronger (magnitude 7, cutmix on 40 % of the batches) left a plain ViT at 54 % after ten.
inline mv::Augmentation strong() {
  return {.padding = 4, .flip = true, .rand_augment = mv::RandAugment{.magnitude = 6}, .erasing = {.probability = 0.1}, .cutmix = 1,
          .mix_probability = 0.25, .smoothing = 0.1, .preprocessing = mv::presets::small_images};
}
/// The teacher learns for half of its epochs from images of 24 x 24, at half of the time per image. One rate over both parts.
inline Recipe small_images_recipe() {
  Recipe recipe{.epochs = 28, .batch = 128, .lr = 1.5e-3, .last_lr = 8e-4, .warmup_epochs = 2, .drop_path = 0.05, .average = 0.999, .augment = strong()};
  recipe.augment.padding = 3;
  return recipe;
}
/// Without cutmix: so far the model knows its augmented training images less well (56 % after ten epochs) than the test images (72 %).
inline Recipe teacher_recipe() {
  Recipe recipe{.epochs = 30, .batch = 128, .lr = 8e-4, .warmup_epochs = 0.5, .drop_path = 0.05, .average = 0.999, .augment = strong()};
  recipe.augment.cutmix = 0;
  return recipe;
}
inline Recipe student_recipe() { return {.epochs = 14, .batch = 128, .lr = 1e-3, .warmup_epochs = 1, .average = 0.999, .augment = strong()}; }
inline Recipe ablation_recipe() {
  return {.epochs = 12, .batch = 128, .lr = 1.5e-3, .warmup_epochs = 1, .augment = {.padding = 3, .flip = true, .smoothing = 0.1, .preprocessing = mv::presets::small_images}};
}

}  // namespace study
