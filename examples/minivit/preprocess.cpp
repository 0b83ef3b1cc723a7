// SPDX-License-Identifier: MIT
// minivit preprocess: what a model sees of pictures, as the exact input tensor, to compare with another program's.
#include "commands.hpp"
#include "engine.hpp"
#include "registry.hpp"

#include <minivit/data/preprocess.hpp>
#include <minivit/io/checkpoint_info.hpp>
#include <minivit/io/safetensors.hpp>

#include <fmt/format.h>

#include <array>
#include <memory>
#include <optional>

namespace cli {

namespace {

struct PreprocessOptions {
  std::string model, weights, output;
  std::vector<std::string> images;
  std::optional<float> crop_pct;
  std::optional<std::string> crop_mode, interpolation;
  std::array<float, 3> mean{}, deviation{};  // used when they were given
  bool with_mean = false, with_deviation = false;
  bool as_stored = false;
};

struct Plan {
  int side = 0;
  mv::Preprocessing preprocessing{};
};

/// The settings in the weights file, else those of the preset.
Plan plan_of(const PreprocessOptions& o) {
  Plan plan;
  if (!o.model.empty()) {
    plan.side = mv::input_output(config_named(o.model)).image;
    plan.preprocessing = mv::presets::preprocessing_of(o.model).value_or(mv::Preprocessing{});
  }
  if (o.weights.empty()) return plan;
  const auto file = mv::open_weights(o.weights);
  const auto config = mv::read_config(file);
  if (config && !o.model.empty() && *config != config_named(o.model))
    mv::fail({.where = file.where(),
              .what = "the file holds another model than --model",
              .expected = o.model,
              .found = name_of(*config).empty() ? "own config" : name_of(*config)});
  if (config) plan.side = mv::input_output(*config).image;
  if (plan.side == 0) config_of(file);  // throws: neither file nor --model say how large images are
  if (file.metadata().contains(mv::detail::preprocessing_key)) plan.preprocessing = mv::read_info(file).preprocessing;
  else if (o.model.empty())
    mv::fail({.where = file.where(),
              .what = "the file does not say how images are prepared",
              .expected = "metadata 'minivit.preprocessing'",
              .hint = "--model NAME takes the settings of a preset"});
  return plan;
}

void preprocess(const PreprocessOptions& o) {
  if (o.model.empty() && o.weights.empty())
    mv::fail({.where = "preprocess", .what = "no model is named", .expected = "--model, --weights or both"});
  auto [side, p] = plan_of(o);
  if (o.crop_pct) p.crop_pct = *o.crop_pct;
  const auto choose = [](auto& value, const auto& names, const std::optional<std::string>& wanted) {
    for (const auto& [v, name] : names)
      if (wanted == std::string(name)) value = v;
  };
  choose(p.crop_mode, mv::detail::crop_mode_names, o.crop_mode);
  choose(p.interpolation, mv::detail::interpolation_names, o.interpolation);
  if (o.with_mean) p.mean = o.mean;
  if (o.with_deviation) p.std = o.deviation;
  const std::string settings = mv::to_json(p, "preprocess");  // refuses what makes no sense
  const auto count = static_cast<mv::Index>(o.images.size());
  const mv::Index size = mv::Index{3} * side * side;
  std::vector<float> input(static_cast<std::size_t>(count * size));
  for (mv::Index i = 0; i < count; ++i)
    mv::prepare_image(mv::read_image(o.images[static_cast<std::size_t>(i)], {.upright = !o.as_stored}), p, side,
                      input.data() + i * size);
  std::map<std::string, std::string> metadata{{mv::detail::preprocessing_key, settings}};
  if (!o.model.empty()) metadata[mv::detail::model_key] = o.model;
  mv::write_safetensors(o.output, {{"input", mv::DType::F32, {count, 3, side, side}, input.data()}}, metadata);
  fmt::print("{}: input [{}, 3, {}, {}], {}\n", o.output, count, side, side, settings);
}

}  // namespace

void add_preprocess(CLI::App& app) {
  auto* const sub = app.add_subcommand("preprocess",
                                       "Write what a model sees of pictures: the tensor 'input' [B,3,S,S] of a safetensors "
                                       "file, to compare with Python or for 'minivit forward'.");
  const auto o = std::make_shared<PreprocessOptions>();
  sub->add_option("--model", o->model, "A preset; see 'minivit models'. Its published settings unless --weights has others");
  sub->add_option("--weights", o->weights, "Take size and settings from this file");
  sub->add_option("IMAGE", o->images, "JPEG, PNG or BMP files")->required();
  sub->add_option("--output", o->output, "File to write")->required();
  sub->add_option("--crop-pct", o->crop_pct, "Side of the crop over that of the resized picture")
      ->check(CLI::Range(0.01, 1.0));
  sub->add_option(
         "--crop-mode", o->crop_mode,
         "center loses the ends of the longer side, squash changes the proportions, border fills up with the mean colour")
      ->check(CLI::IsMember({"center", "squash", "border"}));
  sub->add_option("--interpolation", o->interpolation, "Filter of the resizing")
      ->check(CLI::IsMember({"bilinear", "bicubic"}));
  // an array takes three words, a vector all
  auto* const mean = sub->add_option("--mean", o->mean, "Of red, green and blue, of 1");
  auto* const deviation = sub->add_option("--std", o->deviation, "Of red, green and blue, of 1");
  sub->add_flag("--as-stored", o->as_stored, "Do not turn pictures upright by their Exif data; timm does not");
  sub->footer(
      "Examples:\n  minivit preprocess --model deit_tiny_patch16_224 photo.jpg --output input.safetensors\n  minivit "
      "preprocess --weights student.safetensors *.png --output input.safetensors");
  sub->callback([o, mean, deviation] {
    o->with_mean = mean->count() > 0;
    o->with_deviation = deviation->count() > 0;
    preprocess(*o);
  });
}

}  // namespace cli
