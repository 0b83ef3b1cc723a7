// SPDX-License-Identifier: MIT
// Test accuracy over the epochs of every row, and the paper's two figures for the ablation: how large gradients are while a
// model is trained, and how like the layers of the unshared model a model's layers are. Drawn from what the rows left
// behind.
#include "rows.hpp"

#include <cmath>
#include <map>
#include <set>
#include <string_view>

namespace study {
namespace {

constexpr const char* unshared = "ablation_0_unshared";
constexpr const char* rows[] = {unshared,
                                "ablation_1_shared",
                                "ablation_2_norms",
                                "ablation_3_transformations",
                                "ablation_4_prediction",
                                "ablation_5_features"};
constexpr int half = base_config.depth / 2;  // layers on one set of weights

/// Which half of the layers a part of a model belongs to: "blocks.3" and "blocks.0.block" to the first; -1: neither.
int half_of(const std::string& part, bool shared) {
  constexpr std::string_view blocks = "blocks.";
  if (!part.starts_with(blocks)) return -1;
  const int number = std::stoi(part.substr(blocks.size()));
  return shared ? number : number / half;
}

/// The norm of the gradient of half a model's layers, as training goes on.
mv::Series gradient_norms(const Context& c, const std::string& row, int which) {
  mv::Series line{.name = row.substr(std::string_view("ablation_").size()), .x = {}, .y = {}};
  each_line(c.output / "logs" / (row + "_seed1_gradients.jsonl"), [&](const nlohmann::json& norms) {
    double squares = 0;
    for (const auto& [part, norm] : norms.items())
      if (half_of(part, row != unshared) == which) squares += norm.get<double>() * norm.get<double>();
    line.x.push_back(norms.at("step").get<double>());
    line.y.push_back(std::sqrt(squares));
  });
  return line;
}

/// Layer by layer, the alignment of a row's model with the unshared one of another seed.
template <class Model, class Unshared>
mv::Series alignment(const Context& c, const std::string& row, mv::Features<Unshared>& expected,
                     typename Unshared::Images images) {
  mv::Features<Model> features(mv::load<Model>(weights_file(c, row, 1).string()), {.max_batch = 64, .threads = c.threads});
  const mv::Matrix cka = mv::cka(features, expected, images);
  mv::Series line{.name = row.substr(std::string_view("ablation_").size()), .x = {}, .y = {}};
  for (mv::Index l = 0; l < cka.rows; ++l) {
    line.x.push_back(static_cast<double>(l));
    line.y.push_back(cka(l, l));
  }
  return line;
}

}  // namespace

void draw_accuracy(const fs::path& folder) {
  mv::Chart main{
      .title = "Teachers and students: test accuracy, small images first", .x_title = "epoch", .y_title = "%", .series = {}};
  mv::Chart ablation{.title = "Ablation, seed 1: test accuracy", .x_title = "epoch", .y_title = "%", .series = {}};
  const std::string ending = "_seed1.jsonl";
  std::set<std::string> logs;  // by name: rows keep their places and colours, and small images come before whole ones
  if (fs::is_directory(folder / "logs"))
    for (const auto& entry : fs::directory_iterator(folder / "logs"))
      if (const std::string name = entry.path().filename().string(); name.ends_with(ending)) logs.insert(name);
  struct Line {
    mv::Series series;
    double epochs = 0;
  };
  std::map<std::string, Line> lines;
  for (const std::string& log : logs) {
    constexpr std::string_view small = "_at_24";
    std::string row = log.substr(0, log.size() - ending.size());
    if (row.ends_with(small)) row.resize(row.size() - small.size());  // one line with the row that goes on from it
    Line& line = lines[row];
    const double before = line.epochs;
    each_line(folder / "logs" / log, [&](const nlohmann::json& epoch) {
      line.epochs = before + epoch.at("epoch").get<double>() + 1;
      if (!epoch.contains("average_accuracy")) return;
      line.series.x.push_back(line.epochs);
      line.series.y.push_back(100 * epoch.at("average_accuracy").get<double>());
    });
  }
  for (auto& [row, line] : lines) {
    if (line.series.x.empty()) continue;
    line.series.name = row;
    (row.starts_with("ablation") ? ablation : main).series.push_back(std::move(line.series));
  }
  std::vector<mv::Chart> panels;
  for (mv::Chart* const chart : {&main, &ablation})
    if (!chart->series.empty()) panels.push_back(std::move(*chart));
  if (!panels.empty()) mv::write_svg(folder / "accuracy.svg", panels);
}

void draw_figures(const Context& c) {
  std::vector<mv::Chart> panels;
  for (const int which : {0, 1}) {
    mv::Chart chart{.title = fmt::format("Gradient of layers {} to {}", which * half, which * half + half - 1),
                    .x_title = "step",
                    .y_title = "norm",
                    .series = {},
                    .y_min = 0};
    for (const char* row : rows) chart.series.push_back(gradient_norms(c, row, which));
    panels.push_back(std::move(chart));
  }
  mv::write_svg(c.output / "gradient_norms.svg", panels);

  using Unshared = mv::ViT<base_config>;
  const mv::Dataset test = mv::with_side(*c.test, base_config.image);
  mv::Loader<base_config.image, base_config.classes> loader(test, {.batch = std::min<mv::Index>(512, test.size()),
                                                                   .seed = 1,
                                                                   .shuffle = true,
                                                                   .augment = {.preprocessing = mv::presets::small_images},
                                                                   .prefetch = 0});
  const auto& batch = loader.next();
  mv::Features<Unshared> expected(mv::load<Unshared>(weights_file(c, unshared, 2).string()),
                                  {.max_batch = 64, .threads = c.threads});
  const auto line = [&]<class Model>(int row) {
    return alignment<Model>(c, rows[row], expected, typename Unshared::Images(batch.images));
  };
  using Mini = mv::ViT<mini_config>;
  const mv::Chart chart{
      .title = fmt::format("Linear CKA with the unshared model of another seed, {} images", batch.size()),
      .x_title = "layer",
      .y_title = "CKA",
      .series = {line.template operator()<Unshared>(0), line.template operator()<mv::ViT<shared_config>>(1),
                 line.template operator()<mv::ViT<norms_config>>(2), line.template operator()<Mini>(3),
                 line.template operator()<Mini>(4), line.template operator()<Mini>(5)},
      .y_min = 0,
      .y_max = 1};
  mv::write_svg(c.output / "alignment.svg", std::span(&chart, 1));
}

}  // namespace study
