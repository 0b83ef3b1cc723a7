// SPDX-License-Identifier: MIT
// The rows of the CIFAR-10 study: which models, which losses, in the order in which they are run.
#pragma once

#include "recipes.hpp"

#include <functional>
#include <type_traits>

namespace study {

/// The presets' width of 128 would take twice the time for an image.
constexpr mv::ViTConfig narrow(mv::ViTConfig c) {
  c.dim = 96;
  c.heads = 3;
  return c;
}
/// The teachers, both with local convolutions: 15 layers of width 96; three stages of 64, 128 and 256.
using Teacher = mv::ViT<narrow(mv::presets::vit_lite_patch4_32)>;
using SwinTeacher = mv::Swin<mv::presets::swin_lite_patch2_window4_32>;
/// Part of the teacher's epochs are spent on smaller images: 37 tokens of the 65.
constexpr mv::ViTConfig at_24(mv::ViTConfig c) {
  c.image = 24;
  return c;
}
/// A Swin with windows of 3 x 3 for maps of 12, 6 and 3 tokens a side.
constexpr mv::SwinConfig at_24(mv::SwinConfig c) {
  c.image = 24;
  c.window = 3;
  return c;
}
template <mv::ViTConfig C>
std::type_identity<mv::ViT<C>> model_of();
template <mv::SwinConfig C>
std::type_identity<mv::Swin<C>> model_of();
/// The same model for images of 24 x 24.
template <class Model>
using At24 = typename decltype(model_of<at_24(Model::config)>())::type;
using TeacherAt24 = At24<Teacher>;

/// The ablation is run on a smaller model and on images of 24 x 24, so that each step can have two seeds: 12 layers, six on
/// one set of weights, without local convolutions, which count among MiniViT's transformations.
inline constexpr mv::ViTConfig base_config = [] {
  auto c = TeacherAt24::config;
  c.dim = 64;
  c.heads = 2;
  c.depth = 12;
  c.mlp_ratio = 2;
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

using Labels = mv::SoftTargetCrossEntropy;
using Prediction = mv::DeiTDistillation;
/// Five pairs of layers where both models are as deep, else four.
template <class Student, class T>
inline constexpr mv::LayerPairs matched = [] {
  constexpr int depth = mv::layer_count(Student::config), teachers = mv::layer_count(T::config);
  return mv::spread_layers(depth, teachers, depth == teachers ? 5 : 4);
}();
template <class Student, class T>
using Distillation = mv::WeightDistillation<Prediction, mv::AttentionRelations<matched<Student, T>>,
                                            mv::HiddenRelations<matched<Student, T>>>;

/// Half of the loss from the labels, half from the teacher's probabilities at temperature 2.
inline constexpr Prediction prediction{
    .kind = mv::Distill::soft, .alpha = 0.5, .tau = 2, .normalise = mv::Normalise::by_batch};
template <class Student, class T>
inline constexpr Distillation<Student, T> distillation{prediction, {.weight = 1}, {.weight = 0.1}};

/// A row without a teacher. `start(student)` may give it other weights than random ones.
template <class Student>
bool train_row(const Context& c, const std::string& row, std::uint64_t seed, const Recipe& recipe,
               const std::function<void(Student&)>& start = {}) {
  return run_row<Student>(c, row, seed, recipe, Labels{}, [&](Student& student, const auto& options) {
    if (start) start(student);
    return mv::Trainer<Student, void, Labels, mv::bf16>(student, options);
  });
}

/// A row that learns from the teacher of row `teacher`; `start(student, teacher)` may give the student its first weights.
template <class Student, class T, class Loss>
bool distil_row(const Context& c, const std::string& row, std::uint64_t seed, const Recipe& recipe, const Loss& loss,
                const std::string& teacher, const std::function<void(Student&, const T&)>& start = {}) {
  return run_row<Student>(c, row, seed, recipe, loss, [&](Student& student, const auto& options) {
    const T model = mv::load<T>(weights_file(c, teacher, 1).string());
    if (start) start(student, model);
    return mv::Trainer<Student, T, Loss, mv::bf16>(student, model, options);
  });
}

/// A model that learns from images of 24 x 24, then, with position embeddings or bias tables resampled, from whole ones.
template <class Model>
bool teacher_rows(const Context& c, const std::string& row, const TwoParts& recipe) {
  using Small = At24<Model>;
  const std::string first = row + "_at_24";
  return train_row<Small>(c, first, 1, recipe.small) && train_row<Model>(c, row, 1, recipe.whole, [&](Model& model) {
           model = mv::at_resolution<Model::config>(mv::load<Small>(weights_file(c, first, 1).string()));
         });
}

/// A student that shares its teacher's weights, in the same two parts: it begins with their averages, its transformations
/// with the identity, and learns from all that the teacher says.
template <class Student, class T>
bool student_rows(const Context& c, const std::string& row, const TwoParts& recipe, const std::string& teacher) {
  using Small = At24<Student>;
  using SmallTeacher = At24<T>;
  const std::string first = row + "_at_24";
  return distil_row<Small, SmallTeacher>(
             c, first, 1, recipe.small, distillation<Small, SmallTeacher>, teacher + "_at_24",
             [](Small& student, const SmallTeacher& model) { student = mv::multiplex<Small::config>(model); }) &&
         distil_row<Student, T>(c, row, 1, recipe.whole, distillation<Student, T>, teacher, [&](Student& student, const T&) {
           student = mv::at_resolution<Student::config>(mv::load<Small>(weights_file(c, first, 1).string()));
         });
}

/// Each runs its rows; false: stopped by a signal. A file for each, so that they are compiled side by side.
bool run_teacher(const Context& c);
bool run_ablation(const Context& c);
bool run_students(const Context& c);
bool run_swins(const Context& c);
/// accuracy.svg, of the rows that have a log in `folder`.
void draw_accuracy(const fs::path& folder);
/// gradient_norms.svg and alignment.svg, once every row of the ablation has its result.
void draw_figures(const Context& c);

}  // namespace study
