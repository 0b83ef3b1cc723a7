// SPDX-License-Identifier: MIT
// Training with bf16 products: how far losses, gradients and steps are from the reference; and less memory for the same
// bits.
#include "../models/fixture_models.hpp"

#include <minivit/models/init.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>

#include "../catch.hpp"

namespace trainer_precision_test {

namespace mv = minivit;
using mv::Index;

namespace {

template <class Student>
struct Batch {
  static constexpr mv::ViTConfig C = Student::config;
  mv::Tensor<float, mv::Dyn, C.channels, C.image, C.image> images;
  mv::Tensor<float, mv::Dyn, C.classes> targets;

  explicit Batch(Index size) : images(size), targets(size) {
    generated::input(images.data(), images.size());
    for (Index b = 0; b < size; ++b) targets.data()[b * C.classes + b % C.classes] = 1;
  }
};

template <class W, class Student>
auto trainer_of(Student& student, mv::Memory memory = mv::Memory::keep, int threads = 1, Index micro_batch = 2) {
  return mv::Trainer<Student, void, mv::SoftTargetCrossEntropy, W>(
      student, {.schedule = {.peak = 1e-3, .minimum = 1e-3, .total_steps = 100},
                .drop_path = 0.1,
                .threads = threads,
                .micro_batch = micro_batch,
                .memory = memory});
}

/// ||a - b|| / ||b|| over n elements.
double distance(const float* a, const float* b, Index n) {
  double difference = 0, size = 0;
  for (Index i = 0; i < n; ++i) {
    difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
    size += std::pow(static_cast<double>(b[i]), 2);
  }
  return size > 0 ? std::sqrt(difference / size) : std::sqrt(difference);
}

struct Gradients {
  mv::StepReport report;
  std::vector<float> values;
};

template <class W, class Student>
Gradients gradients_of(const Student& model, mv::Memory memory = mv::Memory::keep, int threads = 1, Index micro_batch = 2) {
  Student student;
  std::copy_n(model.data(), model.size(), student.data());
  const Batch<Student> batch(5);
  auto trainer = trainer_of<W>(student, memory, threads, micro_batch);
  const auto report = trainer.accumulate(batch.images, batch.targets);
  return {report, {trainer.gradients().data(), trainer.gradients().data() + student.size()}};
}

template <mv::ViTConfig C>
void check_bf16() {
  using Student = mv::ViT<C>;
  Student model;
  generated::weights(model);
  const Gradients exact = gradients_of<float>(model), rounded = gradients_of<mv::bf16>(model);
  CHECK(std::abs(rounded.report.loss.total / exact.report.loss.total - 1) < 0.01);
  CHECK(distance(rounded.values.data(), exact.values.data(), model.size()) < 0.02);
  for (const auto& p : Student::parameter_table()) {
    const double share = std::sqrt(static_cast<double>(p.size) / static_cast<double>(model.size()));
    double norm = 0;
    for (Index i = 0; i < p.size; ++i)
      norm += std::pow(static_cast<double>(exact.values[static_cast<std::size_t>(p.offset + i)]), 2);
    if (std::sqrt(norm) < 1e-3 * share * exact.report.gradient_norm)
      continue;  // next to nothing: the key's bias has no gradient at all
    INFO(p.name);
    CHECK(distance(rounded.values.data() + p.offset, exact.values.data() + p.offset, p.size) < 0.04);
  }
}

}  // namespace

TEST_CASE("trainer: bf16 gradients are within 2 % of float32, and within 4 % for each parameter", "[train]") {
  check_bf16<fixtures::deit_a>();
  check_bf16<fixtures::deit_distilled_a>();
  check_bf16<fixtures::mini_deit_a>();
  check_bf16<fixtures::deit_odd>();
  check_bf16<fixtures::mini_deit_odd>();
  check_bf16<mv::presets::mini_vit_nano_patch4_32>();
}

TEST_CASE("trainer: bf16 lowers the loss as float32 does", "[train]") {
  const auto losses = []<class W>(W) {
    using Student = mv::ViT<fixtures::mini_deit_a>;
    Student student;
    mv::initialise(student, 1);
    const Batch<Student> batch(8);
    auto trainer = trainer_of<W>(student);
    std::vector<double> out;
    for (int i = 0; i < 40; ++i) out.push_back(trainer.step(batch.images, batch.targets).loss.total);
    return out;
  };
  const auto exact = losses(float{}), rounded = losses(mv::bf16{});
  CHECK(exact.back() < 0.8 * exact.front());
  for (std::size_t i = 0; i < exact.size(); ++i) {
    INFO("step " << i);
    CHECK(std::abs(rounded[i] - exact[i]) < 0.03 * exact.front());
  }
}

TEMPLATE_TEST_CASE("trainer: any number of threads, and layers computed again, give the same bits", "[train]", float,
                   mv::bf16) {
  const auto check = []<mv::ViTConfig C>() {
    mv::ViT<C> model;
    generated::weights(model);
    const auto expected = gradients_of<TestType>(model);
    for (const auto memory : {mv::Memory::keep, mv::Memory::recompute})
      for (const int threads : {1, 2, 4}) {
        const auto found = gradients_of<TestType>(model, memory, threads);
        CHECK(found.values == expected.values);
        CHECK(found.report.loss.total == expected.report.loss.total);
      }
  };
  check.template operator()<fixtures::deit_distilled_a>();
  check.template operator()<fixtures::mini_deit_odd>();
  check.template operator()<fixtures::mini_deit_share_only>();
}

TEST_CASE("trainer: computing layers again takes less than half of the memory per image, bf16 less than float32",
          "[train]") {
  mv::ViT<mv::presets::mini_vit_nano_patch4_32> student;
  const Index keep = trainer_of<float>(student).bytes_per_image();
  const Index recompute = trainer_of<float>(student, mv::Memory::recompute).bytes_per_image();
  CHECK(2 * recompute < keep);
  if (minivit::kernels::has_dot<minivit::simd::best, mv::bf16>) {
    CHECK(4 * trainer_of<mv::bf16>(student).bytes_per_image() < 3 * keep);
    CHECK(trainer_of<mv::bf16>(student, mv::Memory::recompute).bytes_per_image() < recompute);
  }
  using Model = mv::ViT<mv::presets::deit_tiny_patch16_224>;
  static_assert(2 * Model::training_bytes(1, mv::Memory::recompute) < Model::training_bytes(1));
  CHECK_THROWS_WITH(trainer_of<float>(student, mv::Memory::rewind), Catch::Contains("Memory::recompute"));
}

}  // namespace trainer_precision_test
