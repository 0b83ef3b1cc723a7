// SPDX-License-Identifier: MIT
// A step that meets NaN or infinity: it names step, place and value, and leaves student and optimiser as they were. The next
// step, on good data, is the one of a trainer that never met it.
#include <minivit/models/init.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>

#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "../catch.hpp"

namespace divergence_test {

namespace mv = minivit;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();

constexpr mv::ViTConfig config = [] {
  auto c = mv::presets::mini_vit_nano_patch4_32;
  c.patch = 8;
  c.dim = 16;
  c.heads = 2;
  c.depth = 4;
  return c;
}();
using Model = mv::ViT<config>;

/// Cross-entropy that can be told to misbehave.
struct Moody {
  enum class Mood { good, returns_nan, infinite_gradient, throws };
  const Mood* mood = nullptr;

  static constexpr bool needs_teacher() { return false; }
  template <class T, int K>
  mv::LossValues operator()(const mv::LossInputs<T, K>& in, mv::View<T, mv::Dyn, K> dlogits,
                            mv::View<T, mv::Dyn, K> = {}) const {
    mv::LossValues values = mv::SoftTargetCrossEntropy{}(in, dlogits);
    if (*mood == Mood::returns_nan) values.total = std::numeric_limits<double>::quiet_NaN();
    if (*mood == Mood::infinite_gradient) dlogits(0, 0) = std::numeric_limits<T>::infinity();
    if (*mood == Mood::throws && in.targets(0, 0) == T{0}) throw std::runtime_error("moody");
    return values;
  }
};

/// A student, a batch of four images of which only the first is of class 0, and a trainer of two steps' experience.
template <class W = float>
struct Scene {
  Model student;
  Moody::Mood mood = Moody::Mood::good;
  mv::Tensor<float, mv::Dyn, 3, 32, 32> images{4};
  mv::Tensor<float, mv::Dyn, 10> targets{4};
  mv::Trainer<Model, void, Moody, W> trainer;

  explicit Scene(int threads = 1, mv::Memory memory = mv::Memory::keep)
      : student(start()),
        trainer(student, {.loss = {&mood},
                          .schedule = {.peak = 1e-2, .total_steps = 100},
                          .drop_path = 0.1,
                          .threads = threads,
                          .micro_batch = 1,
                          .memory = memory}) {
    mv::Random random(4);
    for (mv::Index i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(random.next_normal());
    for (mv::Index b = 0; b < 4; ++b) targets.data()[10 * b + b] = 1;
    for (int i = 0; i < 2; ++i) trainer.step(images, targets);
  }
  static Model start() {
    Model m;
    mv::initialise(m, 8);
    return m;
  }
  /// Everything that a step changes.
  std::vector<float> everything() const {
    std::vector<float> all{static_cast<float>(trainer.state().step)};
    for (const float* slab : {student.data(), trainer.state().m.data(), trainer.state().v.data()})
      for (const auto& p : Model::parameter_table()) all.insert(all.end(), slab + p.offset, slab + p.offset + p.size);
    return all;
  }
  /// The message of a step, which must have changed nothing.
  std::string refusal() {
    const std::vector<float> before = everything();
    std::string message;
    try {
      trainer.step(images, targets);
    } catch (const std::exception& e) {
      message = e.what();
    }
    const std::vector<float> after = everything();
    CHECK(std::memcmp(before.data(), after.data(), before.size() * sizeof(float)) == 0);
    CHECK(message.size() <= 500);
    return message;
  }
};

const mv::ParameterInfo& parameter(const std::string& name) {
  for (const auto& p : Model::parameter_table())
    if (p.name == name) return p;
  FAIL("no parameter " << name);
  return Model::parameter_table().front();
}

}  // namespace

TEST_CASE("divergence: a bad image or target is named with its place in the batch", "[train]") {
  for (const int threads : {1, 2}) {
    Scene<> scene(threads);
    scene.images.data()[2 * 3072 + 31] = not_a_number;
    CHECK_THAT(scene.refusal(), Catch::StartsWith("training step 2: the loss is not finite; the first bad value is in image "
                                                  "2 of the batch, element 31: found nan"));
    scene.images.data()[2 * 3072 + 31] = 0;
    scene.targets.data()[35] = infinity;
    CHECK_THAT(scene.refusal(), Catch::StartsWith("training step 2: the loss is not finite; the first bad value is in "
                                                  "target 3 of the batch, element 5: found inf"));
  }
}

TEST_CASE("divergence: a bad weight is named", "[train]") {
  Scene<> scene;
  const auto& p = parameter("norm.weight");
  scene.student.data()[p.offset + 5] = -infinity;
  CHECK_THAT(scene.refusal(), Catch::StartsWith("training step 2: the loss is not finite; the first bad value is in "
                                                "parameter 'norm.weight', element 5: found -inf"));
}

TEMPLATE_TEST_CASE("divergence: the layer is named in which finite weights make an infinite value", "[train]", float,
                   mv::bf16) {
  for (const mv::Memory memory : {mv::Memory::keep, mv::Memory::recompute}) {
    const auto overflowing = [&](const std::string& name) {
      Scene<TestType> scene(2, memory);
      const auto& p = parameter(name);
      std::fill_n(scene.student.data() + p.offset, p.size, 3e38f);
      const auto& bias = parameter("blocks.1.block.mlp.fc1.bias");
      std::fill_n(scene.student.data() + bias.offset, bias.size, 10.0f);  // so that fc2 has something to multiply
      return scene.refusal();
    };
    CHECK_THAT(
        overflowing("pos_embed"),
        Catch::Contains("the first bad value is in output of layer 0 (blocks.0), image 0 of the batch, element 0: found"));
    CHECK_THAT(overflowing("blocks.1.block.mlp.fc2.weight"),
               Catch::Contains("in output of layer 2 (blocks.1), image 0 of the batch"));
    CHECK_THAT(overflowing("head.weight"), Catch::Contains("in output of head, image 0 of the batch"));
  }
}

TEST_CASE("divergence: a teacher with a bad value and a loss that returns NaN by itself are told apart from a bad student",
          "[train]") {
  Scene<> scene;
  scene.mood = Moody::Mood::returns_nan;
  CHECK_THAT(
      scene.refusal(),
      Catch::StartsWith("training step 2: the loss is not finite, although all that it was computed from is: found nan"));

  Model student = Scene<>::start(), teacher = Scene<>::start();
  teacher.data()[parameter("head.bias").offset + 1] = infinity;
  const Model before = student;
  mv::Trainer<Model, Model> trainer(student, teacher, {.threads = 1});
  CHECK_THROWS_WITH(trainer.step(scene.images, scene.targets),
                    Catch::Contains("training step 0") &&
                        Catch::Contains("the teacher's output, image 0 of the batch, element 1: found inf"));
  CHECK(std::memcmp(before.data(), student.data(), static_cast<std::size_t>(student.size()) * sizeof(float)) == 0);
}

TEST_CASE("divergence: a gradient that is not finite is named where backward met it first", "[train]") {
  Scene<> scene;
  scene.mood = Moody::Mood::infinite_gradient;
  CHECK_THAT(scene.refusal(),
             Catch::StartsWith("training step 2: the gradient of 'head.bias' is not finite at element 0: found inf"));
}

TEST_CASE("divergence: after an error the next step is that of a trainer that never met it", "[train]") {
  for (const int threads : {1, 2})
    for (const auto mood : {Moody::Mood::returns_nan, Moody::Mood::infinite_gradient, Moody::Mood::throws}) {
      Scene<> good(threads), shaken(threads);
      for (int i = 0; i < 5; ++i) {
        shaken.mood = mood;
        CHECK_FALSE(shaken.refusal().empty());
        shaken.mood = Moody::Mood::good;
        good.trainer.step(good.images, good.targets);
        shaken.trainer.step(shaken.images, shaken.targets);
        const auto a = good.everything(), b = shaken.everything();
        REQUIRE(std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
      }
    }
}

}  // namespace divergence_test
