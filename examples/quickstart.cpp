// SPDX-License-Identifier: MIT
// The main job from end to end, without a download: train a teacher, share its weights between layers, distil it into a student
// of at most half its size, compare the two, save both, classify image files. Takes a few minutes on two cores.
#include <minivit/minivit.hpp>

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <vector>

namespace mv = minivit;

// A teacher for 32x32 images: six layers, each with weights of its own.
constexpr mv::ViTConfig teacher_config = [] {
  auto c = mv::presets::vit_nano_patch4_32;
  c.dim = 64;
  c.heads = 4;
  return c;
}();

// Its multiplexed student: three consecutive layers on one set of weights, kept different by head mixing and their own norms.
constexpr mv::ViTConfig student_config = [] {
  auto c = teacher_config;
  c.sharing = {.repeat = 3, .mix_heads = true};
  return c;
}();

using Teacher = mv::ViT<teacher_config>;
using Student = mv::ViT<student_config>;
static_assert(2 * Student::parameters <= Teacher::parameters);

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

mv::Series accuracy_curve(const std::string& name, const mv::FitReport& report) {
  mv::Series series{.name = name, .x = {}, .y = {}};
  for (const auto& epoch : report.epochs) {
    series.x.push_back(static_cast<double>(epoch.epoch + 1));
    series.y.push_back(100 * epoch.validation->accuracy);
  }
  return series;
}

int run(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  const mv::Dataset train = mv::open_dataset("synthetic", mv::Split::train, 32, {.count = train_images});
  const mv::Dataset test = mv::open_dataset("synthetic", mv::Split::test, 32);

  mv::FitOptions fit{.epochs = epochs, .loader = {.batch = batch, .seed = 1, .shuffle = true, .drop_last = true}};
  fit.validation = &test;
  fit.info.class_names = train.class_names;
  fit.info.preprocessing = fit.loader.augment.preprocessing;
  fit.info.preprocessing.crop_pct = 1;

  fmt::print("1. Train the teacher: {} parameters, {} images, {} epochs\n", Teacher::parameters, train.size(), epochs);
  Teacher teacher;
  mv::initialise(teacher, 1);
  mv::Trainer<Teacher> teacher_trainer(teacher, {.schedule = schedule});
  fit.log = (folder / "teacher.jsonl").string();
  const mv::FitReport teacher_report = mv::fit(teacher_trainer, train, fit);
  if (teacher_report.stopped) return teacher_report.exit_code;
  mv::save(teacher, (folder / "teacher.safetensors").string(), fit.info);

  fmt::print("2. Distil it into the student: {} parameters, every 3 layers share their matrices\n", Student::parameters);
  Student student;
  mv::initialise(student, 2);
  const mv::DeiTDistillation loss{.kind = mv::Distill::soft, .alpha = 0.7, .tau = 2, .normalise = mv::Normalise::by_batch};
  mv::Trainer<Student, Teacher> student_trainer(student, teacher, {.loss = loss, .schedule = schedule});
  fit.log = (folder / "student.jsonl").string();
  const mv::FitReport student_report = mv::fit(student_trainer, train, fit);
  if (student_report.stopped) return student_report.exit_code;
  const std::string student_file = (folder / "student.safetensors").string();
  mv::save(student, student_file, fit.info);

  fmt::print("\n{:<10}{:>12}{:>12}{:>16}\n", "model", "parameters", "accuracy", "ms per image");
  const auto row = [](const char* name, mv::Index parameters, const mv::FitReport& report, double ms) {
    fmt::print("{:<10}{:>12}{:>10.1f} %{:>16.3f}\n", name, parameters, 100 * report.epochs.back().validation->accuracy, ms);
  };
  row("teacher", Teacher::parameters, teacher_report, milliseconds_per_image(teacher));
  row("student", Student::parameters, student_report, milliseconds_per_image(student));

  fmt::print("\n3. Classify image files with the saved student\n");
  const auto loaded = mv::load<Student>(student_file);
  mv::Inference<Student> infer(loaded);
  mv::Tensor<float, mv::Dyn, 3, 32, 32> image(1);
  for (mv::Index i = 0; i < 5; ++i) {
    const auto path = folder / fmt::format("{}.png", test.class_name(i));
    mv::write_png(path, test.picture(i));
    mv::prepare_image<float, 32>(mv::read_image(path), fit.info.preprocessing, image.view()[0]);
    const auto logits = infer(image);
    fmt::print("   {:<40} {}\n", path.string(), fit.info.class_names[static_cast<std::size_t>(mv::argmax(logits[0]))]);
  }

  const mv::Chart chart{.title = "Accuracy on images the models never saw", .x_title = "epoch", .y_title = "%",
                        .series = {accuracy_curve("teacher", teacher_report), accuracy_curve("student", student_report)}};
  mv::write_svg(folder / "curves.svg", std::span(&chart, 1));
  fmt::print("\nIn {}: teacher.safetensors, student.safetensors, curves.svg, logs of both runs.\n", folder.string());
  return 0;
}

int main(int argc, char** argv) {
  try {
    return run(argc > 1 ? argv[1] : "minivit-quickstart");
  } catch (const std::exception& e) {
    fmt::print(stderr, "quickstart: {}\n", e.what());
    return 1;
  }
}
