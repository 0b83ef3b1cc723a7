// SPDX-License-Identifier: MIT
// minivit eval: accuracy of a weights file on a data set.
#include "commands.hpp"
#include "engine.hpp"
#include "registry.hpp"

#include <minivit/data/open.hpp>
#include <minivit/io/checkpoint_info.hpp>
#include <minivit/train/losses.hpp>
#include <minivit/train/metrics.hpp>
#include <minivit/train/progress.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>

namespace cli {

namespace {

struct EvalOptions {
  std::string weights, data = "synthetic", split = "test";
  mv::Index count = 0, batch = 64, calibrate = 0;
  bool json = false;
  EngineOptions engine{};
};

void evaluate(EvalOptions o) {
  const auto file = mv::SafeTensors::open(o.weights);
  const mv::ViTConfig config = config_of(file);
  const mv::CheckpointInfo info = mv::read_info(file);
  o.engine.max_batch = o.batch;
  const auto engine = make_engine(config, &file, o.engine);
  const auto data = mv::open_dataset(o.data, o.split == "train" ? mv::Split::train : mv::Split::test, config.image, {.count = o.count});
  if (data.classes != config.classes)
    mv::fail({.where = "eval", .what = "the data has another number of classes than the model",
              .expected = std::to_string(config.classes), .found = std::to_string(data.classes)});

  std::array<std::array<float, 256>, 3> table{};
  for (int c = 0; c < 3; ++c) table[static_cast<std::size_t>(c)] = info.preprocessing.table(c);
  const mv::Index size = data.image_size(), plane = size / 3;
  const auto normalise = [&](const std::uint8_t* pixels, float* to) {
    for (mv::Index k = 0; k < size; ++k) to[k] = table[static_cast<std::size_t>(k / plane)][pixels[k]];
  };
  if (o.calibrate > 0) {
    const auto train = mv::open_dataset(o.data, mv::Split::train, config.image, {});
    const mv::Index count = std::min(o.calibrate, train.size());
    std::vector<float> some(static_cast<std::size_t>(count * size));
    for (mv::Index i = 0; i < count; ++i) normalise(train.image(i * train.size() / count), some.data() + i * size);  // of every class
    engine->calibrate(some.data(), count);
  }
  std::vector<float> input(static_cast<std::size_t>(o.batch * size));
  mv::Accuracy accuracy(std::min<mv::Index>(5, config.classes));
  mv::ConfusionMatrix confusion(config.classes);
  mv::RunningMean loss;
  mv::Progress progress(data.size());
  const auto start = std::chrono::steady_clock::now();
  for (mv::Index first = 0; first < data.size(); first += o.batch) {
    const mv::Index count = std::min(o.batch, data.size() - first);
    for (mv::Index i = 0; i < count; ++i) normalise(data.image(first + i), input.data() + i * size);
    const float* const logits = engine->logits(input.data(), count);
    for (mv::Index i = 0; i < count; ++i) {
      const float* const row = logits + i * config.classes;
      const mv::Index label = data.label(first + i);
      accuracy.add(row, mv::Index{config.classes}, label);
      confusion.add(label, mv::argmax(row, mv::Index{config.classes}));
      loss.add(-mv::detail::LogSoftmax<float>(row, config.classes)[label]);
    }
    progress.update(first + count, "evaluate", loss.mean());
  }
  progress.finish();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  if (o.json) {
    nlohmann::json per_class;
    for (mv::Index c = 0; c < config.classes; ++c) per_class[data.class_names[static_cast<std::size_t>(c)]] = confusion.recall(c);
    fmt::print("{}\n", nlohmann::json{{"images", accuracy.images()}, {"accuracy", accuracy.top1()}, {"top5", accuracy.topk()},
                                      {"loss", loss.mean()}, {"non_finite", accuracy.non_finite()}, {"per_class", per_class},
                                      {"precision", o.engine.precision}, {"seconds", seconds.count()}}.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{} images, accuracy {:.2f} %, top-5 {:.2f} %, loss {:.4f}\n", accuracy.images(), 100 * accuracy.top1(), 100 * accuracy.topk(), loss.mean());
  for (mv::Index c = 0; c < config.classes; ++c) {
    const double recall = confusion.recall(c);
    fmt::print("  {:<16}{:>7.2f} %  {}\n", data.class_names[static_cast<std::size_t>(c)], 100 * recall, std::string(static_cast<std::size_t>(recall * 40 + 0.5), '#'));
  }
}

}  // namespace

void add_eval(CLI::App& app) {
  auto* const sub = app.add_subcommand("eval", "Accuracy and loss of a weights file on a data set.");
  const auto o = std::make_shared<EvalOptions>();
  sub->add_option("--weights", o->weights, "File written by 'minivit train' or 'minivit distill'")->required();
  sub->add_option("--data", o->data, "'synthetic', a folder with train/<class>/ and test/<class>/, or CIFAR-10's binary files")->capture_default_str();
  sub->add_option("--split", o->split, "train or test")->check(CLI::IsMember({"train", "test"}))->capture_default_str();
  sub->add_option("--count", o->count, "At most this many images; 0: all")->check(CLI::Range(0, 1 << 30));
  sub->add_option("--batch", o->batch, "Images per call")->check(CLI::Range(1, 4096))->capture_default_str();
  sub->add_option("--threads", o->engine.threads, "Threads; 0: all that the process may use")->check(CLI::Range(0, 4096));
  sub->add_option("--precision", o->engine.precision, "Arithmetic of the products")->check(CLI::IsMember({"f32", "bf16", "int8"}))->capture_default_str();
  sub->add_option("--calibrate", o->calibrate, "int8: fixed scales from this many training images; 0: each token finds its own")->check(CLI::Range(0, 65536));
  sub->add_flag("--json", o->json, "Print JSON");
  sub->footer("Example:\n  minivit eval --weights student.safetensors --data cifar10 --json\n  minivit eval --weights student.safetensors --data cifar10 --precision int8 --calibrate 64");
  sub->callback([o] { evaluate(*o); });
}

}  // namespace cli
