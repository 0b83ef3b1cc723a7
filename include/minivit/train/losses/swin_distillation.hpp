// SPDX-License-Identifier: MIT
// Mini-Swin's distillation from the teacher's predictions: total = alpha * truth + (1 - alpha) * soft. Unlike Mini-DeiT's,
// `soft` is a cross-entropy (the teacher's entropy is part of the value), is not multiplied by T^2 and is a mean over the
// batch.
#pragma once

#include <minivit/train/losses/cross_entropy.hpp>

namespace minivit::inline MINIVIT_ISA {

/// truth: cross-entropy with `targets` when they are given, otherwise with `labels`;
/// soft:  -mean over the batch of sum softmax(z_t / T) ln softmax(z_s / T). The published recipe is alpha 0, T 1: labels are
/// not used. A model with a distillation head is compared by its first logits.
struct SwinDistillation {
  double alpha = 0;            ///< in [0, 1]
  double temperature = 1;      ///< T, greater than 0
  double label_smoothing = 0;  ///< of truth, with integer labels only

  static constexpr bool needs_teacher() { return true; }  ///< also with alpha 1

  /// Adds the gradient to `dlogits` [b, K]. Throws Error when targets, teacher or gradients do not have one row per image.
  template <class T, int K>
  LossValues operator()(const LossInputs<T, K>& in, View<T, Dyn, K> dlogits, View<T, Dyn, K> = {}) const {
    constexpr const char* name = "SwinDistillation";
    detail::require_in(alpha, 0, 1, name, "alpha");
    detail::require_in(temperature, std::numeric_limits<double>::min(), std::numeric_limits<double>::max(), name,
                       "temperature");
    detail::require_rows(dlogits, in.batch(), name, "gradients");
    detail::require_rows(in.teacher_logits, in.batch(), name, "teacher logits");
    LossValues values;
    values.base = in.targets.data() != nullptr ? SoftTargetCrossEntropy{}.add(in, dlogits, alpha)
                                               : CrossEntropy{.label_smoothing = label_smoothing}.add(in, dlogits, alpha);
    const double share = 1 / in.divisor();
    double sum = 0;
    for (Index i = 0; i < in.batch(); ++i) {
      const detail::LogSoftmax<T> log_s(in.logits[i].data(), K, temperature);
      const detail::LogSoftmax<T> log_t(in.teacher_logits[i].data(), K, temperature);
      for (Index c = 0; c < K; ++c) {
        const double t = std::exp(log_t[c]);
        if (t != 0) sum -= t * log_s[c];
        dlogits(i, c) += static_cast<T>((1 - alpha) * share / temperature * (std::exp(log_s[c]) - t));
      }
    }
    values.kd = sum * share;
    values.total = alpha * values.base + (1 - alpha) * values.kd;
    return values;
  }
};

}  // namespace minivit::inline MINIVIT_ISA
