// SPDX-License-Identifier: MIT
// Counters of an evaluation: top-1 and top-k accuracy, confusion matrix, running mean. They merge with +=, so parts of a
// data set may be counted apart. A row of logits that holds NaN or infinity is wrong for every k and is counted apart.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/view.hpp>

#include <cmath>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// Index of the largest of n logits, the first of equals; -1 when any of them is NaN or infinite, or n is 0.
template <class T>
Index argmax(const T* logits, Index n) {
  Index best = n > 0 ? 0 : -1;
  for (Index c = 0; c < n; ++c) {
    if (!std::isfinite(logits[c])) return -1;
    if (logits[c] > logits[best]) best = c;
  }
  return best;
}
/// The same for a row whose type says its length.
template <class T, int K>
Index argmax(View<const T, K> logits) {
  return argmax(logits.data(), Index{K});
}

/// How often the label is the best, or among the k best, of the logits.
class Accuracy {
 public:
  /// `k` of the second counter. Throws Error unless k >= 1.
  explicit Accuracy(Index k = 5) : k_(k) {
    if (k < 1) fail({.where = "Accuracy", .what = "k is too small", .expected = "1 or more", .found = std::to_string(k)});
  }

  /// One image. Of equal logits the lower class counts as better, so no image is right for two labels at k = 1.
  /// Throws Error when `label` lies outside [0, classes).
  template <class T>
  void add(const T* logits, Index classes, Index label) {
    if (label < 0 || label >= classes)
      fail({.where = "Accuracy",
            .what = "a label names no class",
            .expected = "0 to " + std::to_string(classes - 1),
            .found = std::to_string(label)});
    ++images_;
    const Index best = argmax(logits, classes);
    if (best < 0) {
      ++non_finite_;
      return;
    }
    Index better = 0;
    for (Index c = 0; c < classes; ++c)
      better += logits[c] > logits[label] || (logits[c] == logits[label] && c < label) ? 1 : 0;
    top1_ += better < 1 ? 1 : 0;
    topk_ += better < k_ ? 1 : 0;
  }
  /// A batch: logits [b, K], labels [b].
  template <class T, int K>
  void add(View<T, Dyn, K> logits, View<const int, Dyn> labels) {
    if (logits.batch() != labels.batch())
      fail({.where = "Accuracy",
            .what = "labels do not fit the logits",
            .expected = std::to_string(logits.batch()),
            .found = std::to_string(labels.batch())});
    for (Index i = 0; i < logits.batch(); ++i) add(logits[i].data(), Index{K}, Index{labels[i]});
  }

  Index k() const { return k_; }                    ///< as given
  Index images() const { return images_; }          ///< rows added
  Index top1_correct() const { return top1_; }      ///< rows whose best class is the label
  Index topk_correct() const { return topk_; }      ///< rows whose label is among the k best
  Index non_finite() const { return non_finite_; }  ///< images whose logits were not all finite
  /// Shares in [0, 1]; 0 without images.
  double top1() const { return share(top1_); }
  double topk() const { return share(topk_); }  ///< share of topk_correct()

  /// Precondition: the same k.
  Accuracy& operator+=(const Accuracy& other) {
    images_ += other.images_;
    top1_ += other.top1_;
    topk_ += other.topk_;
    non_finite_ += other.non_finite_;
    return *this;
  }

 private:
  double share(Index count) const { return images_ > 0 ? static_cast<double>(count) / static_cast<double>(images_) : 0; }

  Index k_;
  Index images_ = 0;
  Index top1_ = 0;
  Index topk_ = 0;
  Index non_finite_ = 0;
};

/// How often class i was taken for class j. Predictions of -1 (see argmax) have a column of their own.
class ConfusionMatrix {
 public:
  /// All counts 0; precondition: classes >= 0.
  explicit ConfusionMatrix(Index classes) : classes_(classes), counts_(static_cast<std::size_t>(classes * (classes + 1))) {}

  Index classes() const { return classes_; }  ///< as given
  /// Throws Error unless 0 <= label < classes and -1 <= predicted < classes.
  void add(Index label, Index predicted) {
    if (label < 0 || label >= classes_ || predicted < -1 || predicted >= classes_)
      fail({.where = "ConfusionMatrix",
            .what = "a label or prediction names no class",
            .expected = "less than " + std::to_string(classes_),
            .found = std::to_string(label) + " and " + std::to_string(predicted)});
    ++counts_[at(label, predicted)];
  }
  /// Images of class `label` that were called `predicted`; -1: that had no finite logits.
  Index count(Index label, Index predicted) const { return counts_[at(label, predicted)]; }
  /// Images of class `label`.
  Index images(Index label) const {
    Index sum = 0;
    for (Index c = -1; c < classes_; ++c) sum += count(label, c);
    return sum;
  }
  /// Share of a class's images that were recognised; 0 without images.
  double recall(Index label) const {
    const Index all = images(label);
    return all > 0 ? static_cast<double>(count(label, label)) / static_cast<double>(all) : 0;
  }
  /// Share of the images called `predicted` that are of that class; 0 without any.
  double precision(Index predicted) const {
    Index all = 0;
    for (Index c = 0; c < classes_; ++c) all += count(c, predicted);
    return all > 0 ? static_cast<double>(count(predicted, predicted)) / static_cast<double>(all) : 0;
  }
  /// Precondition: the same number of classes.
  ConfusionMatrix& operator+=(const ConfusionMatrix& other) {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    return *this;
  }

 private:
  std::size_t at(Index label, Index predicted) const {
    return static_cast<std::size_t>(label * (classes_ + 1) + predicted + 1);
  }

  Index classes_;
  std::vector<Index> counts_;
};

/// Weighted mean in double.
class RunningMean {
 public:
  RunningMean() = default;  ///< of nothing
  /// One that goes on from what sum() and weight() gave.
  RunningMean(double sum, double weight) : sum_(sum), weight_(weight) {}

  /// Counts `value` as often as `weight` says, which need not be whole.
  void add(double value, double weight = 1) {
    sum_ += value * weight;
    weight_ += weight;
  }
  /// 0 before the first value.
  double mean() const { return weight_ > 0 ? sum_ / weight_ : 0; }
  double weight() const { return weight_; }  ///< of all values together
  double sum() const { return sum_; }        ///< of value times weight
  void reset() { *this = RunningMean(); }    ///< forgets everything
  /// As if all values of `other` were added.
  RunningMean& operator+=(const RunningMean& other) {
    sum_ += other.sum_;
    weight_ += other.weight_;
    return *this;
  }

 private:
  double sum_ = 0;
  double weight_ = 0;
};

}  // namespace minivit::inline MINIVIT_ISA
