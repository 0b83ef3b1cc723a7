// SPDX-License-Identifier: MIT
// fit: a resumed run equals the unbroken one bit for bit, and what does not belong together is refused.
#include <minivit/data/synthetic.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/run/fit.hpp>

#include <cmath>
#include <fstream>
#include <sstream>
#include <vector>

#include "../catch.hpp"
#include "../scratch_folder.hpp"

namespace fit_test {

namespace mv = minivit;
using scratch::Folder;

namespace {

constexpr mv::ViTConfig small = [] {
  auto c = mv::presets::mini_vit_nano_patch4_32;
  c.patch = 8;
  c.dim = 24;
  c.depth = 2;
  return c;
}();
using Model = mv::ViT<small>;

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

/// Lines without their speed, which is not the same twice.
std::string without_speed(std::string log) {
  for (std::size_t at = 0; (at = log.find("\"images_per_s\": ", at)) != std::string::npos;) {
    const std::size_t from = at + 16;
    log.erase(from, log.find_first_of(",}", from) - from);
    at = from;
  }
  return log;
}

/// Trains from the seed, or from `checkpoint` on, until `epochs` are done; the schedule is that of three epochs.
struct Run {
  Model model;
  mv::FitReport report;
  Run(const mv::Dataset& data, mv::Index epochs, const std::string& checkpoint, const std::string& log, bool resume,
      int threads) {
    mv::initialise(model, 5);
    mv::Trainer<Model> trainer(
        model,
        {.schedule = {.peak = 1e-3, .warmup_steps = 2, .total_steps = 9}, .drop_path = 0.2, .seed = 5, .threads = threads});
    report = mv::fit(trainer, data,
                     {.epochs = epochs,
                      .loader = {.batch = 20,
                                 .seed = 5,
                                 .shuffle = true,
                                 .drop_last = true,
                                 .augment = {.padding = 4, .flip = true, .mixup = 0.8, .cutmix = 1, .smoothing = 0.1}},
                      .log = log,
                      .checkpoint = checkpoint,
                      .resume = resume,
                      .settings = "test",
                      .validation = &data,
                      .show = mv::Progress::silent()});
  }
  bool equals(const Run& other) const { return std::equal(model.data(), model.data() + model.size(), other.model.data()); }
};

}  // namespace

TEST_CASE("fit: a run that was resumed equals the unbroken one, weights, optimiser and log", "[run]") {
  const Folder folder;
  const auto data = mv::synthetic_dataset(64, mv::Split::train);
  const Run whole(data, 3, folder / "whole.ckpt", folder / "whole.jsonl", false, 1);
  const Run first(data, 1, folder / "part.ckpt", folder / "part.jsonl", true, 2);
  CHECK_FALSE(first.equals(whole));
  const Run rest(data, 3, folder / "part.ckpt", folder / "part.jsonl", true, 2);
  CHECK(rest.report.epochs.size() == 2);
  CHECK(rest.equals(whole));
  CHECK(text_of(folder / "part.ckpt") == text_of(folder / "whole.ckpt"));
  CHECK(without_speed(text_of(folder / "part.jsonl")) == without_speed(text_of(folder / "whole.jsonl")));
}

TEST_CASE("fit: after_step sees every step with its loss and its gradients", "[run]") {
  const auto data = mv::synthetic_dataset(64, mv::Split::train);
  Model model;
  mv::initialise(model, 5);
  mv::Trainer<Model> trainer(model, {.threads = 1});
  std::vector<double> losses;
  mv::FitOptions options{.epochs = 2, .loader = {.batch = 20, .drop_last = true}};
  options.after_step = [&](const mv::StepReport& step) {
    CHECK(step.images == 20);
    double sum = 0;
    for (mv::Index i = 0; i < trainer.gradients().size(); ++i) sum += std::pow(trainer.gradients().data()[i], 2);
    CHECK(std::sqrt(sum) == Approx(step.gradient_norm).epsilon(1e-5));
    losses.push_back(step.loss.total);
    CHECK(trainer.state().step == static_cast<mv::Index>(losses.size()));
  };
  options.show = mv::Progress::silent();
  const auto report = mv::fit(trainer, data, options);
  REQUIRE(losses.size() == 6);
  for (std::size_t e = 0; e < 2; ++e)
    CHECK(report.epochs.at(e).train_loss == Approx((losses[3 * e] + losses[3 * e + 1] + losses[3 * e + 2]) / 3));
}

TEST_CASE("fit: a finished run has nothing left to do", "[run]") {
  const Folder folder;
  const auto data = mv::synthetic_dataset(64, mv::Split::train);
  const Run whole(data, 1, folder / "a.ckpt", "", false, 1);
  const Run again(data, 1, folder / "a.ckpt", "", true, 1);
  CHECK(again.report.epochs.empty());
  CHECK(again.equals(whole));
}

TEST_CASE("fit: a checkpoint with other settings is refused and left alone", "[run]") {
  const Folder folder;
  const auto data = mv::synthetic_dataset(64, mv::Split::train);
  const Run whole(data, 1, folder / "a.ckpt", "", false, 1);
  const std::string before = text_of(folder / "a.ckpt");
  Model model;
  mv::Trainer<Model> trainer(model, {.threads = 1});
  mv::FitOptions options{
      .epochs = 1, .loader = {.batch = 20}, .checkpoint = folder / "a.ckpt", .resume = true, .settings = "other"};
  options.show = mv::Progress::silent();
  CHECK_THROWS_WITH(mv::fit(trainer, data, options), Catch::Contains("other settings: expected other, found test"));
  CHECK(text_of(folder / "a.ckpt") == before);
}

TEST_CASE("trainer: a loss that is not finite stops the run and changes nothing", "[train]") {
  Model model;
  mv::initialise(model, 1);
  model.data()[0] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> before(model.data() + 1, model.data() + model.size());
  mv::Trainer<Model> trainer(model, {.threads = 1});
  mv::Tensor<float, mv::Dyn, 3, 32, 32> images(2);
  mv::Tensor<float, mv::Dyn, 10> targets(2);
  targets.data()[0] = targets.data()[11] = 1;
  CHECK_THROWS_WITH(trainer.step(images, targets), Catch::Contains("training step 0: the loss is not finite"));
  CHECK(std::equal(before.begin(), before.end(), model.data() + 1));
  CHECK(trainer.state().step == 0);
}

TEST_CASE("evaluate: accuracy, loss and confusion agree with a count by hand", "[run]") {
  const auto data = mv::synthetic_dataset(70, mv::Split::test);
  Model model;
  mv::initialise(model, 3);
  const auto result = mv::evaluate(model, data, mv::Preprocessing{}, 1);
  CHECK(result.images == 70);
  mv::Index right = 0, all = 0;
  for (mv::Index i = 0; i < 10; ++i)
    for (mv::Index j = 0; j < 10; ++j) {
      all += result.confusion.count(i, j);
      right += i == j ? result.confusion.count(i, j) : 0;
    }
  CHECK(all == 70);
  CHECK(result.accuracy == Approx(static_cast<double>(right) / 70));
  CHECK(result.loss == Approx(std::log(10.0)).epsilon(0.2));  // an untrained model knows nothing: ln 10
}

namespace {

constexpr mv::ViTConfig teacher_config = [] {
  auto c = small;
  c.dim = 36;
  c.sharing = {};
  return c;
}();
using Teacher = mv::ViT<teacher_config>;
constexpr mv::LayerPairs last{{1, 1}};

/// Every part of a training state at once: moving average, fitting layer, feature terms.
template <class Loss>
mv::FitReport distil(const Loss& loss, mv::Index epochs, const std::string& checkpoint, const std::string& log,
                     int threads) {
  const auto data = mv::synthetic_dataset(40, mv::Split::train);
  Teacher teacher;
  mv::initialise(teacher, 3);
  Model student;
  mv::initialise(student, 5);
  mv::Trainer<Model, Teacher, Loss> trainer(student, teacher,
                                            {.loss = loss,
                                             .schedule = {.peak = 1e-3, .warmup_steps = 2, .total_steps = 6},
                                             .average = {.decay = 0.9},
                                             .seed = 5,
                                             .threads = threads});
  return mv::fit(trainer, data,
                 {.epochs = epochs,
                  .loader = {.batch = 20, .seed = 5, .shuffle = true, .drop_last = true},
                  .log = log,
                  .csv = log + ".csv",
                  .checkpoint = checkpoint,
                  .resume = true,
                  .settings = "test",
                  .validation = &data,
                  .show = mv::Progress::silent()});
}

}  // namespace

TEST_CASE("fit: moving average, fitting layer and feature terms go on as if never stopped; the log names every term",
          "[run]") {
  const Folder folder;
  const mv::WeightDistillation loss{mv::SwinDistillation{}, mv::AttentionRelations<last>{}, mv::HiddenStates<last>{}};
  distil(loss, 3, folder / "whole.ckpt", folder / "whole.jsonl", 1);
  distil(loss, 1, folder / "part.ckpt", folder / "part.jsonl", 2);
  const auto report = distil(loss, 3, folder / "part.ckpt", folder / "part.jsonl", 1);
  CHECK(text_of(folder / "whole.ckpt") == text_of(folder / "part.ckpt"));
  CHECK(text_of(folder / "whole.ckpt").find("average.head.weight") != std::string::npos);
  CHECK(text_of(folder / "whole.ckpt").find("fitting.optimiser.m.fit_dense_C.0.weight") != std::string::npos);
  CHECK(without_speed(text_of(folder / "whole.jsonl")) == without_speed(text_of(folder / "part.jsonl")));
  REQUIRE(report.epochs.back().train_terms.size() == 2);
  CHECK(report.epochs.back().train_terms[1].first == "hidden_mse");
  CHECK(report.epochs.back().average);
  const std::string csv = text_of(folder / "part.jsonl.csv");
  CHECK(csv.starts_with("step,epoch,loss,base,kd,attention,hidden_mse,train_accuracy"));
  CHECK(std::count(csv.begin(), csv.end(), '\n') == 4);  // a header and three epochs, whichever call trained them
}

TEST_CASE("fit: terms whose columns would have one name are refused", "[run]") {
  const Folder folder;
  const mv::WeightDistillation twice{mv::SwinDistillation{}, mv::AttentionRelations<last>{}, mv::AttentionRelations<last>{}};
  CHECK_THROWS_WITH(distil(twice, 1, "", folder / "log", 1), Catch::Contains("'attention'"));
  const mv::WeightDistillation reserved{mv::SwinDistillation{}, mv::HiddenRelations<last>{.name = "kd"}};
  CHECK_THROWS_WITH(distil(reserved, 1, "", folder / "log", 1), Catch::Contains("'kd'"));
}

}  // namespace fit_test
