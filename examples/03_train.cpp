// SPDX-License-Identifier: MIT
// Training from scratch: a very small model on the built-in pictures, a few epochs. `fit` is the loop that most runs need;
// Trainer::step and Loader, which it is made of, can be called directly.
#include <minivit/minivit.hpp>

#include <cstdio>

namespace mv = minivit;

constexpr mv::ViTConfig tiny = [] {
  auto c = mv::presets::vit_nano_patch4_32;
  c.patch = 8;
  c.dim = 64;
  c.depth = 4;
  c.heads = 4;
  return c;
}();
using Model = mv::ViT<tiny>;

int main() try {
  const mv::Dataset train = mv::synthetic_dataset(4000, mv::Split::train),
                    test = mv::synthetic_dataset(1000, mv::Split::test);

  Model model;
  mv::initialise(model, 1);
  std::printf("%td parameters, %td images\n", Model::parameters, train.size());

  constexpr mv::Index batch = 50, epochs = 8;
  const mv::Index steps = epochs * train.size() / batch;
  mv::Trainer<Model> trainer{model,
                             {.optimiser = {.weight_decay = 0.05, .clip_norm = 1},
                              .schedule = {.peak = 3e-3, .warmup_steps = steps / 10, .total_steps = steps},
                              .seed = 1}};
  const mv::FitReport report = mv::fit(trainer, train,
                                       {.epochs = epochs,
                                        .loader = {.batch = batch,
                                                   .seed = 1,
                                                   .shuffle = true,
                                                   .drop_last = true,
                                                   .augment = {.padding = 2, .preprocessing = {.crop_pct = 1}}},
                                        .validation = &test,
                                        .show = mv::Progress::silent()});

  std::printf("%5s %12s %8s %8s %10s\n", "epoch", "learn rate", "loss", "test", "images/s");
  for (const mv::EpochReport& e : report.epochs)
    std::printf("%5td %12.2e %8.3f %6.1f %% %10.0f\n", e.epoch + 1, e.lr, e.train_loss, 100 * e.validation->accuracy,
                e.images_per_second);
  std::printf("%.1f s; guessing would give 10 %%\n", report.seconds);
} catch (const mv::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
