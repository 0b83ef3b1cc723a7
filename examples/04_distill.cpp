// SPDX-License-Identifier: MIT
// Distillation: a trained model teaches one that shares weights between layers. The same type `Trainer`, with a teacher.
#include <minivit/minivit.hpp>

#include <cstdio>

namespace mv = minivit;

constexpr mv::ViTConfig large = [] {
  auto c = mv::presets::vit_nano_patch4_32;
  c.patch = 8;
  c.dim = 64;
  c.depth = 4;
  c.heads = 4;
  return c;
}();
// Multiplexed: pairs of layers on one set of matrices, norms, head mixing and position tables of their own.
constexpr mv::ViTConfig small = [] {
  auto c = large;
  c.sharing = {.repeat = 2, .mix_heads = true};
  return c;
}();
using Teacher = mv::ViT<large>;
using Student = mv::MiniDeiT<small>;
static_assert(Student::parameters < 0.58 * Teacher::parameters);

int main() try {
  const mv::Dataset train = mv::synthetic_dataset(2500, mv::Split::train),
                    test = mv::synthetic_dataset(1000, mv::Split::test);
  constexpr mv::Index batch = 50, epochs = 8;
  const mv::Index steps = epochs * train.size() / batch;
  const mv::CosineSchedule schedule{.peak = 3e-3, .warmup_steps = steps / 10, .total_steps = steps};
  const mv::AdamW optimiser{.clip_norm = 1};
  const mv::FitOptions options{.epochs = epochs,
                               .loader = {.batch = batch,
                                          .seed = 1,
                                          .shuffle = true,
                                          .drop_last = true,
                                          .augment = {.padding = 2, .preprocessing = {.crop_pct = 1}}},
                               .validation = &test,
                               .evaluate_every = epochs,
                               .show = mv::Progress::silent()};
  const auto print = [](const char* name, mv::Index parameters, const mv::FitReport& report) {
    const mv::EpochReport& last = report.epochs.back();
    std::printf("%-8s %8td parameters   loss %.3f (labels %.3f, teacher %.3f)   test %.1f %%   %.1f s\n", name, parameters,
                last.train_loss, last.train_base, last.train_kd, 100 * last.validation->accuracy, report.seconds);
  };

  Teacher teacher;
  mv::initialise(teacher, 1);
  mv::Trainer<Teacher> first{teacher, {.optimiser = optimiser, .schedule = schedule, .seed = 1}};
  print("teacher", Teacher::parameters, mv::fit(first, train, options));

  Student student;
  mv::initialise(student, 2);
  // Nine tenths of the loss come from the teacher's probabilities at temperature 2. Divided by the batch alone: the paper's
  // code divides by the classes as well, which suits its alpha of 1, where nothing is weighed against the labels.
  const mv::DeiTDistillation loss{.kind = mv::Distill::soft, .alpha = 0.9, .tau = 2, .normalise = mv::Normalise::by_batch};
  mv::Trainer<Student, Teacher> second{
      student, teacher, {.loss = loss, .optimiser = optimiser, .schedule = schedule, .seed = 2}};
  print("student", Student::parameters, mv::fit(second, train, options));
} catch (const mv::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 2;
}
