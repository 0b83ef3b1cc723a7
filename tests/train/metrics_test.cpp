// SPDX-License-Identifier: MIT
// Counters: hand-counted cases, ties, non-finite logits, merging.
#include <minivit/train/metrics.hpp>

#include "catch.hpp"

#include <array>
#include <limits>

namespace metrics_test {

using namespace minivit;

namespace {
constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();
}  // namespace

TEST_CASE("argmax: the first of the largest; -1 when a logit is not finite, wherever it stands", "[train]") {
  const auto best = [](std::array<float, 4> x) { return argmax(View<const float, 4>(x.data())); };
  CHECK(best({1, 3, 2, 3}) == 1);
  CHECK(best({-5, -4, -3, -2}) == 3);
  CHECK(best({0, 0, 0, 0}) == 0);
  CHECK(argmax<float>(nullptr, 0) == -1);
  for (const float bad : {nan_value, infinity, -infinity})
    for (std::size_t at = 0; at < 4; ++at) {
      std::array<float, 4> x{4, 3, 2, 1};
      x[at] = bad;
      CHECK(best(x) == -1);
    }
}

TEST_CASE("accuracy: top-1 and top-k by hand", "[train]") {
  constexpr float logits[] = {
      5, 4,         3, 2,  // label 0: first
      5, 4,         3, 2,  // label 1: second
      5, 4,         3, 2,  // label 3: last
      1, 1,         1, 1,  // label 1: equal logits, class 0 counts as better: second
      1, 1,         1, 1,  // label 2: third
      9, nan_value, 0, 0,  // label 0: would be first, but the row is broken
  };
  constexpr int labels[] = {0, 1, 3, 1, 2, 0};
  Accuracy accuracy(2);
  accuracy.add(View<const float, Dyn, 4>(logits, 6), View<const int, Dyn>(labels, 6));
  CHECK(accuracy.images() == 6);
  CHECK(accuracy.top1_correct() == 1);
  CHECK(accuracy.topk_correct() == 3);
  CHECK(accuracy.non_finite() == 1);
  CHECK(accuracy.top1() == 1.0 / 6);
  CHECK(accuracy.topk() == 0.5);

  Accuracy parts(2);
  for (Index i = 0; i < 6; ++i) {
    Accuracy one(2);
    one.add(logits + 4 * i, 4, labels[i]);
    parts += one;
  }
  CHECK(parts.images() == 6);
  CHECK(parts.top1_correct() == 1);
  CHECK(parts.topk_correct() == 3);
  CHECK(parts.non_finite() == 1);
}

TEST_CASE("accuracy: k beyond the classes counts every finite image; no images give 0", "[train]") {
  Accuracy accuracy(5);
  CHECK(accuracy.top1() == 0);
  constexpr float logits[] = {1, 2};
  accuracy.add(logits, 2, 0);
  CHECK(accuracy.topk() == 1);
  CHECK(accuracy.top1() == 0);
}

TEST_CASE("accuracy: labels outside the classes are refused", "[train]") {
  Accuracy accuracy;
  constexpr float logits[] = {1, 2};
  CHECK_THROWS_WITH(accuracy.add(logits, 2, 2), "Accuracy: a label names no class: expected 0 to 1, found 2");
  CHECK_THROWS_AS(accuracy.add(logits, 2, -1), Error);
  CHECK_THROWS_AS(Accuracy(0), Error);
  constexpr int label[] = {0};
  CHECK_THROWS_AS(accuracy.add(View<const float, Dyn, 1>(logits, 2), View<const int, Dyn>(label, 1)), Error);
}

TEST_CASE("confusion matrix: counts, recall and precision", "[train]") {
  ConfusionMatrix a(3), b(3);
  a.add(0, 0);
  a.add(0, 1);
  a.add(1, 1);
  b.add(0, 0);
  b.add(0, -1);  // no finite logits
  a += b;
  CHECK(a.count(0, 0) == 2);
  CHECK(a.count(0, 1) == 1);
  CHECK(a.count(0, -1) == 1);
  CHECK(a.images(0) == 4);
  CHECK(a.recall(0) == 0.5);
  CHECK(a.precision(1) == 0.5);
  CHECK(a.recall(2) == 0);
  CHECK(a.precision(2) == 0);
  CHECK_THROWS_AS(a.add(3, 0), Error);
  CHECK_THROWS_AS(a.add(0, 3), Error);
  CHECK_THROWS_AS(a.add(-1, 0), Error);
  CHECK_THROWS_AS(a.add(0, -2), Error);
}

TEST_CASE("running mean: weights count, parts merge", "[train]") {
  RunningMean a, b;
  CHECK(a.mean() == 0);
  a.add(1, 3);
  b.add(5);
  a += b;
  CHECK(a.mean() == 2);
  CHECK(a.weight() == 4);
  a.reset();
  CHECK(a.weight() == 0);
}

}  // namespace metrics_test
