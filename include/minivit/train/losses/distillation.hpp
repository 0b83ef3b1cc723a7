// SPDX-License-Identifier: MIT
// Mini-DeiT's distillation from the teacher's predictions: total = (1 - alpha) * base + alpha * kd. No attention or
// hidden-state terms (those belong to Mini-Swin). The published recipe is soft, alpha 1, tau 1: labels are not used.
#pragma once

#include <minivit/train/losses/cross_entropy.hpp>

namespace minivit::inline MINIVIT_ISA {

/// How the student listens to the teacher: to its probabilities, to its best class, or not at all.
enum class Distill {
  soft,  ///< to its probabilities
  hard,  ///< to its best class
  none   ///< not at all
};

/// Divisor of the soft term. The reference implementation divides the sum by batch * classes, which makes the term K
/// times smaller than the usual one (batch alone).
enum class Normalise {
  by_batch_and_classes,  ///< as the reference implementation, B * K
  by_batch               ///< B
};

/// Distillation loss of a Mini-DeiT:
///   soft  kd = tau^2 / (B * K) * sum of p_t ln(p_t / p_s), p = softmax(z / tau)
///   hard  kd = cross-entropy with the teacher's best class, mean over the batch; tau is not used
///   none  total = base; alpha is not used, no teacher is needed
/// base is the cross-entropy with `targets` when they are given, otherwise with `labels`. A model with a distillation
/// head is compared with the labels by its first logits and with the teacher by its second.
struct DeiTDistillation {
  Distill kind = Distill::soft;                           ///< how it listens
  double alpha = 1;                                       ///< in [0, 1]
  double tau = 1;                                         ///< temperature, greater than 0
  Normalise normalise = Normalise::by_batch_and_classes;  ///< divisor of the soft term
  double label_smoothing = 0;  ///< of base, with integer labels only (soft targets carry their own)

  constexpr bool needs_teacher() const { return kind != Distill::none; }  ///< false for Distill::none

  /// Adds the gradients to `dlogits` and, when `in.distilled_logits` are given, to `ddistilled` (both [b, K]).
  /// Throws Error when targets, teacher or gradients do not have one row per image. The teacher gets no gradient.
  template <class T, int K>
  LossValues operator()(const LossInputs<T, K>& in, View<T, Dyn, K> dlogits, View<T, Dyn, K> ddistilled = {}) const {
    constexpr const char* name = "DeiTDistillation";
    detail::require_in(alpha, 0, 1, name, "alpha");
    detail::require_in(tau, std::numeric_limits<double>::min(), std::numeric_limits<double>::max(), name, "tau");
    LossValues values;
    if (!needs_teacher()) {
      values.base = values.total = base(in, dlogits, 1);
      return values;
    }
    const bool two_heads = in.distilled_logits.data() != nullptr;
    const View<const T, Dyn, K> student = two_heads ? in.distilled_logits : in.logits;
    const View<T, Dyn, K> dstudent = two_heads ? ddistilled : dlogits;
    detail::require_rows(student, in.batch(), name, "logits of the distillation head");
    detail::require_rows(dstudent, in.batch(), name, "gradients");
    detail::require_rows(in.teacher_logits, in.batch(), name, "teacher logits", "Distill::none needs no teacher");
    values.base = base(in, dlogits, 1 - alpha);
    values.kd = kind == Distill::soft ? soft(in, student, dstudent) : hard(in, student, dstudent);
    values.total = (1 - alpha) * values.base + alpha * values.kd;
    return values;
  }

 private:
  template <class T, int K>
  double base(const LossInputs<T, K>& in, View<T, Dyn, K> dlogits, double weight) const {
    if (in.targets.data() != nullptr) return SoftTargetCrossEntropy{}.add(in, dlogits, weight);
    return CrossEntropy{.label_smoothing = label_smoothing}.add(in, dlogits, weight);
  }

  template <class T, int K>
  double soft(const LossInputs<T, K>& in, View<const T, Dyn, K> student, View<T, Dyn, K> dstudent) const {
    const double divisor = in.divisor() * (normalise == Normalise::by_batch_and_classes ? K : 1);
    double sum = 0;
    for (Index i = 0; i < in.batch(); ++i) {
      const detail::LogSoftmax<T> log_s(student[i].data(), K, tau);
      const detail::LogSoftmax<T> log_t(in.teacher_logits[i].data(), K, tau);
      for (Index c = 0; c < K; ++c) {
        const double t = std::exp(log_t[c]);
        if (t != 0) sum += t * (log_t[c] - log_s[c]);  // 0 ln 0 = 0
        // tau^2 / tau from the chain rule
        dstudent(i, c) += static_cast<T>(alpha * tau / divisor * (std::exp(log_s[c]) - t));
      }
    }
    return tau * tau / divisor * sum;
  }

  template <class T, int K>
  double hard(const LossInputs<T, K>& in, View<const T, Dyn, K> student, View<T, Dyn, K> dstudent) const {
    const double share = 1 / in.divisor();
    double sum = 0;
    for (Index i = 0; i < in.batch(); ++i) {
      const detail::LogSoftmax<T> log_s(student[i].data(), K);
      const detail::LogSoftmax<T> log_t(in.teacher_logits[i].data(), K);
      Index best = 0;
      for (Index c = 1; c < K; ++c)
        if (in.teacher_logits(i, c) > in.teacher_logits(i, best)) best = c;
      sum -= log_s[best] + (std::isfinite(log_t[best]) ? 0 : log_t[best]);  // a broken teacher must show in the value
      for (Index c = 0; c < K; ++c)
        dstudent(i, c) += static_cast<T>(alpha * share * (std::exp(log_s[c]) - (c == best ? 1 : 0)));
    }
    return sum * share;
  }
};

}  // namespace minivit::inline MINIVIT_ISA
