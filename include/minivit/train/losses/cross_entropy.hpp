// SPDX-License-Identifier: MIT
// Cross-entropy with integer labels (label smoothing as in timm) and with soft targets (mixup, cutmix). The value is
// the mean over the batch; gradients are added, so chunks of a batch and several losses may share one gradient array.
#pragma once

#include <minivit/train/losses/inputs.hpp>

namespace minivit::inline MINIVIT_ISA {

/// (1 - s) * -ln p[label] + s * mean over classes of -ln p, mean over the batch.
struct CrossEntropy {
  double label_smoothing = 0;  ///< s, in [0, 1]

  static constexpr bool needs_teacher() { return false; }  ///< labels are enough

  /// Reads `in.logits` and `in.labels`; adds `weight` times the gradient to `dlogits` [b, K]. The returned value is
  /// this chunk's share of the batch mean, not multiplied by `weight`. Throws Error on a label outside [0, K).
  template <class T, int K>
  double add(const LossInputs<T, K>& in, View<T, Dyn, K> dlogits, double weight = 1) const {
    constexpr const char* name = "CrossEntropy";
    detail::require_in(label_smoothing, 0, 1, name, "label_smoothing");
    detail::require_rows(in.labels, in.batch(), name, "labels", "mixup gives soft targets: use SoftTargetCrossEntropy");
    detail::require_rows(dlogits, in.batch(), name, "gradients");
    const double share = 1 / in.divisor();
    const double off = label_smoothing / K;
    double sum = 0;
    for (Index i = 0; i < in.batch(); ++i) {
      const int label = detail::checked_label(in, i, name);
      const detail::LogSoftmax<T> log_p(in.logits[i].data(), K);
      double all = 0;
      for (Index c = 0; c < K; ++c) {
        const double target = (c == label ? 1 - label_smoothing : 0) + off;
        all -= log_p[c];
        dlogits(i, c) += static_cast<T>(weight * share * (std::exp(log_p[c]) - target));
      }
      sum += (1 - label_smoothing) * -log_p[label] + off * all;
    }
    return sum * share;
  }

  /// The same as a Trainer calls it: weight 1, and no second head.
  template <class T, int K>
  LossValues operator()(const LossInputs<T, K>& in, View<T, Dyn, K> dlogits, View<T, Dyn, K> = {}) const {
    const double value = add(in, dlogits);
    return {.total = value, .base = value};
  }
};

/// -sum over classes of y ln p, mean over the batch. Rows of y need not sum to one.
struct SoftTargetCrossEntropy {
  static constexpr bool needs_teacher() { return false; }  ///< targets are enough

  /// Reads `in.logits` and `in.targets`; adds `weight` times the gradient to `dlogits` [b, K]; returns as CrossEntropy.
  template <class T, int K>
  double add(const LossInputs<T, K>& in, View<T, Dyn, K> dlogits, double weight = 1) const {
    constexpr const char* name = "SoftTargetCrossEntropy";
    detail::require_rows(in.targets, in.batch(), name, "targets", "with integer labels use CrossEntropy");
    detail::require_rows(dlogits, in.batch(), name, "gradients");
    const double share = 1 / in.divisor();
    double sum = 0;
    for (Index i = 0; i < in.batch(); ++i) {
      const detail::LogSoftmax<T> log_p(in.logits[i].data(), K);
      double mass = 0;
      for (Index c = 0; c < K; ++c) mass += static_cast<double>(in.targets(i, c));
      for (Index c = 0; c < K; ++c) {
        const auto target = static_cast<double>(in.targets(i, c));
        sum -= target * log_p[c];
        dlogits(i, c) += static_cast<T>(weight * share * (mass * std::exp(log_p[c]) - target));
      }
    }
    return sum * share;
  }

  /// The same as a Trainer calls it: weight 1, and no second head.
  template <class T, int K>
  LossValues operator()(const LossInputs<T, K>& in, View<T, Dyn, K> dlogits, View<T, Dyn, K> = {}) const {
    const double value = add(in, dlogits);
    return {.total = value, .base = value};
  }
};

}  // namespace minivit::inline MINIVIT_ISA
