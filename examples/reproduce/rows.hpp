// SPDX-License-Identifier: MIT
// The rows of the CIFAR-10 study: which models, which losses, in the order in which they are run.
#pragma once

#include "study.hpp"

#include <functional>

namespace study {

/// The teacher and the students of the main table: 15 layers of width 128, with local convolutions.
inline constexpr mv::ViTConfig teacher_config = mv::presets::vit_lite_patch4_32;
using Teacher = mv::ViT<teacher_config>;
/// The teacher's first epochs are spent on smaller images: 37 tokens of the 65.
inline constexpr mv::ViTConfig small_images_config = [] {
  auto c = teacher_config;
  c.image = 24;
  return c;
}();

/// The ablation is run on a smaller model, so that each step can have two seeds: 12 layers of width 96, six on one set of weights,
/// without local convolutions, which count among MiniViT's transformations.
inline constexpr mv::ViTConfig base_config = [] {
  auto c = teacher_config;
  c.dim = 96;
  c.depth = 12;
  c.mlp_ratio = 2;
  c.heads = 3;
  c.position = {};
  c.sharing = {};
  return c;
}();
constexpr mv::ViTConfig ablation(mv::Sharing sharing, bool relative_position = false) {
  auto c = base_config;
  c.sharing = sharing;
  c.position = {.keys = relative_position};
  return c;
}
inline constexpr mv::ViTConfig shared_config = ablation({.repeat = 6, .separate_norms = false});
inline constexpr mv::ViTConfig norms_config = ablation({.repeat = 6});
inline constexpr mv::ViTConfig mini_config = ablation({.repeat = 6, .mix_heads = true, .local_conv = true}, true);

/// Which layers listen to which of the teacher's: five or four pairs.
template <mv::ViTConfig C>
inline constexpr mv::LayerPairs matched = mv::spread_layers(C.depth, teacher_config.depth, C.depth == teacher_config.depth ? 5 : 4);
using Labels = mv::SoftTargetCrossEntropy;
using Prediction = mv::DeiTDistillation;
template <mv::ViTConfig C>
using Distillation = mv::WeightDistillation<mv::DeiTDistillation, mv::AttentionRelations<matched<C>>, mv::HiddenRelations<matched<C>>>;

/// Half of the loss from the labels, half from the teacher's probabilities at temperature 2.
inline constexpr Prediction prediction{.kind = mv::Distill::soft, .alpha = 0.5, .tau = 2, .normalise = mv::Normalise::by_batch};

/// A row without a teacher. `start(student)` may give it other weights than random ones.
template <mv::ViTConfig C>
bool train_row(const Context& c, const std::string& row, std::uint64_t seed, const Recipe& recipe,
               const std::function<void(mv::ViT<C>&)>& start = {}) {
  using Student = mv::ViT<C>;
  return run_row<Student>(c, row, seed, recipe, Labels{}, [&](Student& student, const auto& options) {
    if (start) start(student);
    return mv::Trainer<Student, void, Labels, mv::bf16>(student, options);
  });
}

/// A row that learns from the teacher. With `start`, the student begins with the teacher's weights.
template <mv::ViTConfig C, class Loss>
bool distil_row(const Context& c, const std::string& row, std::uint64_t seed, const Recipe& recipe, const Loss& loss,
                const mv::MultiplexOptions* start = nullptr) {
  using Student = mv::ViT<C>;
  const Teacher teacher = mv::load<Teacher>(weights_file(c, "teacher", 1).string());
  return run_row<Student>(c, row, seed, recipe, loss, [&](Student& student, const auto& options) {
    if constexpr (mv::can_multiplex(C, teacher_config))
      if (start) student = mv::multiplex<C>(teacher, *start);
    return mv::Trainer<Student, Teacher, Loss, mv::bf16>(student, teacher, options);
  });
}

/// Each runs its rows; false: stopped by a signal. A file for each, so that they are compiled side by side.
bool run_teacher(const Context& c);
bool run_ablation(const Context& c);
bool run_students(const Context& c);

}  // namespace study
