// SPDX-License-Identifier: MIT
// What only shows after a long time: memory that grows, and results that are another one time in a hundred.
#include "small_run.hpp"

#include <minivit/models/inference.hpp>

#include <fstream>
#include <vector>

#include <unistd.h>

#include "../catch.hpp"

namespace long_run_test {

using namespace small_run;

namespace {

/// Memory of this process that is in use, in bytes; 0 where the system does not say.
long resident() {
  std::ifstream file("/proc/self/statm");
  long size = 0, pages = 0;
  return file >> size >> pages ? pages * ::sysconf(_SC_PAGESIZE) : 0;
}

bool resident_is_known() {
  if (resident() > 0) return true;
  WARN("skipped: the system does not tell how much memory is in use");
  return false;
}

Model made_up() {
  Model model;
  mv::initialise(model, 7);
  return model;
}

mv::Tensor<float, mv::Dyn, 3, 32, 32> pictures(mv::Index count) {
  mv::Tensor<float, mv::Dyn, 3, 32, 32> images(count);
  for (mv::Index i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i * 7919 % 257) / 128 - 1;
  return images;
}

mv::Tensor<float, mv::Dyn, 10> labels(mv::Index count) {
  mv::Tensor<float, mv::Dyn, 10> targets(count);
  for (mv::Index i = 0; i < count; ++i) targets.data()[i * 10 + i % 10] = 1;
  return targets;
}

// What the allocator keeps for later differs by a page or two; one leaked block of the smallest size for each of 100,000
// calls is 3 MB.
constexpr long slack = 256 << 10;

}  // namespace

TEMPLATE_TEST_CASE("long run: memory does not grow over 100,000 predictions", "[run][slow]", float, mv::bf16, mv::int8) {
  if (!resident_is_known()) return;
  const Model model = made_up();
  const auto images = pictures(2);
  mv::Inference<Model, TestType> infer(model, {.max_batch = 2, .threads = 2});
  const auto predict = [&](int times) {
    for (int i = 0; i < times; ++i) infer(images.view().slice(0, 1 + i % 2));
  };
  predict(1000);
  const long before = resident();
  predict(100'000);
  CHECK(resident() - before <= slack);
}

TEST_CASE("long run: memory does not grow over 1,000 steps of training", "[run][slow]") {
  if (!resident_is_known()) return;
  Model model = made_up();
  const auto images = pictures(4);
  const auto targets = labels(4);
  auto trainer = plain(model, 2);
  const auto train = [&](int count) {
    for (int i = 0; i < count; ++i) trainer.step(images, targets);
  };
  train(50);
  const long before = resident();
  train(1000);
  CHECK(resident() - before <= slack);
}

TEMPLATE_TEST_CASE("long run: 100 predictions with 1, 2, 4 and 8 threads are the same to the bit", "[run][slow]", float,
                   mv::bf16, mv::int8) {
  const Model model = made_up();
  const auto images = pictures(16);
  std::vector<float> expected;
  for (const int threads : {1, 2, 4, 8}) {
    mv::Inference<Model, TestType> infer(model, {.max_batch = 16, .threads = threads});
    int different = 0;
    for (int run = 0; run < 100; ++run) {
      const auto logits = infer(images);
      if (expected.empty()) expected.assign(logits.begin(), logits.end());
      if (!std::equal(expected.begin(), expected.end(), logits.begin(), logits.end())) ++different;
    }
    CAPTURE(threads);
    CHECK(different == 0);
  }
}

TEMPLATE_TEST_CASE("long run: 100 trainings with 1, 2, 4 and 8 threads are the same to the bit", "[run][slow]", float,
                   mv::bf16) {
  const auto images = pictures(6);
  const auto targets = labels(6);
  const auto trained = [&](int threads) {
    Model model = made_up();
    mv::Trainer<Model, void, mv::SoftTargetCrossEntropy, TestType> trainer(model,
                                                                           {.optimiser = {.clip_norm = 1},
                                                                            .schedule = {.peak = 2e-3, .total_steps = 2},
                                                                            .drop_path = 0.3,
                                                                            .seed = 5,
                                                                            .threads = threads,
                                                                            .micro_batch = 2});
    for (int step = 0; step < 2; ++step) trainer.step(images, targets);
    return std::vector<float>(model.data(), model.data() + model.size());
  };
  const auto expected = trained(1);
  REQUIRE(expected != std::vector<float>(expected.size(), expected[0]));
  for (const int threads : {1, 2, 4, 8}) {
    int different = 0;
    for (int run = 0; run < 100; ++run)
      if (trained(threads) != expected) ++different;
    CAPTURE(threads);
    CHECK(different == 0);
  }
}

}  // namespace long_run_test
