// SPDX-License-Identifier: MIT
// `minivit distill` for one pair of models, included by the sources of the families.
#pragma once

#include "distill_parts.hpp"
#include "training.hpp"

#include <minivit/models/layer_geometry.hpp>
#include <minivit/models/multiplex.hpp>

namespace cli {

/// Layers that are compared: every second one, as in the published Mini-Swin recipe.
template <class Student, class Teacher>
constexpr mv::LayerPairs matched = [] {
  constexpr int student = mv::layer_count(Student::config), teacher = mv::layer_count(Teacher::config);
  return mv::spread_layers(student, teacher, std::max(1, std::min(student, teacher) / 2));
}();

/// The student's first weights, as --start says.
template <class Student, class Teacher>
void start_student(Student& student, const Teacher& teacher, const TrainingOptions& o) {
  if (o.start == "random") return;
  student = mv::multiplex<Student::config>(
      teacher,
      {.group = o.start == "average" ? mv::GroupStart::average : mv::GroupStart::first,
       .transformations = o.transformations == "identity" ? mv::TransformStart::identity : mv::TransformStart::reference,
       .seed = o.seed});
}

template <class Student, class Teacher>
void distill_pair(const TrainingOptions& o, const mv::StateDict& file) {
  using Loss = mv::WeightDistillation<mv::DeiTDistillation, mv::AttentionRelations<matched<Student, Teacher>>,
                                      mv::HiddenRelations<matched<Student, Teacher>>>;
  const mv::DeiTDistillation prediction{
      .kind = o.kind == "soft"   ? mv::Distill::soft
              : o.kind == "hard" ? mv::Distill::hard
                                 : mv::Distill::none,
      .alpha = o.alpha,
      .tau = o.tau,
      .normalise = o.reference_scale ? mv::Normalise::by_batch_and_classes : mv::Normalise::by_batch};
  const Loss loss(prediction, {.weight = o.attention}, {.weight = o.hidden});
  const auto teacher = mv::load<Teacher>(file);
  with_products(o.precision, [&]<class W>(W) {
    run_training<Student>(o, loss, [&](Student& student, const auto& options) {
      start_student(student, teacher, o);
      return mv::Trainer<Student, Teacher, Loss, W>(student, teacher, options);
    });
  });
}

/// distill_vit() and distill_swin(). Compiled are a teacher and the same model with shared weights, because each pair costs
/// time.
template <class Family>
bool distill_among(const TrainingOptions& o, const mv::AnyConfig& student, const mv::AnyConfig& teacher,
                   const mv::StateDict& file) {
  constexpr auto students = [](const auto& c) { return c.image == 32 && Family::shares(c); };
  bool found = false;
  with_model<Family, students>(student, [&]<class Student>() {
    constexpr auto its_teacher = [](const auto& c) { return mv::can_multiplex(Student::config, c); };
    found = with_model<Family, its_teacher>(teacher, [&]<class Teacher>() { distill_pair<Student, Teacher>(o, file); });
  });
  return found;
}

}  // namespace cli
