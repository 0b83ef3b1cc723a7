// SPDX-License-Identifier: MIT
// What every loss reads and returns, and the arithmetic of one row of logits. All sums are in double, whatever the
// type of the logits, and all log-softmax values are taken after the largest logit was subtracted.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/view.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <string>

namespace minivit::inline MINIVIT_ISA {

/// One chunk of a batch as a loss sees it. Views that a loss does not read may stay empty.
template <class T, int K>
struct LossInputs {
  View<const T, Dyn, K> logits{};            ///< [b, K], of the student
  View<const T, Dyn, K> distilled_logits{};  ///< [b, K], of the distillation head; empty when the model has none
  View<const T, Dyn, K> targets{};           ///< [b, K], soft targets; empty when `labels` are given
  View<const T, Dyn, K> teacher_logits{};    ///< [b, K]; empty without a teacher
  Index batch_total = 0;                     ///< images in the whole batch, the divisor; 0 means this chunk is all of it
  View<const int, Dyn> labels{};             ///< [b], class of each image in [0, K); empty when `targets` are given

  Index batch() const { return logits.batch(); }  ///< images in this chunk (b)
  /// Images in the whole batch.
  double divisor() const { return static_cast<double>(batch_total > 0 ? batch_total : batch()); }
};

/// What the log shows. `total` is what the gradient belongs to; the others are its unweighted parts.
struct LossValues {
  static constexpr int most_terms = 6;     ///< feature terms a loss can have
  double total = 0;                        ///< of all parts, weighted
  double base = 0;                         ///< against the labels or targets
  double kd = 0;                           ///< against the teacher's predictions
  std::array<double, most_terms> terms{};  ///< of a WeightDistillation, in its order

  /// Sums of every field, for chunks of a batch.
  LossValues& operator+=(const LossValues& other) {
    total += other.total;
    base += other.base;
    kd += other.kd;
    for (std::size_t i = 0; i < terms.size(); ++i) terms[i] += other.terms[i];
    return *this;
  }
  friend LossValues operator+(LossValues a, const LossValues& b) { return a += b; }  ///< same
  bool operator==(const LossValues&) const = default;                                ///< equal in every field
};

namespace detail {

/// Turns one row of logits z into log-probabilities at a temperature: ln softmax(z / tau). NaN anywhere, or an infinite
/// largest logit, makes every value NaN, so that a broken model cannot look like a trained one.
template <class T>
class LogSoftmax {
 public:
  LogSoftmax(const T* z, Index classes, double tau = 1) : z_(z), inverse_tau_(1 / tau) {
    double largest = -std::numeric_limits<double>::infinity();
    for (Index c = 0; c < classes; ++c) largest = std::fmax(largest, static_cast<double>(z[c]));
    largest_ = largest * inverse_tau_;
    double sum = 0;
    for (Index c = 0; c < classes; ++c) sum += std::exp(shifted(c));
    log_sum_ = std::log(sum);
  }
  double operator[](Index c) const { return shifted(c) - log_sum_; }

 private:
  double shifted(Index c) const { return static_cast<double>(z_[c]) * inverse_tau_ - largest_; }

  const T* z_;
  double inverse_tau_;
  double largest_ = 0;
  double log_sum_ = 0;
};

/// Fails unless `view` holds one row per image of the chunk.
template <class V>
void require_rows(const V& view, Index batch, const char* loss, const char* which, const char* hint = "") {
  if (view.batch() == batch && (batch == 0 || view.data() != nullptr)) return;
  fail({.where = loss,
        .what = std::string(which) + " do not fit the logits",
        .expected = std::to_string(batch) + " rows",
        .found = std::to_string(view.batch()),
        .hint = hint});
}

/// Class of image i; fails outside [0, K).
template <class T, int K>
int checked_label(const LossInputs<T, K>& in, Index i, const char* loss) {
  const int label = in.labels[i];
  if (label < 0 || label >= K)
    fail({.where = loss,
          .what = "label of image " + std::to_string(i) + " names no class",
          .expected = "0 to " + std::to_string(K - 1),
          .found = std::to_string(label),
          .hint = "does the data set have as many classes as the model?"});
  return label;
}

inline void require_in(double value, double low, double high, const char* loss, const char* field) {
  if (value >= low && value <= high) return;
  fail({.where = loss,
        .what = std::string(field) + " is out of range",
        .expected = std::to_string(low) + " to " + std::to_string(high),
        .found = std::to_string(value)});
}

}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
