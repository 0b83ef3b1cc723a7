// SPDX-License-Identifier: MIT
// minivit forward, classify, samples: one pass over given inputs.
#include "commands.hpp"
#include "engine.hpp"
#include "names.hpp"
#include "registry.hpp"

#include <minivit/data/image_write.hpp>
#include <minivit/data/open.hpp>
#include <minivit/io/checkpoint_info.hpp>
#include <minivit/io/safetensors.hpp>
#include <minivit/train/losses.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <memory>
#include <numeric>

namespace cli {

namespace {

struct ForwardOptions {
  std::string model, weights, input, output;
  EngineOptions engine{};
};

void forward(ForwardOptions o) {
  const mv::AnyConfig config = config_named(o.model);
  const auto [image, channels, classes] = mv::input_output(config);
  const auto weights = mv::open_weights(o.weights);
  const auto file = mv::SafeTensors::open(o.input);
  const auto& tensor = file.at("input");
  const std::vector<mv::Index> shape{tensor.shape.empty() ? 0 : tensor.shape[0], channels, image, image};
  if (tensor.shape != shape || shape[0] < 1) {
    std::string found;
    for (const auto extent : tensor.shape) found += (found.empty() ? "" : ", ") + std::to_string(extent);
    mv::fail({.where = file.where(),
              .what = "tensor 'input' has the wrong shape",
              .expected = fmt::format("[B, {}, {}, {}] with B at least 1", channels, image, image),
              .found = "[" + found + "]"});
  }
  const auto images = file.read<float>("input");
  o.engine.max_batch = shape[0];
  const auto engine = make_engine(config, &weights, o.engine);
  mv::write_safetensors(o.output, {{"logits", mv::DType::F32, {shape[0], classes}, engine->logits(images.data(), shape[0])}},
                        {});
}

struct ClassifyOptions {
  std::string weights = MINIVIT_DEFAULT_WEIGHTS;
  std::vector<std::string> images;
  int top = 5;
  bool json = false;
  EngineOptions engine{};
};

void classify(const ClassifyOptions& o) {
  const auto file = mv::open_weights(o.weights);
  const mv::AnyConfig config = config_of(file);
  const auto [image, channels, classes] = mv::input_output(config);
  const mv::CheckpointInfo info = mv::read_info(file);
  const auto engine = make_engine(config, &file, o.engine);
  const int top = std::min(o.top, classes);
  nlohmann::json out = nlohmann::json::array();
  std::vector<float> input(static_cast<std::size_t>(3 * image * image));
  for (const auto& path : o.images) {
    mv::prepare_image(mv::read_image(path), info.preprocessing, image, input.data());
    const float* const logits = engine->logits(input.data(), 1);
    const mv::detail::LogSoftmax<float> log_p(logits, classes);
    std::vector<int> order(static_cast<std::size_t>(classes));
    std::iota(order.begin(), order.end(), 0);
    if (!std::isfinite(log_p[0]))
      mv::fail(
          {.where = "classify " + path, .what = "the model's answer is not finite", .hint = "are the weights damaged?"});
    std::partial_sort(order.begin(), order.begin() + top, order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
    nlohmann::json best = nlohmann::json::array();
    for (int k = 0; k < top; ++k) {
      const int label = order[static_cast<std::size_t>(k)];
      const std::string name = info.class_names.empty() ? std::to_string(label)
                                                        : info.class_names[static_cast<std::size_t>(label)];
      best.push_back({{"class", label}, {"name", name}, {"probability", std::exp(log_p[label])}});
    }
    out.push_back({{"image", path}, {"top", best}});
  }
  if (o.json) {
    fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  for (const auto& row : out) {
    fmt::print("{}\n", row["image"].get<std::string>());
    for (const auto& best : row["top"]) {
      const double p = best["probability"];
      fmt::print("  {:>6.2f} %  {:<20} {}\n", 100 * p, shown(best["name"].get<std::string>()),
                 std::string(static_cast<std::size_t>(p * 40 + 0.5), '#'));
    }
  }
}

struct SamplesOptions {
  std::string data = "synthetic", output = "samples";
  mv::Index count = 10;
};

void samples(const SamplesOptions& o) {
  const auto set = mv::open_dataset(o.data, mv::Split::test, 32, {.count = o.count});
  std::filesystem::create_directories(o.output);
  for (mv::Index i = 0; i < set.size(); ++i) {
    const auto path = std::filesystem::path(o.output) / fmt::format("{:03}_{}.png", i, file_name(set.class_name(i)));
    mv::write_png(path, set.picture(i));
    fmt::print("{}\n", path.string());
  }
}

void add_engine_options(CLI::App* sub, EngineOptions& o) {
  sub->add_option("--threads", o.threads, "Threads; 0: all that the process may use")->check(CLI::Range(0, 4096));
  sub->add_option("--precision", o.precision, "Arithmetic of the products: f32; bf16 and int8 are faster and less exact")
      ->check(CLI::IsMember({"f32", "bf16", "int8"}))
      ->capture_default_str();
}

}  // namespace

void add_forward(CLI::App& app) {
  auto* const sub = app.add_subcommand(
      "forward", "Run a model on a tensor: 'input' [B,3,S,S] of one safetensors file to 'logits' [B,K] of another.");
  const auto o = std::make_shared<ForwardOptions>();
  sub->add_option("--model", o->model, "A preset; see 'minivit models'")->required();
  sub->add_option("--weights", o->weights, "Weights by parameter name (safetensors)")->required();
  sub->add_option("--input", o->input, "File with the tensor 'input', normalised float32")->required();
  sub->add_option("--output", o->output, "File to write")->required();
  add_engine_options(sub, o->engine);
  sub->footer(
      "Example:\n  minivit forward --model deit_tiny_patch16_224 --weights deit.safetensors --input x.safetensors --output "
      "y.safetensors");
  sub->callback([o] { forward(*o); });
}

void add_classify(CLI::App& app) {
  auto* const sub = app.add_subcommand(
      "classify", "Name what is in pictures of any size. Model, classes and preprocessing come from the weights file.");
  const auto o = std::make_shared<ClassifyOptions>();
  sub->add_option("--weights", o->weights,
                  "File written by 'minivit train' or 'minivit distill'; by default the model in the box, for the ten "
                  "classes of CIFAR-10");
  sub->add_option("IMAGE", o->images, "JPEG, PNG or BMP files")->required();
  sub->add_option("--top", o->top, "Classes to print")->check(CLI::Range(1, 1000))->capture_default_str();
  sub->add_flag("--json", o->json, "Print JSON");
  add_engine_options(sub, o->engine);
  sub->footer("Examples:\n  minivit classify photo.jpg\n  minivit classify --weights student.safetensors photo.jpg --top 3");
  sub->callback([o] { classify(*o); });
}

void add_samples(CLI::App& app) {
  auto* const sub = app.add_subcommand("samples",
                                       "Write pictures of a data set's test split as PNG files, to look at or to classify.");
  const auto o = std::make_shared<SamplesOptions>();
  sub->add_option("--data", o->data, "'synthetic' or a folder")->capture_default_str();
  sub->add_option("--count", o->count, "Pictures")->check(CLI::Range(1, 100000))->capture_default_str();
  sub->add_option("--output", o->output, "Folder")->capture_default_str();
  sub->footer("Example:\n  minivit samples --data synthetic --count 20 --output samples");
  sub->callback([o] { samples(*o); });
}

}  // namespace cli
