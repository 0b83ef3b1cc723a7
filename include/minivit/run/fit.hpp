// SPDX-License-Identifier: MIT
// fit: epochs over a data set with a Trainer: batches, evaluation, progress bar, log, checkpoints, resume. The pieces can be
// used one by one (train/trainer.hpp, data/loader.hpp); this is the loop that most runs need.
#pragma once

#include <minivit/run/csv_log.hpp>
#include <minivit/run/epoch_means.hpp>
#include <minivit/run/evaluate.hpp>
#include <minivit/run/training_checkpoint.hpp>
#include <minivit/train/log.hpp>
#include <minivit/train/signals.hpp>
#include <minivit/train/trainer.hpp>

#include <filesystem>
#include <functional>

namespace minivit::inline MINIVIT_ISA {

/// What a run does beside the steps of its Trainer.
struct FitOptions {
  Index epochs = 1;                     ///< of the whole run, also when it is resumed
  LoaderOptions loader{};               ///< batch, augmentation, shuffling
  std::string log{};                    ///< JSON lines; empty: none
  std::string csv{};                    ///< the same as a table, written anew after each epoch; needs `log`; empty: none
  std::string checkpoint{};             ///< training state, written after each epoch and when stopped; empty: none
  bool resume = false;                  ///< go on from `checkpoint` when it exists
  std::string settings{};               ///< must be equal when a run is resumed
  CheckpointInfo info{};                ///< stored with the checkpoint
  const Dataset* validation = nullptr;  ///< evaluated after each epoch of `evaluate_every`, and after the last
  Index evaluate_every = 1;             ///< epochs between evaluations
  /// Called after each step, before any checkpoint; the trainer still holds the step's gradients.
  std::function<void(const StepReport&)> after_step{};
  Progress::Options show = Progress::on_stderr();  ///< the bar; Progress::silent() shows nothing
};

/// One epoch of a run, as it stands in the log.
struct EpochReport {
  Index epoch = 0;                                            ///< from 0
  double train_loss = 0;                                      ///< mean over the images of the epoch
  double train_base = 0;                                      ///< part of the loss against the labels
  double train_kd = 0;                                        ///< part of the loss against the teacher's predictions
  std::vector<std::pair<std::string, double>> train_terms{};  ///< feature terms of the loss, unweighted, by name
  double train_accuracy = 0;                                  ///< on augmented images, while the weights change
  double lr = 0;                                              ///< of the last step
  double images_per_second = 0;  ///< of the part of the epoch that this call trained; all else equals the unbroken run's
  std::optional<Evaluation> validation{};  ///< if this epoch was evaluated
  std::optional<Evaluation> average{};     ///< of the moving average of the weights
};

/// What fit did.
struct FitReport {
  std::vector<EpochReport> epochs;  ///< of this call; a resumed run begins where the other stopped
  double seconds = 0;               ///< wall clock of this call
  bool stopped = false;             ///< by a signal (train/signals.hpp), after a checkpoint was written
  int exit_code = 0;                ///< 0, or 130 when stopped
};

namespace detail {
inline JsonLine epoch_line(const EpochReport& e) {
  JsonLine line;
  line.add("epoch", e.epoch).add("loss", e.train_loss).add("base", e.train_base).add("kd", e.train_kd);
  for (const auto& [name, value] : e.train_terms) line.add(name, value);
  line.add("train_accuracy", e.train_accuracy).add("lr", e.lr).add("images_per_s", e.images_per_second);
  if (e.validation) line.add("accuracy", e.validation->accuracy).add("validation_loss", e.validation->loss);
  if (e.average) line.add("average_accuracy", e.average->accuracy).add("average_loss", e.average->loss);
  return line;
}
inline std::string epoch_text(const EpochReport& e, Index epochs) {
  char text[200];
  int n = std::snprintf(text, sizeof text, "epoch %3td/%td  loss %.4f  train %5.2f %%", e.epoch + 1, epochs, e.train_loss,
                        100 * e.train_accuracy);
  if (e.validation)
    n += std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), "  test %5.2f %%", 100 * e.validation->accuracy);
  if (e.average)
    n += std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), "  average %5.2f %%", 100 * e.average->accuracy);
  std::snprintf(text + n, sizeof text - static_cast<std::size_t>(n), "  lr %.2e  %.0f images/s", e.lr, e.images_per_second);
  return text;
}
/// Columns of the log must differ. Throws Error that names the term.
inline void check_term_names(const std::vector<std::string>& terms) {
  std::vector<std::string> taken{"step",
                                 "epoch",
                                 "loss",
                                 "base",
                                 "kd",
                                 "correct",
                                 "train_accuracy",
                                 "lr",
                                 "images_per_s",
                                 "accuracy",
                                 "validation_loss",
                                 "average_accuracy",
                                 "average_loss"};
  for (const std::string& term : terms) {
    if (std::ranges::find(taken, term) != taken.end())
      fail({.where = "fit",
            .what = "two columns of the log would be called '" + term + "'",
            .hint = "give the loss term another name"});
    taken.push_back(term);
  }
}
}  // namespace detail

/// Trains until `options.epochs` are done or a signal comes. Throws Error; after an error the last checkpoint is intact.
template <class Student, class Teacher, class Loss, class W>
FitReport fit(Trainer<Student, Teacher, Loss, W>& trainer, const Dataset& data, FitOptions options) {
  constexpr auto C = Student::config;
  const StopRequest stop;
  Loader<C.image, C.classes> loader(data, options.loader);
  const Index per_epoch = loader.batches();
  const std::vector<std::string> terms = detail::term_names(trainer.options().loss);
  detail::check_term_names(terms);
  EpochMeans means;  // of the epoch at work; a stopped one takes them along in its checkpoint
  if (options.resume && std::filesystem::exists(options.checkpoint))
    means = EpochMeans::read(load_training(options.checkpoint, trainer, options.settings), "read " + options.checkpoint);
  const Index first_step = trainer.state().step, last_step = options.epochs * per_epoch;
  TrainingLog log;
  if (!options.log.empty())
    log = first_step > 0 ? TrainingLog::resume(options.log, first_step) : TrainingLog::create(options.log);
  const auto save_state = [&] {
    if (options.checkpoint.empty()) return;
    log.sync();
    const bool unfinished = trainer.state().step % per_epoch != 0;
    save_training(options.checkpoint, trainer, options.settings, options.info, unfinished ? means.text() : "");
  };

  FitReport report;
  const auto start = std::chrono::steady_clock::now();
  const Index batch = options.loader.batch;
  Progress progress(last_step * batch, options.show, first_step * batch);
  loader.start(first_step / per_epoch, first_step % per_epoch);
  while (trainer.state().step < last_step && !report.stopped) {
    const auto epoch_start = std::chrono::steady_clock::now();
    EpochReport epoch{.epoch = trainer.state().step / per_epoch};
    if (trainer.state().step % per_epoch == 0) means = {};
    const double images_before = means.weight("loss");
    do {
      const auto& next = loader.next();
      const StepReport step = trainer.step(next.images, next.targets);
      const auto weight = static_cast<double>(step.images);
      means.add("loss", step.loss.total, weight);
      means.add("base", step.loss.base, weight);
      means.add("kd", step.loss.kd, weight);
      for (std::size_t i = 0; i < terms.size(); ++i) means.add(terms[i], step.loss.terms[i], weight);
      means.add("correct", static_cast<double>(step.correct) / weight, weight);
      epoch.lr = step.lr;
      if (options.after_step) options.after_step(step);
      progress.update(trainer.state().step * batch,
                      "epoch " + std::to_string(epoch.epoch + 1) + "/" + std::to_string(options.epochs), means.mean("loss"));
      report.stopped = stop.requested();
    } while (trainer.state().step % per_epoch != 0 && !report.stopped);
    if (report.stopped && trainer.state().step % per_epoch != 0) break;  // the epoch is unfinished: no line in the log

    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - epoch_start;
    epoch.train_loss = means.mean("loss");
    epoch.train_base = means.mean("base");
    epoch.train_kd = means.mean("kd");
    for (const std::string& term : terms) epoch.train_terms.emplace_back(term, means.mean(term));
    epoch.train_accuracy = means.mean("correct");
    epoch.images_per_second = (means.weight("loss") - images_before) / seconds.count();
    const bool last = trainer.state().step == last_step;
    if (options.validation && (last || (epoch.epoch + 1) % options.evaluate_every == 0)) {
      const auto test = [&](const Student& model) {
        return evaluate(model, *options.validation, options.loader.augment.preprocessing, trainer.options().threads);
      };
      epoch.validation = test(trainer.student());
      if (trainer.average()) epoch.average = test(*trainer.average());
    }
    log.write(trainer.state().step, detail::epoch_line(epoch));
    if (!options.csv.empty()) write_csv(options.log, options.csv);
    progress.print(detail::epoch_text(epoch, options.epochs));
    report.epochs.push_back(std::move(epoch));
    if (!report.stopped) save_state();
  }
  if (report.stopped) {
    save_state();
    report.exit_code = stop.exit_code();
  }
  progress.finish();
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace minivit::inline MINIVIT_ISA
