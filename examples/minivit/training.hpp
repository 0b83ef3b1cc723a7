// SPDX-License-Identifier: MIT
// What `minivit train` and `minivit distill` have in common: data, log, checkpoint, curve.
#pragma once

#include "commands.hpp"
#include "data_option.hpp"
#include "families.hpp"
#include "training_options.hpp"

#include <minivit/io/checkpoint_info.hpp>
#include <minivit/io/open_weights.hpp>
#include <minivit/models/init.hpp>
#include <minivit/run/fit.hpp>
#include <minivit/train/plot.hpp>

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <memory>
#include <utility>

namespace cli {

/// Where the moving average goes: student.safetensors -> student.average.safetensors.
inline std::string average_path(const std::string& output) {
  std::filesystem::path path(output);
  return path.replace_extension(".average" + path.extension().string()).string();
}

/// Prints to stderr; a run does not end because nobody listens.
template <class... Args>
void note(fmt::format_string<Args...> format, Args&&... args) {
  std::fputs(fmt::format(format, std::forward<Args>(args)...).c_str(), stderr);
}

/// Runs one training: `make_trainer(student, trainer_options)` gives the Trainer. Writes the weights, the curve and the log.
template <class Student, class Loss, class MakeTrainer>
void run_training(const TrainingOptions& o, const Loss& loss, MakeTrainer&& make_trainer) {
  if (const auto parent = std::filesystem::absolute(o.output).parent_path(); !std::filesystem::is_directory(parent))
    mv::fail({.where = "--output " + o.output, .what = "the folder does not exist", .hint = "create " + parent.string()});
  // A teacher's answers mean its classes, whatever is found first in a folder.
  const auto classes = o.teacher.empty() ? std::vector<std::string>{}
                                         : mv::read_info(mv::open_weights(o.teacher)).class_names;
  const auto train = open_data(o.data, mv::Split::train, Student::config.image, o.on_broken,
                               {.count = o.count, .seed = o.seed, .threads = o.threads, .class_names = classes});
  const auto test = open_data(o.data, mv::Split::test, Student::config.image, o.on_broken,
                              {.threads = o.threads, .class_names = train.class_names});
  if (train.classes != Student::config.classes)
    mv::fail({.where = "--data " + o.data,
              .what = "this program's presets know another number of classes",
              .expected = std::to_string(Student::config.classes),
              .found = std::to_string(train.classes),
              .hint = "set c.classes in a program of your own: docs/tutorials/from_zero.md"});
  mv::FitOptions fit{.epochs = o.epochs};
  fit.loader = {.batch = o.batch, .seed = o.seed, .shuffle = true, .drop_last = true, .repeats = o.repeats};
  fit.loader.augment = {.padding = o.padding,
                        .flip = o.flip,
                        .erasing = {.probability = o.erasing},
                        .mixup = o.mixup,
                        .cutmix = o.cutmix,
                        .mix_probability = o.mix_probability,
                        .switch_probability = o.switch_probability,
                        .smoothing = o.smoothing,
                        .preprocessing = mv::presets::small_images};
  if (o.resized_crop) fit.loader.augment.resized_crop = mv::ResizedCrop{};
  if (!o.rand_augment.empty()) fit.loader.augment.rand_augment = mv::parse_rand_augment(o.rand_augment);
  fit.log = o.log;
  fit.csv = o.csv;
  fit.checkpoint = o.output + ".training";
  fit.resume = o.resume;
  if (!o.resume && std::filesystem::exists(fit.checkpoint) && !std::filesystem::exists(o.output))
    mv::fail({.where = "--output " + o.output,
              .what = "an unfinished run is there",
              .found = fit.checkpoint,
              .hint = "go on with --resume, or remove that file"});
  mv::AtomicFile(fit.checkpoint);  // writes nothing: refused now rather than after the first epoch
  fit.settings = settings_line(o);
  fit.info = {.preprocessing = mv::presets::small_images, .class_names = train.class_names, .model = o.model};
  fit.validation = &test;

  const mv::Index per_epoch = train.size() / o.batch, steps = std::max<mv::Index>(1, o.epochs * per_epoch);
  mv::RateScales scales;
  if (o.layer_decay != 1) scales = mv::layer_decay<Student>(o.layer_decay);
  if (!o.freeze.empty()) scales = mv::frozen<Student>(o.freeze, std::move(scales));
  const mv::TrainerOptions<Loss> options{
      .loss = loss,
      .optimiser = {.weight_decay = o.weight_decay, .clip_norm = o.clip},
      .schedule = {.peak = o.lr,
                   .warmup_start = 1e-6,
                   .minimum = 1e-5,
                   .warmup_steps = std::min(steps, static_cast<mv::Index>(o.warmup_epochs * static_cast<double>(per_epoch))),
                   .total_steps = steps},
      .rate_scales = scales,
      .average = {.decay = o.average},
      .drop_path = o.drop_path,
      .seed = o.seed,
      .threads = o.threads,
      .memory = o.recompute ? mv::Memory::recompute : mv::Memory::keep};
  Student student;
  if (o.init.empty()) mv::initialise(student, o.seed);
  else student = mv::load<Student>(o.init);
  auto trainer = make_trainer(student, options);
  note("{}: {} parameters, {} images, {} steps, {} threads, {}, {:.0f} MiB, {:.2f} MiB per image at a time\n", o.model,
       Student::parameters, train.size(), steps, mv::Threads(o.threads).count(), o.precision,
       static_cast<double>(trainer.bytes()) / 1048576, static_cast<double>(trainer.bytes_per_image()) / 1048576);
  const mv::FitReport report = mv::fit(trainer, train, fit);
  exit_code = report.exit_code;
  std::signal(SIGPIPE, SIG_IGN);  // fit has stopped when the pipe broke; the exit code is still to be told
  if (report.stopped) {
    note("stopped; go on with the same command and --resume\n");
    return;
  }
  mv::save(student, o.output, fit.info);
  if (trainer.average()) mv::save(*trainer.average(), average_path(o.output), fit.info);
  if (!o.plot.empty() && !report.epochs.empty()) {  // a complete run has its curve
    std::array<mv::Chart, 2> charts{
        mv::Chart{.title = "Loss", .x_title = "epoch", .y_title = "", .series = {{"training", {}, {}}, {"test", {}, {}}}},
        mv::Chart{.title = "Accuracy on the test split", .x_title = "epoch", .y_title = "%", .series = {{o.model, {}, {}}}}};
    for (const auto& e : report.epochs) {
      const auto epoch = static_cast<double>(e.epoch + 1);
      for (auto* const x : {&charts[0].series[0].x, &charts[0].series[1].x, &charts[1].series[0].x}) x->push_back(epoch);
      charts[0].series[0].y.push_back(e.train_base);
      charts[0].series[1].y.push_back(e.validation->loss);
      charts[1].series[0].y.push_back(100 * e.validation->accuracy);
    }
    mv::write_svg(o.plot, charts);
  }
  if (report.epochs.empty()) fmt::print("{}: the run was already complete\n", o.output);
  else
    fmt::print("{}: test accuracy {:.2f} %, {:.0f} s\n", o.output, 100 * report.epochs.back().validation->accuracy,
               report.seconds);
}

}  // namespace cli
