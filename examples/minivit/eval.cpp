// SPDX-License-Identifier: MIT
// minivit eval: accuracy of a weights file on a data set.
#include "commands.hpp"
#include "data_option.hpp"
#include "engine.hpp"
#include "evaluation.hpp"
#include "names.hpp"

#include <minivit/io/checkpoint_info.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>

namespace cli {

namespace {

struct EvalOptions {
  std::string weights, data = "synthetic", on_broken = "stop", split = "test", confusion;
  mv::Index count = 0, batch = 64, calibrate = 0;
  bool json = false;
  EngineOptions engine{};
};

void run(EvalOptions o) {
  if (!o.confusion.empty()) require_folder_of(o.confusion, "--confusion");
  const auto file = mv::open_weights(o.weights);
  const mv::AnyConfig config = config_of(file);
  const auto [image, channels, classes] = mv::input_output(config);
  const mv::CheckpointInfo info = mv::read_info(file);
  o.engine.max_batch = o.batch;
  const auto engine = make_engine(config, &file, o.engine);
  const auto data = open_data(o.data, o.split == "train" ? mv::Split::train : mv::Split::test, image, o.on_broken,
                              {.count = o.count, .class_names = info.class_names});
  require_classes(data, classes, "eval");
  const Normaliser normalise(info.preprocessing);
  if (o.calibrate > 0) {
    const auto train = open_data(o.data, mv::Split::train, image, o.on_broken, {.class_names = info.class_names});
    const auto which = spread_over(train, o.calibrate);
    engine->calibrate(normalise(train, which).data(), static_cast<mv::Index>(which.size()));
  }
  const auto start = std::chrono::steady_clock::now();
  const Evaluation e = evaluate(*engine, data, normalise, o.batch);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;

  const auto& [accuracy, confusion, loss] = e;
  if (!o.confusion.empty()) mv::write_svg(o.confusion, confusion_map(e, data.class_names));

  if (o.json) {
    nlohmann::json per_class;
    for (mv::Index c = 0; c < classes; ++c) per_class[data.class_names[static_cast<std::size_t>(c)]] = confusion.recall(c);
    fmt::print("{}\n", nlohmann::json{{"images", accuracy.images()},
                                      {"accuracy", accuracy.top1()},
                                      {"top5", accuracy.topk()},
                                      {"loss", loss.mean()},
                                      {"non_finite", accuracy.non_finite()},
                                      {"per_class", per_class},
                                      {"precision", o.engine.precision},
                                      {"seconds", seconds.count()}}
                           .dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{} images, accuracy {:.2f} %, top-5 {:.2f} %, loss {:.4f}\n", accuracy.images(), 100 * accuracy.top1(),
             100 * accuracy.topk(), loss.mean());
  for (mv::Index c = 0; c < classes; ++c) {
    const double recall = confusion.recall(c);
    fmt::print("  {:<16}{:>7.2f} %  {}\n", shown(data.class_names[static_cast<std::size_t>(c)]), 100 * recall,
               std::string(static_cast<std::size_t>(recall * 40 + 0.5), '#'));
  }
}

}  // namespace

void add_eval(CLI::App& app) {
  auto* const sub = app.add_subcommand("eval", "Accuracy and loss of a weights file on a data set.");
  const auto o = std::make_shared<EvalOptions>();
  sub->add_option("--weights", o->weights, "File written by 'minivit train' or 'minivit distill'")->required();
  sub->add_option("--data", o->data, data_help)->capture_default_str();
  add_broken_option(*sub, o->on_broken);
  sub->add_option("--split", o->split, "train or test")->check(CLI::IsMember({"train", "test"}))->capture_default_str();
  sub->add_option("--count", o->count, "At most this many images; 0: all")->check(CLI::Range(0, 1 << 30));
  sub->add_option("--batch", o->batch, "Images per call")->check(CLI::Range(1, 4096))->capture_default_str();
  sub->add_option("--threads", o->engine.threads, "Threads; 0: all that the process may use")->check(CLI::Range(0, 4096));
  sub->add_option("--precision", o->engine.precision, "Arithmetic of the products")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->capture_default_str();
  sub->add_option("--calibrate", o->calibrate,
                  "int8: fixed scales from this many training images; 0: each token finds its own")
      ->check(CLI::Range(0, 65536));
  sub->add_option("--confusion", o->confusion, "Confusion matrix as SVG");
  sub->add_flag("--json", o->json, "Print JSON");
  sub->footer(
      "Example:\n  minivit eval --weights student.safetensors --data cifar10 --json\n  minivit eval --weights "
      "student.safetensors --data cifar10 --precision int8 --calibrate 64");
  sub->callback([o] { run(*o); });
}

}  // namespace cli
