// SPDX-License-Identifier: MIT
// RunningTeacher: a teacher in the training of another model. It has no gradient, no stochastic depth, and memory that is
// given back after each micro-batch but for its logits and the features that the loss asks for.
#pragma once

#include <minivit/models/packed_weights.hpp>
#include <minivit/train/feature_taps.hpp>

namespace minivit::inline MINIVIT_ISA::detail {

/// Packed weights of `Teacher`, multiplied as W. Terms: the feature terms of the loss.
template <class Teacher, class Terms, class W>
class RunningTeacher {
  using T = typename Teacher::Scalar;
  using Weights = PackedWeights<Teacher, Packed<W, T>, W>;
  static constexpr int K = Teacher::config.classes;

 public:
  using Features = TeacherFeatures<Teacher, Terms>;
  using Images = typename Teacher::Images;
  using Logits = View<const T, Dyn, K>;

  /// Copies what it needs of `teacher`.
  void pack(const Teacher& teacher, const Threads& threads) { weights_.pack(teacher, threads); }
  Index bytes() const { return weights_.bytes(); }

  /// The logits [B, classes], averaged over two heads if it has them; fills `features`. Both live in `arena`.
  Logits operator()(Images images, Features& features, Arena<T>& arena) const {
    const Profile::Scope profile("teacher");
    const Index batch = images.batch();
    const auto logits = arena.template take<Dyn, K>(batch);
    features = Features::take(arena, batch);
    const auto scope = arena.scratch();
    Arena<T> inner(arena.raw(size(batch)), size(batch), Memory::rewind);
    const auto second = inner.template take<Dyn, K>(Teacher::distilled ? batch : 0);
    weights_.net().forward(images, {logits, second}, inner, {}, TeacherTap<Teacher, Terms>(features));
    if constexpr (Teacher::distilled)
      for (Index i = 0; i < logits.size(); ++i) logits.data()[i] = (logits.data()[i] + second.data()[i]) / T{2};
    return logits;
  }

  /// What the call takes of an arena that counts.
  static constexpr Features plan(Index batch, Arena<T>& arena) {
    arena.template take<Dyn, K>(batch);
    const Features features = Features::take(arena, batch);
    const auto scope = arena.scratch();
    arena.raw(size(batch));
    return features;
  }

 private:
  /// Elements of memory for `batch` images.
  static constexpr Index size(Index batch) {
    Arena<T> arena(Memory::rewind);
    typename Weights::Net net;
    const auto second = arena.template take<Dyn, K>(Teacher::distilled ? batch : 0);
    net.forward(Images(nullptr, batch), {View<T, Dyn, K>(nullptr, batch), second}, arena);
    return arena.peak();
  }

  Weights weights_;
};

}  // namespace minivit::inline MINIVIT_ISA::detail
