// SPDX-License-Identifier: MIT
// Fitting: the linear layers that bring a student's hidden states to the teacher's width (reference 2.7, `fit_dense_C`).
// They are trained with the student, stand in training checkpoints, and are no part of the model. And TeacherParts: all that
// a Trainer holds because of its teacher.
#pragma once

#include <minivit/train/adamw.hpp>
#include <minivit/train/running_teacher.hpp>

namespace minivit::inline MINIVIT_ISA::detail {

/// Weights, gradients and moments of all fitting layers of a loss; nothing for most losses.
template <class Student, class Teacher, class Terms>
class Fitting {
  using T = typename Student::Scalar;

 public:
  static constexpr Index size = for_each_fitting_layer<Student, Teacher, Terms>([](const FittingLayer&) {});

  /// Weights as the reference starts them: normal with deviation 0.02, no bias.
  explicit Fitting(std::uint64_t seed) : weights(size), gradients(size), state(size) {
    for (const ParameterInfo& p : table()) {
      const Random random = Random(seed).fork("init").fork(p.name);
      for (Index i = 0; p.shape.size() > 1 && i < p.size; ++i)
        weights.data()[p.offset + i] = static_cast<T>(0.02 * random.normal(static_cast<std::uint64_t>(i)));
    }
  }

  static const ParameterTable& table() {
    static const ParameterTable rows = [] {
      ParameterTable out;
      int number = 0;
      for_each_fitting_layer<Student, Teacher, Terms>([&](const FittingLayer& l) {
        const std::string name = "fit_dense_C." + std::to_string(number++);
        const Index ws = l.student_width, wt = l.teacher_width;
        out.push_back({name + ".weight", {wt, ws}, l.offset, wt * ws});
        out.push_back({name + ".bias", {wt}, l.offset + wt * ws, wt});
      });
      return out;
    }();
    return rows;
  }

  Buffer<T> weights;
  Buffer<T> gradients;
  AdamWState<T> state;
};

/// What belongs to a teacher: itself, features, taps and fitting layers; or nothing.
template <class Student, class Teacher, class Loss, class W>
struct TeacherParts {
  using Terms = decltype(feature_terms(Loss{}));
  using Running = RunningTeacher<Teacher, Terms, W>;
  using Features = typename Running::Features;
  using Tap = StudentTap<Student, Teacher, Terms>;
  using Fit = Fitting<Student, Teacher, Terms>;
};
template <class Student, class Loss, class W>
struct TeacherParts<Student, void, Loss, W> {
  struct Running {};
  struct Features {};
  using Tap = Observer;
  struct Fit {
    static constexpr Index size = 0;
    explicit Fit(std::uint64_t) {}
  };
};

}  // namespace minivit::inline MINIVIT_ISA::detail
