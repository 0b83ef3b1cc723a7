// SPDX-License-Identifier: MIT
// A study: rows of a table, each a training run that can be stopped and resumed, whose result is a small JSON file. A row
// that has its file is not run again.
#pragma once

#include <minivit/minivit.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <string>

namespace study {

namespace mv = minivit;
namespace fs = std::filesystem;

/// How long and with which data a group of rows is trained; equal for all that are compared.
struct Recipe {
  mv::Index epochs = 20;
  mv::Index batch = 128;
  double lr = 1e-3;
  double last_lr = 1e-5;
  double warmup_epochs = 2;
  double drop_path = 0;
  double average = 0.998;  ///< decay of the moving average, whose accuracy counts
  mv::Augmentation augment{};
};

/// Where everything lies and what may be used.
struct Context {
  fs::path output;  ///< results, logs and weights
  const mv::Dataset* train = nullptr;
  const mv::Dataset* test = nullptr;
  int threads = 0;
  mv::Index most_epochs = 0;  ///< shortens every run, to try the program; 0: as the recipe says
};

inline fs::path result_file(const Context& c, const std::string& row, std::uint64_t seed) {
  return c.output / fmt::format("{}_seed{}.json", row, seed);
}
inline fs::path weights_file(const Context& c, const std::string& row, std::uint64_t seed) {
  return c.output / "weights" / fmt::format("{}_seed{}.safetensors", row, seed);
}

inline nlohmann::json read_json(const fs::path& path) {
  std::ifstream in(path);
  return nlohmann::json::parse(in);
}

/// Calls f(line) for every line of a log.
template <class F>
void each_line(const fs::path& log, F&& f) {
  std::ifstream in(log);
  for (std::string line; std::getline(in, line);) f(nlohmann::json::parse(line));
}

/// Seconds of training in a log: what a run took, however often it was stopped.
inline double training_seconds(const fs::path& log, mv::Index images) {
  double seconds = 0;
  each_line(log, [&](const nlohmann::json& epoch) {
    seconds += static_cast<double>(images) / epoch.at("images_per_s").get<double>();
  });
  return seconds;
}

/// Runs one row, or nothing when its result is there. `make(student, options)` gives the trainer. Returns false when a
/// signal stopped it.
template <class Student, class Loss, class Make>
bool run_row(const Context& c, const std::string& row, std::uint64_t seed, const Recipe& recipe, const Loss& loss,
             Make&& make) {
  const fs::path result = result_file(c, row, seed), weights = weights_file(c, row, seed);
  if (fs::exists(result)) return true;
  const mv::Dataset train = mv::with_side(*c.train, Student::config.image),
                    test = mv::with_side(*c.test, Student::config.image);
  fs::create_directories(c.output / "logs");
  fs::create_directories(c.output / "weights");
  const mv::Index batch = std::min(recipe.batch, train.size());  // less only when the study is tried on a handful of images
  mv::FitOptions fit{.epochs = c.most_epochs > 0 ? std::min(c.most_epochs, recipe.epochs) : recipe.epochs};
  fit.loader = {.batch = batch, .seed = seed, .shuffle = true, .drop_last = true, .augment = recipe.augment};
  fit.log = (c.output / "logs" / (result.stem().string() + ".jsonl")).string();
  fit.checkpoint = weights.string() + ".training";
  fit.resume = true;
  const mv::Augmentation& a = recipe.augment;
  fit.settings = fmt::format(
      "{} seed {} epochs {} batch {} lr {} to {} warmup {} drop path {} average {} padding {} flip {} aa {} erasing {} "
      "mixup {} cutmix {} of {} "
      "smoothing {}",
      row, seed, fit.epochs, batch, recipe.lr, recipe.last_lr, recipe.warmup_epochs, recipe.drop_path, recipe.average,
      a.padding, a.flip, a.rand_augment ? mv::to_text(*a.rand_augment) : "none", a.erasing.probability, a.mixup, a.cutmix,
      a.mix_probability, a.smoothing);
  fit.info = {.preprocessing = recipe.augment.preprocessing, .class_names = train.class_names, .model = row};
  fit.validation = &test;
  fit.evaluate_every = fit.epochs < 10 ? 2 : 5;
  const mv::Index per_epoch = train.size() / batch, steps = fit.epochs * per_epoch;
  const mv::TrainerOptions<Loss> options{
      .loss = loss,
      .optimiser = {.weight_decay = 0.05, .clip_norm = 1},
      .schedule = {.peak = recipe.lr,
                   .warmup_start = 1e-6,
                   .minimum = recipe.last_lr,
                   .warmup_steps = std::min(steps,
                                            static_cast<mv::Index>(recipe.warmup_epochs * static_cast<double>(per_epoch))),
                   .total_steps = steps},
      .average = {.decay = recipe.average},
      .drop_path = recipe.drop_path,
      .seed = seed,
      .threads = c.threads};
  Student student;
  mv::initialise(student, seed);
  auto trainer = make(student, options);
  fmt::print(stderr, "{} seed {}: {} parameters, {} epochs\n", row, seed, Student::parameters, fit.epochs);
  mv::TrainingLog norms;
  const mv::GradientNorms norm_of(Student::parameter_table(), mv::NormOf::layer);
  fit.after_step = [&](const mv::StepReport&) {  // of one batch's gradient, before clipping
    const mv::Index step = trainer.state().step;
    if (step % 65 != 0 && step % per_epoch != 0) return;  // six times an epoch of 390 batches
    if (norms.path().empty())
      norms = mv::TrainingLog::resume(c.output / "logs" / (result.stem().string() + "_gradients.jsonl"), step - 1);
    mv::JsonLine line;
    const auto values = norm_of(trainer.gradients().data());
    for (std::size_t i = 0; i < values.size(); ++i) line.add(norm_of.names()[i], values[i]);
    norms.write(step, line);
  };
  const mv::FitReport report = mv::fit(trainer, train, fit);
  if (report.stopped) return false;
  mv::save(*trainer.average(), weights.string(), fit.info);
  const auto last = mv::evaluate(*trainer.average(), test, recipe.augment.preprocessing, c.threads);
  const auto raw = mv::evaluate(student, test, recipe.augment.preprocessing, c.threads);
  nlohmann::json out{{"row", row},
                     {"seed", seed},
                     {"parameters", Student::parameters},
                     {"macs", Student::macs},
                     {"epochs", fit.epochs},
                     {"accuracy", last.accuracy},
                     {"loss", last.loss},
                     {"accuracy_of_raw_weights", raw.accuracy},
                     {"training_seconds", training_seconds(fit.log, per_epoch * batch)}};
  for (mv::Index k = 0; k < Student::config.classes; ++k) out["recall"].push_back(last.confusion.recall(k));
  const std::string text = out.dump(2) + "\n";
  mv::write_file_atomically(result, text);
  fs::remove(fit.checkpoint);
  return true;
}

}  // namespace study
