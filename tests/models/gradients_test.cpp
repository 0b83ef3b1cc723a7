// SPDX-License-Identifier: MIT
// Backward of whole small models against central differences in double: every parameter, shared ones included.
#include "generated.hpp"

#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/testing/gradient_check.hpp>

#include "../catch.hpp"

namespace gradients_test {

namespace mv = minivit;

namespace {

template <class Model>
mv::testing::GradientReport check_model(double drop_path = 0) {
  constexpr auto C = Model::config;
  constexpr bool two_heads = Model::distilled;
  constexpr mv::Index batch = 2;
  Model model, gradients;
  generated::weights(model);
  mv::Tensor<double, mv::Dyn, C.channels, C.image, C.image> images(batch);
  generated::input(images.data(), images.size());
  mv::Tensor<double, mv::Dyn, C.classes> logits(batch), distilled(batch), d1(batch), d2(batch);
  for (mv::Index i = 0; i < d1.size(); ++i) {
    d1.data()[i] = mv::Random(3).normal(static_cast<std::uint64_t>(i));
    d2.data()[i] = two_heads ? mv::Random(4).normal(static_cast<std::uint64_t>(i)) : 0;
  }
  mv::Buffer<double> memory(Model::training_bytes(batch) / 8);
  const mv::StochasticDepth depth{drop_path, mv::Random(7), 0};
  const auto net = model.net();
  const auto run = [&](mv::Arena<double>& arena) { return net.forward(images, {logits, distilled}, arena, depth); };
  mv::Arena<double> arena(memory.data(), memory.size(), mv::Memory::keep);
  const auto saved = run(arena);
  net.backward(saved, {d1, d2}, gradients.net(), arena);
  std::vector<mv::testing::GradientTarget> targets;
  for (const auto& p : Model::parameter_table())
    targets.push_back({p.name, model.data() + p.offset, gradients.data() + p.offset, p.size});
  return mv::testing::compare_gradients(targets,
                                        [&] {
                                          mv::Arena<double> again(memory.data(), memory.size(), mv::Memory::keep);
                                          run(again);
                                          double sum = 0;
                                          for (mv::Index i = 0; i < d1.size(); ++i)
                                            sum += logits.data()[i] * d1.data()[i] +
                                                   (two_heads ? distilled.data()[i] * d2.data()[i] : 0);
                                          return sum;
                                        },
                                        {.samples = 24});
}

constexpr mv::ViTConfig small(mv::Pool pool, bool distilled, mv::Sharing sharing, bool relative, int depth = 4) {
  mv::ViTConfig c;
  c.image = 9;
  c.patch = 3;
  c.dim = 10;
  c.depth = depth;
  c.heads = 2;
  c.mlp_ratio = 2;
  c.classes = 3;
  c.pool = pool;
  c.distilled = distilled;
  c.sharing = sharing;
  c.position = {.keys = relative};
  return c;
}

/// Two stages of 6 x 6 and 3 x 3 tokens: four windows, then one.
constexpr mv::SwinConfig small_swin(mv::PerStage depths, mv::PerStage blocks, mv::SwinTransformations transformations = {}) {
  mv::SwinConfig c;
  c.image = 12;
  c.patch = 2;
  c.dim = 6;
  c.depths = depths;
  c.blocks = blocks;
  c.heads = {2, 3};
  c.window = 3;
  c.mlp_ratio = 2;
  c.classes = 3;
  c.transformations = transformations;
  return c;
}

// as in tests/layers/gradients_test.cpp, times ten for four layers in a row
constexpr double limit = 1e-6;

}  // namespace

#define CHECK_TYPE(drop, ...)                           \
  {                                                     \
    const auto report = check_model<__VA_ARGS__>(drop); \
    INFO(report.text());                                \
    CHECK(report.checked > 100);                        \
    CHECK(report.worst < limit);                        \
  }

#define CHECK_MODEL(config, drop) CHECK_TYPE(drop, mv::ViT<config, double>)

TEST_CASE("ViT: gradients of a plain DeiT", "[model]") { CHECK_MODEL(small(mv::Pool::cls, false, {}, false), 0); }
TEST_CASE("ViT: gradients of a distilled DeiT, both heads", "[model]") {
  CHECK_MODEL(small(mv::Pool::cls, true, {}, false), 0);
}
TEST_CASE("ViT: gradients with a class token and relative position", "[model]") {
  CHECK_MODEL(small(mv::Pool::cls, false, {.repeat = 2, .mix_heads = true}, true), 0);
}
TEST_CASE("ViT: gradients of a Mini-DeiT, two layers on a block", "[model]") {
  CHECK_MODEL(small(mv::Pool::mean, false, {.repeat = 2, .mix_heads = true}, true), 0);
}
TEST_CASE("ViT: gradients with all layers on one block", "[model]") {
  CHECK_MODEL(small(mv::Pool::mean, false, {.repeat = 4, .mix_heads = true}, true), 0);
}
TEST_CASE("ViT: gradients of sharing alone", "[model]") {
  CHECK_MODEL(small(mv::Pool::mean, false, {.repeat = 2}, false), 0);
}
TEST_CASE("ViT: gradients of sharing with shared norms", "[model]") {
  CHECK_MODEL(small(mv::Pool::mean, false, {.repeat = 2, .separate_norms = false}, false), 0);
}
TEST_CASE("ViT: gradients with stochastic depth", "[model]") {
  CHECK_MODEL(small(mv::Pool::mean, false, {.repeat = 2, .mix_heads = true}, true), 0.7);
}
TEST_CASE("ViT: gradients with a local convolution, with and without a class token", "[model]") {
  CHECK_MODEL(small(mv::Pool::mean, false, {.repeat = 2, .mix_heads = true, .local_conv = true}, true), 0);
  CHECK_MODEL(small(mv::Pool::cls, false, {.local_conv = true}, false, 2), 0);
}

TEST_CASE("Swin: gradients of a plain Swin, shifted and not", "[model]") {
  CHECK_TYPE(0, mv::Swin<small_swin({2, 2}, {2, 2}), double>);
}
TEST_CASE("Swin: gradients of a Mini-Swin, three layers on a block", "[model]") {
  CHECK_TYPE(0,
             mv::Swin<small_swin({3, 2}, {1, 1}, {.separate_norms = true, .mix_heads = true, .local_conv = true}), double>);
}
TEST_CASE("Swin: gradients of each transformation alone, and of sharing alone", "[model]") {
  CHECK_TYPE(0, mv::Swin<small_swin({2, 2}, {1, 1}, {.separate_norms = true}), double>);
  CHECK_TYPE(0, mv::Swin<small_swin({2, 2}, {1, 1}, {.mix_heads = true}), double>);
  CHECK_TYPE(0, mv::Swin<small_swin({2, 2}, {1, 1}, {.local_conv = true}), double>);
  CHECK_TYPE(0, mv::Swin<small_swin({2, 2}, {1, 1}), double>);
}
TEST_CASE("Swin: gradients with stochastic depth", "[model]") {
  CHECK_TYPE(0.7,
             mv::Swin<small_swin({2, 2}, {1, 1}, {.separate_norms = true, .mix_heads = true, .local_conv = true}), double>);
}

}  // namespace gradients_test
