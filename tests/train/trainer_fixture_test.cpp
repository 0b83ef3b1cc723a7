// SPDX-License-Identifier: MIT
// Whole training steps against the published implementation: losses before each step, gradients, parameters after 1 and 5
// AdamW steps, of a Mini-DeiT student under a DeiT teacher. The reference run is in double.
#include "step_fixture.hpp"

#include "../catch.hpp"

namespace trainer_fixture_test {

namespace mv = minivit;

namespace {

template <class T>
struct Setup : step_fixture::Setup<mv::ViT<fixtures::student, T>, mv::ViT<fixtures::teacher, T>> {
  using Base = step_fixture::Setup<mv::ViT<fixtures::student, T>, mv::ViT<fixtures::teacher, T>>;
  using typename Base::Student, typename Base::Teacher;

  Setup() : Base("train_mini_deit.safetensors") {}
  auto trainer(double alpha, double tau, int threads = 1, mv::Index micro_batch = 2) {
    return mv::Trainer<Student, Teacher>(this->student, this->teacher,
                                         {.loss = {.kind = mv::Distill::soft, .alpha = alpha, .tau = tau},
                                          .schedule = {.peak = 1e-3, .minimum = 1e-3, .total_steps = 100},
                                          .threads = threads,
                                          .micro_batch = micro_batch});
  }
};

/// Runs the `mixed` case: alpha 0.5, tau 3, five steps.
template <class T>
void check_mixed(double gradient_limit, double loss_limit, double parameter_limit) {
  Setup<T> s;
  auto trainer = s.trainer(0.5, 3);
  const auto& components = s.report["soft_alpha0.5_tau3"]["components_f64"];
  const auto gradient = s.expected("mixed.grad.");
  trainer.accumulate(s.images, s.targets);
  CHECK(fixtures::difference(gradient, trainer.gradients().data()) < gradient_limit);
  for (std::size_t step = 0; step < 5; ++step) {
    const auto report = trainer.step(s.images, s.targets);
    INFO("step " << step);
    CHECK(std::abs(report.loss.total - components[step]["total"].template get<double>()) < loss_limit);
    CHECK(std::abs(report.loss.base - components[step]["base"].template get<double>()) < loss_limit);
    CHECK(std::abs(report.loss.kd - components[step]["distill"].template get<double>()) < loss_limit);
    CHECK(std::abs(report.gradient_norm - s.report["soft_alpha0.5_tau3"]["grad_norm_f64"][step].template get<double>()) <
          loss_limit);
    if (step != 0 && step != 4) continue;
    const auto [kept, noise] = step_fixture::difference_after(s.expected(step == 0 ? "mixed.after1." : "mixed.after5."),
                                                              s.student.data(), gradient);
    CHECK(kept < parameter_limit);
    CHECK(noise < 2 * 1e-3 * static_cast<double>(step + 1));
  }
}

}  // namespace

TEST_CASE("trainer: losses, gradients and AdamW steps equal the reference in float", "[train]") {
  // limits suggested by the fixtures' README: gradients 1e-6, parameters 2e-5; losses 1e-6
  check_mixed<float>(1e-6, 1e-6, 2e-5);
}

TEST_CASE("trainer: losses, gradients and AdamW steps equal the reference in double", "[train]") {
  // the same arithmetic in another order: rounding of about 1e-16 times some thousand terms; the targets are float32 in both
  check_mixed<double>(1e-12, 1e-12, 1e-9);
}

TEST_CASE("trainer: the published recipe's gradient equals the reference", "[train]") {
  Setup<double> s;
  auto trainer = s.trainer(1, 1);
  trainer.accumulate(s.images, s.targets);
  CHECK(fixtures::difference(s.expected("recipe.grad."), trainer.gradients().data()) < 1e-12);
}

TEST_CASE("trainer: no decay applies to exactly the parameters of the reference", "[train]") {
  CHECK(Setup<float>::undecayed() == Setup<float>().expected_undecayed("soft_alpha0.5_tau3"));
}

TEST_CASE("trainer: a step is bit-identical for 1, 2 and 4 threads", "[train]") {
  const auto after = [](int threads) {
    Setup<float> s;
    auto trainer = s.trainer(0.5, 3, threads, 1);
    for (int i = 0; i < 3; ++i) trainer.step(s.images, s.targets);
    return std::vector<float>(s.student.data(), s.student.data() + s.student.size());
  };
  const auto one = after(1);
  CHECK(one == after(2));
  CHECK(one == after(4));
}

}  // namespace trainer_fixture_test
