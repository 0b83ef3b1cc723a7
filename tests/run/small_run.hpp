// SPDX-License-Identifier: MIT
// A training run small enough to be made many times in one test, with everything random switched on, and what there is to
// compare.
#pragma once

#include <minivit/data/synthetic.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/run/fit.hpp>

#include <csignal>
#include <cstring>
#include <string>
#include <type_traits>

#include "../io/raw_file.hpp"

namespace small_run {

namespace mv = minivit;
using io_test::Folder, io_test::get, io_test::put, io_test::message_of, io_test::FileSizeLimit;

inline constexpr mv::ViTConfig config = [] {
  auto c = mv::presets::mini_vit_nano_patch4_32;
  c.patch = 8;
  c.dim = 16;
  c.heads = 2;
  c.depth = 2;
  return c;
}();
using Model = mv::ViT<config>;

inline constexpr mv::Index batch = 12, batches = 4, epochs = 3, steps = epochs * batches;

/// 48 images and two that do not fill a batch.
inline const mv::Dataset& data() {
  static const mv::Dataset set = mv::synthetic_dataset(batches * batch + 2, mv::Split::train);
  return set;
}

/// Where a run writes.
struct Files {
  std::string checkpoint, log{};
};

/// Lines without their speed, which is not the same twice.
inline std::string without_speed(std::string log) {
  for (std::size_t at = 0; (at = log.find("\"images_per_s\": ", at)) != std::string::npos;) {
    const std::size_t from = at + 16;
    log.erase(from, log.find_first_of(",}", from) - from);
    at = from;
  }
  return log;
}

/// Trains from the seed, or from the checkpoint on when there is one, to the end, or until signal `stop_with` after step
/// `stop_after`. `Trainer` is made by make(student, threads).
template <class Make>
struct Run {
  using Trainer = std::invoke_result_t<Make, Model&, int>;
  Model student;
  Trainer trainer;
  mv::FitReport report;

  Run(const Make& make, const Files& files, int threads, mv::Index stop_after = 0, int stop_with = SIGTERM)
      : student(), trainer(make(start(student), threads)) {
    mv::FitOptions options{.epochs = epochs,
                           .log = files.log,
                           .checkpoint = files.checkpoint,
                           .resume = true,
                           .settings = "test",
                           .validation = &data(),
                           .evaluate_every = 2,
                           .show = mv::Progress::silent()};
    options.loader = {.batch = batch, .seed = 5, .shuffle = true, .drop_last = true};
    options.loader.augment = {.padding = 4, .flip = true, .mixup = 0.8, .cutmix = 1, .smoothing = 0.1};
    options.loader.threads = threads;
    options.show.clock = [&, first = mv::Index{-1}]() mutable {  // asked once after each step, before the flag is looked at
      const mv::Index step = trainer.state().step;
      if (first < 0) first = step;
      if (step == stop_after && step > first) std::raise(stop_with);
      return 0.0;
    };
    report = mv::fit(trainer, data(), options);
  }

  /// Weights, both moments and the step, bit by bit; padding between parameters is no part of them.
  template <class Other>
  bool equals(const Other& other) const {
    const auto same = [&](const float* a, const float* b) {
      for (const auto& p : Model::parameter_table())
        if (std::memcmp(a + p.offset, b + p.offset, static_cast<std::size_t>(p.size) * sizeof(float)) != 0) return false;
      return true;
    };
    const auto &mine = trainer.state(), &its = other.trainer.state();
    return same(student.data(), other.student.data()) && same(mine.m.data(), its.m.data()) &&
           same(mine.v.data(), its.v.data()) && mine.step == its.step;
  }

 private:
  static Model& start(Model& model) {
    mv::initialise(model, 5);
    return model;
  }
};

/// Plain training in float32.
inline constexpr auto plain = [](Model& student, int threads) {
  return mv::Trainer<Model>(student, {.optimiser = {.clip_norm = 1},
                                      .schedule = {.peak = 2e-3, .warmup_steps = 3, .total_steps = steps},
                                      .drop_path = 0.3,
                                      .seed = 5,
                                      .threads = threads,
                                      .micro_batch = 5});
};
using Plain = std::remove_const_t<decltype(plain)>;

}  // namespace small_run
