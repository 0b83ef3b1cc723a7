// SPDX-License-Identifier: MIT
// The teacher: first on small images, then on whole ones, with the position embeddings resampled.
#include "recipes.hpp"
#include "rows.hpp"

namespace study {

bool run_teacher(const Context& c) {
  const std::string first = "teacher_at_24";
  if (!train_row<small_images_config>(c, first, 1, small_images_recipe())) return false;
  return train_row<teacher_config>(c, "teacher", 1, teacher_recipe(), [&](Teacher& teacher) {
    teacher = mv::at_resolution<teacher_config>(mv::load<mv::ViT<small_images_config>>(weights_file(c, first, 1).string()));
  });
}

}  // namespace study
