// SPDX-License-Identifier: MIT
// From a trained model to a student that shares, and to another resolution.
#include "generated.hpp"

#include <minivit/models/inference.hpp>
#include <minivit/models/multiplex.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/resample.hpp>
#include <minivit/models/vit.hpp>

#include "../catch.hpp"

namespace multiplex_test {

namespace mv = minivit;
using mv::Index;

namespace {

constexpr mv::ViTConfig teacher_config = [] {
  mv::ViTConfig c;
  c.image = 12;
  c.patch = 3;
  c.dim = 12;
  c.depth = 4;
  c.heads = 3;
  c.mlp_ratio = 2;
  c.classes = 5;
  return c;
}();
using Teacher = mv::ViT<teacher_config, double>;

Teacher trained() {
  Teacher teacher;
  generated::weights(teacher);
  return teacher;
}

template <class Model>
std::vector<double> parameter(const Model& model, const std::string& name) {
  for (const auto& p : Model::parameter_table())
    if (p.name == name) return {model.data() + p.offset, model.data() + p.offset + p.size};
  FAIL("no parameter " << name);
  return {};
}

template <class Model>
std::vector<double> logits(const Model& model) {
  mv::Tensor<double, mv::Dyn, 3, Model::config.image, Model::config.image> images(2);
  generated::input(images.data(), images.size());
  mv::Inference<Model> infer(model, {.max_batch = 2, .threads = 1});
  const auto y = infer(images);
  return {y.begin(), y.end()};
}

double difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - b[i]));
  return worst;
}

}  // namespace

TEST_CASE("multiplex: with one layer per group and identity transformations the student is the teacher", "[model]") {
  const Teacher teacher = trained();
  constexpr auto config = mv::multiplexed(teacher_config, {.repeat = 1, .mix_heads = true});
  CHECK(difference(logits(mv::multiplex<config>(teacher)), logits(teacher)) < 1e-13);
  // the reference's start mixes the heads down to almost nothing
  CHECK(difference(logits(mv::multiplex<config>(teacher, {.transformations = mv::TransformStart::reference})),
                   logits(teacher)) > 1e-3);
}

TEST_CASE("multiplex: layers that are equal become one without a loss", "[model]") {
  Teacher teacher = trained();
  for (const auto& p : Teacher::parameter_table())  // layers 1 and 3 like 0 and 2, norms aside
    for (const char layer : {'1', '3'})
      if (p.name.starts_with(std::string("blocks.") + layer) && p.name.find("norm") == std::string::npos) {
        std::string other = p.name;
        other[7] = static_cast<char>(layer - 1);
        const auto values = parameter(teacher, other);
        std::copy(values.begin(), values.end(), teacher.data() + p.offset);
      }
  constexpr auto config = mv::multiplexed(teacher_config, {.repeat = 2, .mix_heads = true});
  for (const auto group : {mv::GroupStart::average, mv::GroupStart::first})
    CHECK(difference(logits(mv::multiplex<config>(teacher, {.group = group})), logits(teacher)) < 1e-13);
  CHECK(difference(logits(mv::multiplex<config>(teacher, {.group = mv::GroupStart::random})), logits(teacher)) > 1e-3);
}

TEST_CASE("multiplex: shared weights are the average or the first of their layers, own ones those of their layer",
          "[model]") {
  const Teacher teacher = trained();
  constexpr auto config = mv::multiplexed(teacher_config, {.repeat = 2, .mix_heads = true});
  const auto student = mv::multiplex<config>(teacher);
  auto mean = parameter(teacher, "blocks.2.mlp.fc2.weight");
  const auto other = parameter(teacher, "blocks.3.mlp.fc2.weight");
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = (mean[i] + other[i]) / 2;
  CHECK(difference(parameter(student, "blocks.1.block.mlp.fc2.weight"), mean) < 1e-15);
  CHECK(parameter(student, "blocks.1.block.norm2.instances.1.bias") == parameter(teacher, "blocks.3.norm2.bias"));
  CHECK(parameter(student, "head.weight") == parameter(teacher, "head.weight"));
  const auto mixing = parameter(student, "blocks.0.block.attn.conv_w.instances.1.weight");
  CHECK(mixing == std::vector<double>{1, 0, 0, 0, 1, 0, 0, 0, 1});
  const auto first = mv::multiplex<config>(teacher, {.group = mv::GroupStart::first});
  CHECK(parameter(first, "blocks.1.block.attn.qkv.bias") == parameter(teacher, "blocks.2.attn.qkv.bias"));
}

TEST_CASE("multiplex: shared norms become one, too", "[model]") {
  const Teacher teacher = trained();
  constexpr auto config = mv::multiplexed(teacher_config, {.repeat = 4, .separate_norms = false}, false);
  const auto student = mv::multiplex<config>(teacher, {.group = mv::GroupStart::first});
  CHECK(parameter(student, "blocks.0.block.norm1.weight") == parameter(teacher, "blocks.0.norm1.weight"));
  CHECK(logits(student).size() == 10);
}

TEST_CASE("multiplex: a Swin's stages, too", "[model]") {
  constexpr mv::SwinConfig swin = [] {
    mv::SwinConfig c;
    c.image = 24;
    c.patch = 2;
    c.dim = 6;
    c.depths = c.blocks = {2, 4};
    c.heads = {2, 3};
    c.window = 3;
    c.classes = 5;
    return c;
  }();
  mv::Swin<swin, double> teacher;
  generated::weights(teacher);
  // one layer per set of weights: only the transformations are new
  constexpr auto alone = mv::multiplexed(swin, swin.blocks, {.separate_norms = true, .mix_heads = true});
  CHECK(difference(logits(mv::multiplex<alone>(teacher)), logits(teacher)) < 1e-13);
  CHECK(difference(logits(mv::multiplex<alone>(teacher, {.transformations = mv::TransformStart::reference})),
                   logits(teacher)) > 1e-3);

  constexpr auto shared = mv::multiplexed(swin, {1, 2});
  const auto student = mv::multiplex<shared>(teacher);
  auto mean = parameter(teacher, "layers.1.blocks.2.attn.relative_position_bias_table");
  const auto other = parameter(teacher, "layers.1.blocks.3.attn.relative_position_bias_table");
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] = (mean[i] + other[i]) / 2;
  CHECK(difference(parameter(student, "layers.1.blocks.1.attn.relative_position_bias_table"), mean) < 1e-15);
  CHECK(parameter(student, "layers.1.blocks.1.norm2_list.1.bias") == parameter(teacher, "layers.1.blocks.3.norm2.bias"));
  CHECK(parameter(student, "layers.0.downsample.reduction.weight") ==
        parameter(teacher, "layers.0.downsample.reduction.weight"));
  CHECK(parameter(student, "layers.1.blocks.0.proj_w.1.weight") == std::vector<double>{1, 0, 0, 0, 1, 0, 0, 0, 1});
  CHECK(parameter(student, "layers.1.blocks.0.proj_w.1.bias") == std::vector<double>(3));
  CHECK(parameter(student, "layers.0.blocks.0.local_conv_list.0.weight") == std::vector<double>(6 * 49));
  CHECK(parameter(student, "layers.0.blocks.0.local_norm_list.0.weight") == std::vector<double>(6, 1.0));
  static_assert(!mv::can_multiplex(shared, mv::presets::swin_tiny_patch4_window7_224));
}

TEST_CASE("resample_positions: equals PyTorch's bicubic interpolation", "[model]") {
  // torch.nn.functional.interpolate(x, size, mode="bicubic", align_corners=False) of x[i] = ((7 i + 3) mod 11) / 8 on 3x3,
  // in float64
  double x[9];
  for (int i = 0; i < 9; ++i) x[i] = ((7 * i + 3) % 11) / 8.0;
  const std::vector<double> five{0.30299999999999955,
                                 0.762499999999999,
                                 1.2619999999999993,
                                 1.018999999999999,
                                 0.7139999999999997,
                                 0.25149999999999967,
                                 0.710999999999999,
                                 1.210499999999999,
                                 0.9674999999999991,
                                 0.6624999999999998,
                                 0.16599999999999981,
                                 0.6254999999999995,
                                 1.125,
                                 0.8819999999999999,
                                 0.5770000000000002,
                                 0.08049999999999997,
                                 0.5399999999999996,
                                 1.0394999999999999,
                                 0.7965,
                                 0.4915000000000002,
                                 0.028999999999999877,
                                 0.4884999999999997,
                                 0.9880000000000002,
                                 0.7450000000000001,
                                 0.44000000000000017};
  const std::vector<double> two{0.56689453125, 0.8701171875, 0.36474609375, 0.66796875};
  std::vector<double> out(25);
  mv::resample_positions(out.data(), 5, x, 3, 1);
  CHECK(difference(out, five) < 1e-14);
  out.resize(4);
  mv::resample_positions(out.data(), 2, x, 3, 1);
  CHECK(difference(out, two) < 1e-14);
}

TEST_CASE("at_resolution: only positions change, and not at the same size", "[model]") {
  const Teacher teacher = trained();
  constexpr auto larger = [] {
    auto c = teacher_config;
    c.image = 18;
    return c;
  }();
  CHECK(logits(mv::at_resolution<teacher_config>(teacher)) == logits(teacher));
  const auto model = mv::at_resolution<larger>(teacher);
  CHECK(parameter(model, "blocks.3.attn.qkv.weight") == parameter(teacher, "blocks.3.attn.qkv.weight"));
  const auto before = parameter(teacher, "pos_embed"), after = parameter(model, "pos_embed");
  CHECK(std::equal(before.begin(), before.begin() + 12, after.begin()));  // the class token's
  CHECK(after.size() == (1 + 36) * 12);
  // a constant stays a constant
  std::vector<double> flat(16, 0.7), out(36);
  mv::resample_positions(out.data(), 6, flat.data(), 4, 1);
  for (const double v : out) CHECK(v == Approx(0.7).epsilon(1e-14));
}

}  // namespace multiplex_test
