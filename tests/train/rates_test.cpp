// SPDX-License-Identifier: MIT
// Rates apart and the moving average, by themselves and inside a trainer.
#include "../models/fixture_models.hpp"

#include <minivit/models/init.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>

#include "../catch.hpp"

namespace rates_test {

namespace mv = minivit;
using mv::Index;

namespace {

using Student = mv::ViT<fixtures::student, double>;

const mv::ParameterInfo& row(const std::string& name) {
  for (const auto& p : Student::parameter_table())
    if (p.name == name) return p;
  FAIL("no parameter " << name);
  return Student::parameter_table().front();
}
double scale(const mv::RateScales& scales, const std::string& name) {
  return scales[static_cast<std::size_t>(&row(name) - Student::parameter_table().data())];
}

struct Run {
  Student student;
  mv::Tensor<double, mv::Dyn, 3, 32, 32> images{2};
  mv::Tensor<double, mv::Dyn, 10> targets{2};
  Run() {
    generated::weights(student);
    generated::input(images.data(), images.size());
    targets.data()[3] = targets.data()[10 + 7] = 1;
  }
  auto trainer(mv::RateScales scales, mv::WeightAveraging average = {}, double clip = 0) {
    return mv::Trainer<Student>(student, {.optimiser = {.clip_norm = clip},
                                          .schedule = {.peak = 1e-3, .minimum = 1e-3, .total_steps = 10},
                                          .rate_scales = std::move(scales),
                                          .average = average,
                                          .threads = 1});
  }
};

}  // namespace

TEST_CASE("layer_decay: factors fall from the head to the embedding, one level for each group", "[train]") {
  const auto scales = mv::layer_decay<Student>(0.5);  // four layers in two groups
  CHECK(scale(scales, "head.weight") == 1);
  CHECK(scale(scales, "norm.bias") == 1);
  CHECK(scale(scales, "blocks.1.block.mlp.fc1.weight") == 0.5);
  CHECK(scale(scales, "blocks.0.block.norm1.instances.1.weight") == 0.25);
  CHECK(scale(scales, "pos_embed") == 0.125);
  CHECK(scale(scales, "patch_embed.proj.weight") == 0.125);
  CHECK_THROWS_WITH(mv::layer_decay<Student>(0), Catch::Contains("layer_decay"));
}

TEST_CASE("layer_decay: a Swin's stages count on, and merging belongs to the layers before it", "[train]") {
  using Swin = mv::Swin<fixtures::mini_swin_a>;  // stages of one, two and one set of weights
  static_assert(Swin::config.blocks[0] == 1 && Swin::config.blocks[1] == 2 && Swin::config.stages() == 3);
  const auto scales = mv::layer_decay<Swin>(0.5);
  const auto& table = Swin::parameter_table();
  REQUIRE(scales.size() == table.size());
  int known = 0;
  for (std::size_t i = 0; i < table.size(); ++i)
    for (const auto& [name, power] : {std::pair{"head.bias", 0},
                                      {"norm.weight", 0},
                                      {"layers.2.blocks.0.mlp.fc1.weight", 1},
                                      {"layers.1.downsample.reduction.weight", 2},
                                      {"layers.1.blocks.1.attn.qkv.bias", 2},
                                      {"layers.1.blocks.0.attn.qkv.bias", 3},
                                      {"layers.0.downsample.norm.bias", 4},
                                      {"layers.0.blocks.0.attn.qkv.weight", 4},
                                      {"patch_embed.norm.weight", 5}})
      if (table[i].name == name) {
        CAPTURE(name);
        CHECK(scales[i] == std::pow(0.5, power));
        ++known;
      }
  CHECK(known == 9);
}

TEST_CASE("trainer: a rate factor multiplies the step of its parameters only", "[train]") {
  // AdamW's step is proportional to the rate, and so is its decay
  const auto moved = [](mv::RateScales scales) {
    Run run;
    std::vector<double> before(run.student.data(), run.student.data() + run.student.size());
    run.trainer(std::move(scales)).step(run.images, run.targets);
    for (std::size_t i = 0; i < before.size(); ++i) before[i] = run.student.data()[i] - before[i];
    return before;
  };
  const auto all = moved({}), some = moved(mv::layer_decay<Student>(0.5));
  for (const char* name : {"head.weight", "blocks.1.block.attn.qkv.weight", "patch_embed.proj.weight"}) {
    const double factor = scale(mv::layer_decay<Student>(0.5), name);
    const auto& p = row(name);
    double worst = 0;
    for (Index i = p.offset; i < p.offset + p.size; ++i)
      worst = std::max(worst, std::abs(some[static_cast<std::size_t>(i)] - factor * all[static_cast<std::size_t>(i)]));
    CHECK(worst < 1e-15);  // weights below 1, one rounding each
  }
}

TEST_CASE("trainer: frozen parameters keep their bits and do not count in the gradient's norm", "[train]") {
  Run run;
  const std::vector<double> before(run.student.data(), run.student.data() + run.student.size());
  auto trainer = run.trainer(mv::frozen<Student>({"patch_embed", "blocks.0", "pos_embed"}));
  const auto report = trainer.step(run.images, run.targets);
  double square = 0;
  for (const auto& p : Student::parameter_table()) {
    const bool still = p.name.starts_with("patch_embed.") || p.name.starts_with("blocks.0.") || p.name == "pos_embed";
    CHECK(std::equal(before.begin() + p.offset, before.begin() + p.offset + p.size, run.student.data() + p.offset) == still);
    for (Index i = 0; i < p.size; ++i) square += still ? 0 : std::pow(trainer.gradients().data()[p.offset + i], 2);
  }
  CHECK(report.gradient_norm == Approx(std::sqrt(square)).epsilon(1e-12));
  CHECK_THROWS_WITH(mv::frozen<Student>({"block"}), Catch::Contains("'block'"));  // a prefix ends at a dot
}

TEST_CASE("trainer: the moving average follows its formula from the first weights on", "[train]") {
  for (const bool warmup : {false, true}) {
    Run run;
    const mv::WeightAveraging average{.decay = 0.7, .warmup = warmup};
    std::vector<double> expected(run.student.data(), run.student.data() + run.student.size());
    auto trainer = run.trainer({}, average);
    REQUIRE(trainer.average());
    for (int t = 1; t <= 4; ++t) {
      trainer.step(run.images, run.targets);
      const double decay = warmup ? std::min(0.7, (1.0 + t) / (10.0 + t)) : 0.7;
      for (std::size_t i = 0; i < expected.size(); ++i)
        expected[i] = decay * expected[i] + (1 - decay) * run.student.data()[i];
    }
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
      worst = std::max(worst, std::abs(expected[i] - trainer.average()->data()[i]));
    CHECK(worst < 1e-14);
  }
  Run run;
  CHECK(run.trainer({}).average() == nullptr);
  CHECK_THROWS_WITH(run.trainer({}, {.decay = 1}), Catch::Contains("decay"));
}

}  // namespace rates_test
