// SPDX-License-Identifier: MIT
// Inference on several threads: same bits however images and rows are cut, exactly the planned memory, and the callers it
// may have.
#include <minivit/io/checkpoint.hpp>
#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>

#include <filesystem>
#include <vector>

#include <unistd.h>

#include "../catch.hpp"
#include "generated.hpp"

namespace inference_test {

namespace mv = minivit;
using mv::Index;

namespace {

constexpr mv::ViTConfig with_depth(mv::ViTConfig c, int depth) {
  c.depth = depth;
  return c;
}
// 64 tokens, large enough to be worth several threads; the second is not, and its images always go to one thread each
constexpr auto large = mv::presets::mini_vit_nano_patch4_32;
constexpr auto small = with_depth(mv::presets::vit_nano_patch4_32, 2);
static_assert(mv::ViT<large>::macs > 20'000'000 && mv::ViT<small>::macs < 20'000'000);

template <mv::ViTConfig C>
mv::Tensor<float, mv::Dyn, C.channels, C.image, C.image> some_images(Index batch) {
  mv::Tensor<float, mv::Dyn, C.channels, C.image, C.image> images(batch);
  generated::input(images.data(), images.size());
  return images;
}

std::vector<float> copy(const auto& logits) { return {logits.begin(), logits.end()}; }

/// `large` as drawn from seed 1, some images, and their logits in float32 on one thread.
struct Reference {
  mv::ViT<large> model;
  mv::Tensor<float, mv::Dyn, large.channels, large.image, large.image> images;
  std::vector<float> logits;

  explicit Reference(Index batch) : images(some_images<large>(batch)) {
    mv::initialise(model, 1);
    logits = copy(mv::Inference<mv::ViT<large>>(model, {.max_batch = batch, .threads = 1})(images));
  }
};

}  // namespace

TEMPLATE_TEST_CASE("Inference: any number of workers inside the layers gives the same bits in the memory planned for them",
                   "[model]", float, mv::bf16, mv::int8) {
  using Model = mv::ViT<large>;
  using Weights = mv::PackedWeights<Model, mv::Packed<TestType, float>, TestType>;
  Model model;
  mv::initialise(model, 1);
  const mv::Threads team(3);
  Weights weights;
  weights.pack(model, team);
  const auto images = some_images<large>(1);
  const auto forward = [&](int workers) {
    const Index size = mv::Inference<Model, TestType>::arena_size(workers);
    mv::Buffer<float> memory(size);
    std::fill_n(memory.data(), size, std::numeric_limits<float>::quiet_NaN());  // nothing is read before it is written
    mv::Arena<float> arena(memory.data(), size, mv::Memory::rewind);
    arena.share(&team, workers);
    mv::Tensor<float, mv::Dyn, large.classes> logits(1);
    weights.net().forward(images, {logits.view(), {}}, arena);
    if (workers > 1) CHECK(arena.peak() == size);  // for one worker the plan is for several images
    return copy(logits.view());
  };
  const auto alone = forward(1);
  for (const int workers : {2, 3, 4, 5, 16}) CHECK(forward(workers) == alone);
}

TEMPLATE_TEST_CASE("Inference: parameters given one by one, as drawn or from a file, give the same bits as a model",
                   "[model]", float, mv::bf16, mv::int8) {
  using Model = mv::ViT<large>;
  Model model;
  mv::initialise(model, 7);
  const auto images = some_images<large>(1);
  mv::Inference<Model, TestType> from_model(model, {.threads = 1});
  const auto expected = copy(from_model(images));
  for (const int threads : {1, 3}) {
    mv::Inference<Model, TestType> drawn(mv::initial_parameters<Model>(7), {.threads = threads});
    CHECK(copy(drawn(images)) == expected);
    const std::string path = std::filesystem::temp_directory_path() /
                             ("minivit_inference_test_" + std::to_string(::getpid()) + ".safetensors");
    mv::save(model, path);
    const auto file = mv::SafeTensors::open(path);
    std::filesystem::remove(path);
    mv::Inference<Model, TestType> read(mv::parameters_of<Model>(file), {.threads = threads});
    CHECK(copy(read(images)) == expected);
    CHECK_THROWS_AS(mv::parameters_of<mv::ViT<small>>(file), mv::Error);
  }
}

TEST_CASE("Inference: every batch gives the same bits on every number of threads, left-over images included", "[model]") {
  const auto check = []<mv::ViTConfig C>(mv::ViT<C> model) {
    mv::initialise(model, 1);
    constexpr Index most = 9;
    const auto images = some_images<C>(most);
    mv::Inference<mv::ViT<C>> alone(model, {.max_batch = most, .threads = 1});
    const auto expected = copy(alone(images));
    for (const int threads : {2, 3, 4, 8})
      for (Index max_batch = 1; max_batch <= most;
           ++max_batch) {  // fewer images than threads, too: then there are fewer arenas
        mv::Inference<mv::ViT<C>> infer(model, {.max_batch = max_batch, .threads = threads});
        for (Index batch = 1; batch <= max_batch; ++batch) {
          const auto found = copy(infer(images.view().slice(most - batch, batch)));
          CHECK(std::equal(found.begin(), found.end(), expected.end() - batch * C.classes));
        }
      }
  };
  check(mv::ViT<large>{});
  check(mv::ViT<small>{});
}

TEST_CASE(
    "Inference: int8 after a calibration is near float32, the same for every number of threads, and can be calibrated again",
    "[model]") {
  using Model = mv::ViT<large>;
  const Reference reference(6);
  const auto& model = reference.model;
  const auto& images = reference.images;
  const auto& expected = reference.logits;
  float largest = 0;
  for (const float v : expected) largest = std::max(largest, std::abs(v));
  mv::Inference<Model, mv::int8> infer(model, {.max_batch = 6, .threads = 1});
  const auto dynamic = copy(infer(images));
  infer.calibrate(images.view().slice(0, 4));  // the other two come out of the same distribution
  const auto fixed = copy(infer(images));
  CHECK(fixed != dynamic);
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(std::abs(fixed[i] - expected[i]) < 0.08f * largest);
  for (const int threads : {2, 3}) {
    mv::Inference<Model, mv::int8> again(model, {.max_batch = 6, .threads = threads});
    again.calibrate(images);
    again.calibrate(images.view().slice(0, 4));
    CHECK(copy(again(images)) == fixed);
    CHECK(copy(again(images.view().slice(5, 1))) == std::vector<float>(fixed.end() - large.classes, fixed.end()));
  }
  CHECK_THROWS_WITH(infer.calibrate(images.view().slice(0, 0)), Catch::Contains("no images"));
  auto damaged = some_images<large>(1);
  damaged.data()[5] = std::numeric_limits<float>::infinity();
  CHECK_THROWS_WITH(infer.calibrate(damaged), Catch::Contains("not finite"));
  CHECK(copy(infer(images)) == dynamic);  // as if it had never been calibrated
}

TEST_CASE("Inference: works inside a loop of another engine's threads", "[model]") {
  using Model = mv::ViT<large>;
  const Reference reference(4);
  const auto& model = reference.model;
  const auto& images = reference.images;
  const auto& expected = reference.logits;
  const mv::Threads outer(2);
  mv::Inference<Model> a(model, {.max_batch = 2, .threads = 2}), b(model, {.max_batch = 2, .threads = 2});
  for (int round = 0; round < 5; ++round)
    outer.for_each(4, [&, classes = Index{large.classes}](Index i) {
      if (i > 1) return;  // one engine serves one caller at a time
      auto& infer = i == 0 ? a : b;
      for (Index k = 2 * i; k < 2 * i + 2; ++k) {
        const auto found = copy(infer(images.view().slice(k, 1)));
        if (!std::equal(found.begin(), found.end(), expected.begin() + k * classes)) throw i;  // CHECK is for one thread
      }
    });
}

}  // namespace inference_test
