// SPDX-License-Identifier: MIT
// The program that the documentation promises, with the umbrella header: other programs are written against these names.
#include <minivit/minivit.hpp>

#include <filesystem>
#include <random>

#include "../catch.hpp"

namespace sample_test {

namespace mv = minivit;

namespace {

constexpr auto mine = [] {  // a config is one value
  auto c = mv::presets::deit_tiny;
  c.image = 32;
  c.patch = 4;
  c.classes = 10;
  c.sharing = {.repeat = 2, .mix_heads = true};  // two consecutive layers share weights
  return c;
}();
using Model = mv::ViT<mine>;  // a model is a type
static_assert(Model::parameters < 3'000'000);
static_assert(Model::inference_bytes(1) > 0 && Model::training_bytes(8) > Model::training_bytes(1) && Model::macs > 0);

}  // namespace

TEST_CASE("sample: own config, save, load, bf16 inference", "[run]") {
  const auto path = (std::filesystem::temp_directory_path() /
                     ("minivit-sample-" + std::to_string(std::random_device{}()) + ".safetensors"))
                        .string();
  {
    Model untrained;
    mv::initialise(untrained, 1);
    mv::save(untrained, path);
  }
  Model model = mv::load<Model>(path);
  mv::Inference<Model, mv::bf16> infer{model, {.max_batch = 8}};  // packs weights; the only allocation
  mv::Tensor<float, mv::Dyn, 3, 32, 32> images(3);
  auto logits = infer(images);  // View<const float, Dyn, 10>
  static_assert(std::is_same_v<decltype(logits), mv::View<const float, mv::Dyn, 10>>);
  CHECK(logits.batch() == 3);
  for (const float value : logits) CHECK(std::isfinite(value));
  std::filesystem::remove(path);

  using Other = mv::ViT<mv::presets::vit_nano_patch4_32>;
  CHECK_THROWS_WITH(mv::load<Other>(path), Catch::Contains(path));
}

}  // namespace sample_test
