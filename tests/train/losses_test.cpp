// SPDX-License-Identifier: MIT
// Losses against the reference's values and gradients, against finite differences, and the law of chunks.
#include <minivit/io/safetensors.hpp>
#include <minivit/train/losses.hpp>

#include "catch.hpp"
#include "fixture_inputs.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace losses_test {

using namespace minivit;

namespace {

constexpr int K = 10;
constexpr Index B = 6;
using Rows = Tensor<double, Dyn, K>;

/// The batch of losses.safetensors.
template <class T>
struct Batch {
  Tensor<T, Dyn, K> logits{B}, teacher{B}, targets{B}, distilled{B}, d{B}, dd{B};
  std::vector<int> labels;
  nlohmann::json values;
  SafeTensors file = SafeTensors::open(fixtures::path("losses.safetensors"));

  Batch() {
    std::ranges::copy(fixtures::input<T>("logits", B * K), logits.data());
    std::ranges::copy(fixtures::input<T>("teacher.logits", B * K), teacher.data());
    std::ranges::copy(fixtures::input<T>("distilled.logits", B * K), distilled.data());
    std::ranges::copy(file.read<T>("mixup_targets_lam0.7_smooth0.1"), targets.data());
    for (const std::int64_t label : file.read<std::int64_t>("labels")) labels.push_back(static_cast<int>(label));
    values = nlohmann::json::parse(file.metadata().at("losses"));
  }
  LossInputs<T, K> hard() const { return {.logits = logits, .teacher_logits = teacher, .labels = label_view()}; }
  LossInputs<T, K> soft() const { return {.logits = logits, .targets = targets, .teacher_logits = teacher}; }
  View<const int, Dyn> label_view() const { return {labels.data(), B}; }
};

/// Value and gradient of one loss against the fixture `name`.
template <class T, class Loss>
void check(const char* name, const Loss& loss, bool integer_labels) {
  INFO(name);
  Batch<T> b;
  const LossValues got = loss(integer_labels ? b.hard() : b.soft(), b.d.view());
  // float64 differs by the order of its sums only. Our float build sums in double as well, so its value is as near to the
  // float64 run; the reference's own float32 run is within 3e-7 of it.
  const double expected = b.values.at(name).at("f64").template get<double>();
  CHECK(std::fabs(got.total - expected) <= 1e-13 * std::fabs(expected) + 1e-14);
  CHECK(got.total == Approx(b.values.at(name).at("f32").template get<double>()).epsilon(3e-7));

  const Buffer<double> gradient = b.file.template read<double>(std::string(name) + ".grad.logits");
  double worst = 0;
  for (Index i = 0; i < B * K; ++i)
    worst = std::max(worst, std::fabs(static_cast<double>(b.d.data()[i]) - gradient.data()[i]));
  // One or two roundings of numbers below 0.2 (2^-3): half a unit in the last place each, 2^-27 = 7.5e-9.
  CHECK(worst <= (std::is_same_v<T, double> ? 1e-15 : 1.5e-8));
}

template <class T>
void check_all() {
  check<T>("cross_entropy", CrossEntropy{}, true);
  check<T>("label_smoothing_ce_0.1", CrossEntropy{.label_smoothing = 0.1}, true);
  check<T>("soft_target_ce_mixup", SoftTargetCrossEntropy{}, false);
  check<T>("deit_kd_soft_alpha1_tau1", DeiTDistillation{}, false);
  check<T>("deit_kd_soft_alpha0.5_tau3", DeiTDistillation{.alpha = 0.5, .tau = 3}, false);
  check<T>("deit_kd_hard_alpha0.5_tau1", DeiTDistillation{.kind = Distill::hard, .alpha = 0.5}, false);
  check<T>("deit_kd_none_alpha0.5_tau1", DeiTDistillation{.kind = Distill::none, .alpha = 0.5}, false);
}

/// Largest difference between the gradient and central differences, over both heads.
template <class Loss>
double gradient_error(const Loss& loss, Batch<double>& b, const LossInputs<double, K>& in) {
  loss(in, b.d.view(), b.dd.view());
  Rows d(B), dd(B);  // of the perturbed calls, not read
  double worst = 0;
  const auto probe = [&](Tensor<double, Dyn, K>& x, const Rows& gradient) {
    for (Index i = 0; i < B * K; ++i) {
      constexpr double h = 1e-5;
      const double before = x.data()[i];
      x.data()[i] = before + h;
      const double up = loss(in, d.view(), dd.view()).total;
      x.data()[i] = before - h;
      const double down = loss(in, d.view(), dd.view()).total;
      x.data()[i] = before;
      worst = std::max(worst, std::fabs((up - down) / (2 * h) - gradient.data()[i]));
    }
  };
  probe(b.logits, b.d);
  probe(b.distilled, b.dd);
  return worst;
}

}  // namespace

TEST_CASE("losses: values and gradients equal the reference in double", "[train]") { check_all<double>(); }
TEST_CASE("losses: values and gradients equal the reference in float", "[train]") { check_all<float>(); }

TEST_CASE("losses: gradients equal central differences", "[train]") {
  // h^2 / 6 times the third derivative (below 1) plus 1e-16 / h of rounding: 3e-11.
  constexpr double limit = 1e-10;
  const auto error = [](const auto& loss, bool integer_labels, bool two_heads) {
    Batch<double> b;
    LossInputs<double, K> in = integer_labels ? b.hard() : b.soft();
    if (two_heads) in.distilled_logits = b.distilled;
    return gradient_error(loss, b, in);
  };
  CHECK(error(CrossEntropy{.label_smoothing = 0.3}, true, false) < limit);
  CHECK(error(SoftTargetCrossEntropy{}, false, false) < limit);
  for (const bool two_heads : {false, true})
    for (const bool integer_labels : {false, true})
      for (const Distill kind : {Distill::soft, Distill::hard, Distill::none})
        for (const Normalise divisor : {Normalise::by_batch_and_classes, Normalise::by_batch}) {
          CAPTURE(two_heads, integer_labels, static_cast<int>(kind), static_cast<int>(divisor));
          const DeiTDistillation loss{.kind = kind, .alpha = 0.4, .tau = 2.5, .normalise = divisor, .label_smoothing = 0.1};
          CHECK(error(loss, integer_labels, two_heads) < limit);
        }
}

TEST_CASE("losses: chunks of a batch add up to the whole", "[train]") {
  const DeiTDistillation loss{.alpha = 0.3, .tau = 2};
  Batch<double> whole, parts;
  const LossValues expected = loss(whole.soft(), whole.d.view());
  LossValues sum;
  for (const auto& [first, count] : {std::pair<Index, Index>{0, 1}, {1, 3}, {4, 2}}) {
    LossInputs<double, K> in{.logits = parts.logits.view().slice(first, count),
                             .targets = parts.targets.view().slice(first, count),
                             .teacher_logits = parts.teacher.view().slice(first, count),
                             .batch_total = B};
    sum += loss(in, parts.d.view().slice(first, count));
  }
  CHECK(sum.total == Approx(expected.total).epsilon(1e-14));  // the same terms, summed in another order
  CHECK(sum.base == Approx(expected.base).epsilon(1e-14));
  CHECK(sum.kd == Approx(expected.kd).epsilon(1e-14));
  CHECK(std::ranges::equal(std::span(parts.d.data(), B * K), std::span(whole.d.data(), B * K)));  // rows are independent
}

TEST_CASE("losses: gradients are added, not written", "[train]") {
  const auto twice_is_double = [](const auto& loss, bool integer_labels) {
    Batch<double> once, twice;
    const auto call = [&](Batch<double>& b) {
      LossInputs<double, K> in = integer_labels ? b.hard() : b.soft();
      in.distilled_logits = b.distilled;
      loss(in, b.d.view(), b.dd.view());
    };
    call(once);
    call(twice);
    call(twice);
    for (Index i = 0; i < B * K; ++i) {
      REQUIRE(twice.d.data()[i] == 2 * once.d.data()[i]);
      REQUIRE(twice.dd.data()[i] == 2 * once.dd.data()[i]);
    }
  };
  twice_is_double(CrossEntropy{}, true);
  twice_is_double(SoftTargetCrossEntropy{}, false);
  twice_is_double(DeiTDistillation{.alpha = 0.5}, false);
  twice_is_double(DeiTDistillation{.kind = Distill::hard, .alpha = 0.5}, true);
}

TEST_CASE("losses: integer labels equal their smoothed one-hot targets", "[train]") {
  Batch<double> b, c;
  for (Index i = 0; i < B; ++i)
    for (Index k = 0; k < K; ++k) c.targets.view()(i, k) = 0.2 / K + (k == c.labels[static_cast<std::size_t>(i)] ? 0.8 : 0);
  const double hard = CrossEntropy{.label_smoothing = 0.2}(b.hard(), b.d.view()).total;
  const double soft = SoftTargetCrossEntropy{}(c.soft(), c.d.view()).total;
  CHECK(hard == Approx(soft).epsilon(1e-14));
  for (Index i = 0; i < B * K; ++i) REQUIRE(std::fabs(b.d.data()[i] - c.d.data()[i]) < 1e-16);
}

TEST_CASE("distillation: the usual divisor gives K times the reference's value", "[train]") {
  Batch<double> b;
  const double reference = DeiTDistillation{}(b.soft(), b.d.view()).kd;
  const double usual = DeiTDistillation{.normalise = Normalise::by_batch}(b.soft(), b.d.view()).kd;
  CHECK(usual == Approx(K * reference).epsilon(1e-14));
}

TEST_CASE("distillation: a student equal to its teacher has no loss and no gradient", "[train]") {
  Batch<double> b;
  LossInputs<double, K> in = b.soft();
  in.teacher_logits = b.logits;
  CHECK(DeiTDistillation{.tau = 4}(in, b.d.view()).kd == 0);
  for (Index i = 0; i < B * K; ++i) REQUIRE(b.d.data()[i] == 0);
}

TEST_CASE("losses: large logits neither overflow nor vanish", "[train]") {
  Batch<float> b;
  for (Index i = 0; i < B * K; ++i) b.logits.data()[i] *= 1e4f;
  CHECK(std::isfinite(CrossEntropy{}(b.hard(), b.d.view()).total));
  CHECK(std::isfinite(DeiTDistillation{}(b.soft(), b.d.view()).total));
}

TEST_CASE("losses: a non-finite logit shows in the value", "[train]") {
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    CAPTURE(bad);
    Batch<double> b;
    b.logits.data()[13] = bad;
    CHECK(!std::isfinite(CrossEntropy{}(b.hard(), b.d.view()).total));
    CHECK(!std::isfinite(SoftTargetCrossEntropy{}(b.soft(), b.d.view()).total));
    Batch<double> c;
    c.teacher.data()[13] = bad;
    CHECK(!std::isfinite(DeiTDistillation{}(c.soft(), c.d.view()).total));
    CHECK(!std::isfinite(DeiTDistillation{.kind = Distill::hard}(c.soft(), c.d.view()).total));
  }
}

TEST_CASE("losses: what does not fit is refused in one line", "[train]") {
  Batch<float> b;
  b.labels[2] = K;
  CHECK_THROWS_WITH(
      CrossEntropy{}(b.hard(), b.d.view()),
      "CrossEntropy: label of image 2 names no class: expected 0 to 9, found 10 (does the data set have as many "
      "classes as the model?)");
  b.labels[2] = -1;
  CHECK_THROWS_AS(CrossEntropy{}(b.hard(), b.d.view()), Error);
  CHECK_THROWS_WITH(CrossEntropy{}(b.soft(), b.d.view()),
                    "CrossEntropy: labels do not fit the logits: expected 6 rows, found 0 (mixup gives soft targets: use "
                    "SoftTargetCrossEntropy)");
  CHECK_THROWS_AS(SoftTargetCrossEntropy{}(b.hard(), b.d.view()), Error);
  LossInputs<float, K> alone = b.soft();
  alone.teacher_logits = {};
  CHECK_THROWS_AS(DeiTDistillation{}(alone, b.d.view()), Error);
  CHECK_NOTHROW(DeiTDistillation{.kind = Distill::none}(alone, b.d.view()));
  LossInputs<float, K> two_heads = b.soft();
  two_heads.distilled_logits = b.distilled;
  CHECK_THROWS_AS(DeiTDistillation{}(two_heads, b.d.view()), Error);  // no gradient array for the second head
  CHECK_THROWS_AS(DeiTDistillation{.alpha = 1.5}(b.soft(), b.d.view()), Error);
  CHECK_THROWS_AS(DeiTDistillation{.tau = 0}(b.soft(), b.d.view()), Error);
}

}  // namespace losses_test
