// SPDX-License-Identifier: MIT
// For clang's memory sanitizer: whatever a model computes depends on initialised memory only. Models of both families
// classify in float32, bf16 and int8 and train; the sanitizer stops at the first branch on an unset bit, and results are
// asked for. No streams, whose library is not instrumented. Exit code 0: nothing found. See run.sh.
#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>
#include <minivit/train/trainer.hpp>

#include <cstdio>

#include <sanitizer/msan_interface.h>

#include "../small_models.hpp"

namespace mv = minivit;

template <class Model>
void check(const char* name) {
  Model model;
  mv::initialise(model, 7);
  const small_models::Batch<Model> batch;

  const auto classify = [&]<class W>(W) {
    mv::Inference<Model, W> infer(model, {.max_batch = small_models::count, .threads = 1});
    const auto logits = infer(batch.images);
    __msan_check_mem_is_initialized(logits.data(), static_cast<std::size_t>(logits.size()) * sizeof(float));
  };
  classify(float{});
  classify(mv::bf16{});
  classify(mv::int8{});
  const auto train = [&]<class W>(W) {
    mv::Trainer<Model, void, mv::SoftTargetCrossEntropy, W> trainer(model, {.optimiser = {.clip_norm = 1},
                                                                            .schedule = {.peak = 1e-3, .total_steps = 2},
                                                                            .drop_path = 0.1,
                                                                            .threads = 1,
                                                                            .micro_batch = 2});
    for (int step = 0; step < 2; ++step) trainer.step(batch.images, batch.targets);
    for (const auto& p : Model::parameter_table())  // padding between parameters is never set
      __msan_check_mem_is_initialized(model.data() + p.offset, static_cast<std::size_t>(p.size) * sizeof(float));
  };
  train(float{});
  train(mv::bf16{});
  std::printf("%s: nothing found\n", name);
}

int main() {
  check<mv::ViT<small_models::vit>>("Mini-DeiT");
  check<mv::Swin<small_models::swin>>("Mini-Swin");
}
