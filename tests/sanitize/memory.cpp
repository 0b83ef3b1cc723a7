// SPDX-License-Identifier: MIT
// For clang's memory sanitizer: whatever a model computes depends on initialised memory only. Models of both families
// classify in float32, bf16 and int8 and train; the sanitizer stops at the first branch on an unset bit, and results are
// asked for. No streams, whose library is not instrumented. Exit code 0: nothing found. See run.sh.
#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>

#include <cstdio>

#include <sanitizer/msan_interface.h>

namespace mv = minivit;

constexpr mv::Index count = 3;

template <class Model>
void check(const char* name) {
  constexpr auto config = Model::config;
  Model model;
  mv::initialise(model, 7);
  mv::Tensor<float, mv::Dyn, config.channels, config.image, config.image> images(count);
  mv::Tensor<float, mv::Dyn, config.classes> targets(count);
  for (mv::Index i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i * 7919 % 257) / 128 - 1;
  for (mv::Index i = 0; i < count; ++i) targets.data()[i * config.classes + i % config.classes] = 1;

  const auto classify = [&]<class W>(W) {
    mv::Inference<Model, W> infer(model, {.max_batch = count, .threads = 1});
    const auto logits = infer(images);
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
    for (int step = 0; step < 2; ++step) trainer.step(images, targets);
    for (const auto& p : Model::parameter_table())  // padding between parameters is never set
      __msan_check_mem_is_initialized(model.data() + p.offset, static_cast<std::size_t>(p.size) * sizeof(float));
  };
  train(float{});
  train(mv::bf16{});
  std::printf("%s: nothing found\n", name);
}

/// 17 tokens and a head width that fill no register.
constexpr mv::ViTConfig vit = {.image = 12,
                               .patch = 3,
                               .dim = 18,
                               .depth = 4,
                               .heads = 3,
                               .mlp_ratio = 2,
                               .classes = 5,
                               .sharing = {.repeat = 2, .mix_heads = true, .local_conv = true},
                               .position = {.keys = true}};
/// Windows of 3 x 3, shifted and masked.
constexpr mv::SwinConfig swin = {.image = 24,
                                 .patch = 2,
                                 .dim = 12,
                                 .depths = {2, 2},
                                 .heads = {2, 3},
                                 .blocks = {1, 1},
                                 .window = 3,
                                 .mlp_ratio = 2,
                                 .classes = 5,
                                 .transformations = {.separate_norms = true, .mix_heads = true, .local_conv = true}};

int main() {
  check<mv::ViT<vit>>("Mini-DeiT");
  check<mv::Swin<swin>>("Mini-Swin");
}
