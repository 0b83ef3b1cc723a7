// SPDX-License-Identifier: MIT
// The main job from end to end, without a download: train a teacher, distil it into a student of at most half its size whose
// layers share weights, for a ViT and for a Swin; compare the four, save them, classify image files. Takes a few minutes on
// two cores.
#include "exit_code.hpp"

#include <minivit/minivit.hpp>

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <vector>

namespace mv = minivit;

// A teacher for 32x32 images: six layers, each with weights of its own.
constexpr mv::ViTConfig vit_config = [] {
  auto c = mv::presets::vit_nano_patch4_32;
  c.dim = 64;
  c.heads = 4;
  return c;
}();
// One of the other family: a stage of 16 x 16 tokens, one of 8 x 8, attention in windows of 4 x 4.
constexpr mv::SwinConfig swin_config = [] {
  auto c = mv::presets::swin_lite_patch2_window4_32;
  c.dim = 32;
  c.depths = c.blocks = {2, 4};
  c.heads = {2, 4};
  c.transformations = {};  // the student's alone
  return c;
}();

// Multiplexed students: consecutive layers run on one set of weights, kept different by transformations and norms of their
// own.
using ViTTeacher = mv::ViT<vit_config>;
using ViTStudent = mv::ViT<mv::multiplexed(vit_config, {.repeat = 3, .mix_heads = true}, false)>;
using SwinTeacher = mv::Swin<swin_config>;
using SwinStudent = mv::Swin<mv::multiplexed(swin_config, {1, 1})>;
static_assert(2 * ViTStudent::parameters <= ViTTeacher::parameters);
static_assert(2 * SwinStudent::parameters <= SwinTeacher::parameters);

constexpr mv::Index train_images = 8000, epochs = 10, batch = 64;
constexpr mv::Index steps = epochs * (train_images / batch);
constexpr mv::CosineSchedule schedule{.peak = 2e-3, .minimum = 1e-5, .warmup_steps = steps / 20, .total_steps = steps};

/// Median time of one image, one thread, in milliseconds.
template <class Model>
double milliseconds_per_image(const Model& model) {
  mv::Inference<Model> infer(model, {.threads = 1});
  const mv::Tensor<float, mv::Dyn, 3, 32, 32> image(1);
  std::vector<double> times;
  for (int i = 0; i < 101; ++i) {
    const auto start = std::chrono::steady_clock::now();
    infer(image);
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + 50, times.end());
  return times[50];
}

/// Both splits of the data, where results go, and what is to be shown at the end.
struct Quickstart {
  std::filesystem::path folder;
  mv::Dataset train = mv::open_dataset("synthetic", mv::Split::train, 32, {.count = train_images});
  mv::Dataset test = mv::open_dataset("synthetic", mv::Split::test, 32);
  mv::FitOptions fit{.epochs = epochs, .loader = {.batch = batch, .seed = 1, .shuffle = true, .drop_last = true}};
  std::string table = fmt::format("{:<14}{:>12}{:>12}{:>16}\n", "model", "parameters", "accuracy", "ms per image");
  std::vector<mv::Series> curves;

  explicit Quickstart(const std::filesystem::path& to) : folder(to) {
    std::filesystem::create_directories(folder);
    fit.validation = &test;
    fit.info.class_names = train.class_names;
    fit.info.preprocessing = fit.loader.augment.preprocessing;
    fit.info.preprocessing.crop_pct = 1;
  }
  std::string weights(const std::string& name) const { return (folder / (name + ".safetensors")).string(); }

  /// Trains `model` and saves it; false when a signal stopped it.
  template <class Trainer, class Model>
  bool run(Trainer&& trainer, const Model& model, const std::string& name) {
    fit.log = (folder / (name + ".jsonl")).string();
    const mv::FitReport report = mv::fit(trainer, train, fit);
    if (report.stopped) return false;
    mv::save(model, weights(name), fit.info);
    mv::Series curve{.name = name, .x = {}, .y = {}};
    for (const auto& epoch : report.epochs) {
      curve.x.push_back(static_cast<double>(epoch.epoch + 1));
      curve.y.push_back(100 * epoch.validation->accuracy);
    }
    table += fmt::format("{:<14}{:>12}{:>10.1f} %{:>16.3f}\n", name, Model::parameters, curve.y.back(),
                         milliseconds_per_image(model));
    curves.push_back(std::move(curve));
    return true;
  }

  /// Trains a teacher, then a student that learns from it.
  template <class Teacher, class Student>
  bool run_pair(const std::string& family) {
    fmt::print("{}: train the teacher, {} parameters, {} images, {} epochs\n", family, Teacher::parameters, train.size(),
               epochs);
    Teacher teacher;
    mv::initialise(teacher, 1);
    if (!run(mv::Trainer<Teacher>(teacher, {.schedule = schedule}), teacher, family + "_teacher")) return false;
    fmt::print("{}: distil it into the student, {} parameters\n", family, Student::parameters);
    Student student;
    mv::initialise(student, 2);
    const mv::DeiTDistillation loss{.kind = mv::Distill::soft, .alpha = 0.7, .tau = 2, .normalise = mv::Normalise::by_batch};
    return run(mv::Trainer<Student, Teacher>(student, teacher, {.loss = loss, .schedule = schedule}), student,
               family + "_student");
  }

  /// Names what is in pictures with a student read from its file.
  template <class Student>
  void classify(const std::string& name) const {
    const auto loaded = mv::load<Student>(weights(name));
    mv::Inference<Student> infer(loaded);
    mv::Tensor<float, mv::Dyn, 3, 32, 32> image(1);
    for (mv::Index i = 0; i < 5; ++i) {
      const auto path = folder / fmt::format("{}.png", test.class_name(i));
      mv::write_png(path, test.picture(i));
      mv::prepare_image<float, 32>(mv::read_image(path), fit.info.preprocessing, image.view()[0]);
      const auto logits = infer(image);
      fmt::print("   {:<40} {}\n", path.string(), fit.info.class_names[static_cast<std::size_t>(mv::argmax(logits[0]))]);
    }
  }
};

int run(const std::filesystem::path& folder) {
  Quickstart quickstart(folder);
  if (!quickstart.run_pair<ViTTeacher, ViTStudent>("vit") || !quickstart.run_pair<SwinTeacher, SwinStudent>("swin"))
    return 130;
  fmt::print("\n{}\nClassify image files with the saved ViT student:\n", quickstart.table);
  quickstart.classify<ViTStudent>("vit_student");
  const mv::Chart chart{
      .title = "Accuracy on images the models never saw", .x_title = "epoch", .y_title = "%", .series = quickstart.curves};
  mv::write_svg(folder / "curves.svg", std::span(&chart, 1));
  fmt::print("\nIn {}: weights and logs of the four runs, curves.svg.\n", folder.string());
  return 0;
}

int main(int argc, char** argv) {
  return programs::exit_code_of("quickstart", [&] { return run(argc > 1 ? argv[1] : "minivit-quickstart"); });
}
