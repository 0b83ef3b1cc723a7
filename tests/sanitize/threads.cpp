// SPDX-License-Identifier: MIT
// Many threads at once, for the thread sanitizer: eight callers on one const model, each with an Inference of its own,
// 10,000 predictions in each precision, compared bit by bit, while two others train models of their own. Exit code 0: all
// equal. See run.sh.
#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <thread>
#include <vector>

namespace mv = minivit;

constexpr mv::ViTConfig config = [] {
  auto c = mv::presets::mini_vit_nano_patch4_32;
  c.patch = 8, c.dim = 16, c.heads = 2, c.depth = 2;
  return c;
}();
using Model = mv::ViT<config>;

constexpr mv::Index callers = 8, predictions = 1250, count = 16;

mv::Tensor<float, mv::Dyn, 3, 32, 32> pictures() {
  mv::Tensor<float, mv::Dyn, 3, 32, 32> images(count);
  for (mv::Index i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i * 7919 % 257) / 128 - 1;
  return images;
}

/// How many of the predictions differ from those of one caller alone.
template <class W>
long different_predictions(const Model& model, const mv::Tensor<float, mv::Dyn, 3, 32, 32>& images) {
  std::vector<float> expected;
  {
    mv::Inference<Model, W> infer(model, {.max_batch = count, .threads = 1});
    const auto logits = infer(images);
    expected.assign(logits.begin(), logits.end());
  }
  std::atomic<long> different{0};
  std::vector<std::thread> all;
  for (mv::Index t = 0; t < callers; ++t)
    all.emplace_back([&, t] {
      mv::Inference<Model, W> infer(model, {.max_batch = 1, .threads = 1});
      for (mv::Index p = 0; p < predictions; ++p) {
        const mv::Index image = (t + p) % count;
        const auto logits = infer(images.view().slice(image, 1));
        if (std::memcmp(logits.data(), expected.data() + image * config.classes, config.classes * sizeof(float)) != 0)
          ++different;
      }
    });
  for (auto& caller : all) caller.join();
  return different;
}

std::vector<float> trained(const mv::Tensor<float, mv::Dyn, 3, 32, 32>& images) {
  Model model;
  mv::initialise(model, 7);
  mv::Tensor<float, mv::Dyn, config.classes> targets(count);
  for (mv::Index i = 0; i < count; ++i) targets.data()[i * config.classes + i % config.classes] = 1;
  mv::Trainer<Model> trainer(
      model, {.schedule = {.peak = 1e-3, .total_steps = 20}, .drop_path = 0.1, .threads = 1, .micro_batch = 4});
  for (int step = 0; step < 20; ++step) trainer.step(images, targets);
  return {model.data(), model.data() + model.size()};
}

int main() {
  Model model;
  mv::initialise(model, 7);
  const auto images = pictures();
  std::vector<float> weights[2];
  std::thread first([&] { weights[0] = trained(images); }), second([&] { weights[1] = trained(images); });
  const long different = different_predictions<float>(model, images) + different_predictions<mv::bf16>(model, images) +
                         different_predictions<mv::int8>(model, images);
  first.join();
  second.join();
  const bool same = weights[0] == weights[1];
  std::printf("%td predictions, %ld different; two trainings side by side: %s\n", 3 * callers * predictions, different,
              same ? "equal" : "DIFFERENT");
  return different == 0 && same ? 0 : 1;
}
