// SPDX-License-Identifier: MIT
// minivit analyse: what a model confuses, where it looks, how alike its layers are to another's, how large its gradients
// are. Pictures go to a folder, numbers to stdout.
#include "commands.hpp"
#include "data_option.hpp"
#include "engine.hpp"
#include "evaluation.hpp"
#include "names.hpp"
#include "pictures.hpp"
#include "probe.hpp"
#include "registry.hpp"

#include <minivit/analysis/cka.hpp>
#include <minivit/analysis/distance.hpp>
#include <minivit/data/image_write.hpp>
#include <minivit/io/checkpoint_info.hpp>
#include <minivit/train/plot.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <set>

namespace cli {

namespace {

using nlohmann::json;

struct AnalyseOptions {
  std::string weights, other, data = "synthetic", on_broken = "stop", output;
  std::vector<std::string> images;
  mv::Index count = 256, test_count = 0, batch = 64;
  int threads = 0;
  bool gradients = false, print_json = false;
};

/// `name` with dots in its middle when it would not fit a picture.
std::string shortened(const std::string& name) {
  return name.size() <= 40 ? name : name.substr(0, 18) + "..." + name.substr(name.size() - 19);
}

/// A weights file and what it says about itself.
struct Weights {
  explicit Weights(const std::string& path)
      : file(mv::open_weights(path)),
        config(config_of(file)),
        layers(std::visit([](const auto& c) { return mv::layer_count(c); }, config)),
        input_output(mv::input_output(config)),
        info(mv::read_info(file)),
        name(shortened(std::filesystem::path(path).stem().string())) {}
  mv::StateDict file;
  mv::AnyConfig config;
  int layers;
  mv::InputOutput input_output;
  mv::CheckpointInfo info;
  std::string name;  ///< in pictures
};

/// A picture to be looked at: what the model reads and the same part of it, large enough to be seen.
struct Look {
  std::string name;
  mv::Image crop, view;
};

json rows_of(const mv::Matrix& m) {
  json rows = json::array();
  for (mv::Index i = 0; i < m.rows; ++i) rows.push_back(std::vector<double>(m.row(i), m.row(i) + m.columns));
  return rows;
}

json norms_of(const std::vector<mv::PartNorm>& rows) {
  json out = json::object();
  for (const auto& row : rows) out[row.name] = row.norm;
  return out;
}

class Analysis {
 public:
  explicit Analysis(const AnalyseOptions& o)
      : o_(o),
        weights_(o.weights),
        test_(open_data(o.data, mv::Split::test, weights_.input_output.image, o.on_broken,
                        {.count = o.test_count, .threads = o.threads, .class_names = weights_.info.class_names})) {
    require_classes(test_, weights_.input_output.classes, "analyse");
    probe_ = make_probe(weights_.config, weights_.file, o.threads);
    if (!o.other.empty()) {
      other_.emplace(o.other);
      other_probe_ = make_probe(other_->config, other_->file, o.threads);
    }
    find_looks();
    std::error_code error;
    std::filesystem::create_directories(o.output, error);
    if (error) mv::fail({.where = "--output " + o.output, .what = "cannot create the folder", .found = error.message()});
    engine_ = make_engine(weights_.config, &weights_.file, {.max_batch = o.batch, .threads = o.threads});
  }

  void run() {
    say("{}: {}, {} test images of {}\n", o_.weights, name_of(weights_.config), test_.size(), o_.data);
    out_["weights"] = o_.weights;
    out_["model"] = name_of(weights_.config);
    confuse();
    if (other_) compare();
    for (const Look& look : looks_) attend(look);
    if (o_.gradients) measure_gradients();
    if (o_.print_json) fmt::print("{}\n", out_.dump(2, ' ', false, json::error_handler_t::replace));
  }

 private:
  template <class... Args>
  void say(fmt::format_string<Args...> format, Args&&... args) const {
    if (!o_.print_json) fmt::print(format, std::forward<Args>(args)...);
  }
  std::string path(const std::string& name) {
    out_["files"].push_back(name);
    return (std::filesystem::path(o_.output) / name).string();
  }
  const std::string& class_name(mv::Index c) const { return test_.class_names[static_cast<std::size_t>(c)]; }
  /// What the model calls a class; the data may name its classes otherwise.
  const std::string& answer(mv::Index c) const {
    return weights_.info.class_names.empty() ? class_name(c) : weights_.info.class_names[static_cast<std::size_t>(c)];
  }

  /// Reads --image files, or takes the first test image of three classes.
  void find_looks() {
    constexpr int least = 192, most = 320;  // pixels of a side in the sheet
    const int side = weights_.input_output.image;
    for (const std::string& file : o_.images) {
      const mv::Image image = mv::read_image(file);
      const int shown = std::clamp(std::min(image.width, image.height), least, most);
      looks_.push_back({file_name(std::filesystem::path(file).stem().string()),
                        mv::evaluation_crop(image, side, weights_.info.preprocessing),
                        mv::evaluation_crop(image, shown, weights_.info.preprocessing)});
    }
    if (o_.images.empty())
      for (int k = 0; k < std::min(3, test_.classes); ++k)
        for (mv::Index i = 0; i < test_.size(); ++i)
          if (test_.label(i) == k * test_.classes / std::min(3, test_.classes)) {
            looks_.push_back({file_name(test_.class_name(i)), test_.picture(i), mv::resize(test_.picture(i), least, least)});
            break;
          }
    std::set<std::string> taken;
    for (Look& look : looks_) {  // a/1.png and b/1.png
      const std::string stem = look.name;
      for (int k = 2; !taken.insert(look.name).second; ++k) look.name = fmt::format("{}_{}", stem, k);
    }
  }

  void confuse() {
    const Evaluation e = evaluate(*engine_, test_, Normaliser(weights_.info.preprocessing), o_.batch);
    mv::write_svg(path("confusion.svg"), confusion_map(e, test_.class_names));
    say("\nconfusion.svg: accuracy {:.2f} %\n  {:<16}{:>10}  {}\n", 100 * e.accuracy.top1(), "class", "right",
        "most often taken for");
    json counts = json::array(), per_class;
    const mv::Index classes = e.confusion.classes();
    for (mv::Index i = 0; i < classes; ++i) {
      mv::Index wrong = -1;
      std::vector<mv::Index> row;
      for (mv::Index j = 0; j < classes; ++j) {
        row.push_back(e.confusion.count(i, j));
        if (j != i && row.back() > 0 && (wrong < 0 || row.back() > row[static_cast<std::size_t>(wrong)])) wrong = j;
      }
      counts.push_back(row);
      per_class[class_name(i)] = e.confusion.recall(i);
      const auto percent = [&](mv::Index count) {
        return 100.0 * static_cast<double>(count) / static_cast<double>(e.confusion.images(i));
      };
      const std::string worst = wrong < 0 ? ""
                                          : fmt::format("{} ({:.2f} %)", shown(class_name(wrong)),
                                                        percent(e.confusion.count(i, wrong)));
      say("  {:<16}{:>8.2f} %  {}\n", shown(class_name(i)), 100 * e.confusion.recall(i), worst);
    }
    out_["confusion"] = {{"images", e.accuracy.images()},         {"accuracy", e.accuracy.top1()}, {"loss", e.loss.mean()},
                         {"non_finite", e.accuracy.non_finite()}, {"per_class", per_class},        {"counts", counts}};
  }

  void compare() {
    const int rows = weights_.layers, columns = other_->layers;
    const Normaliser normalise_a(weights_.info.preprocessing), normalise_b(other_->info.preprocessing);
    const mv::Threads threads(o_.threads);
    mv::CkaSums alignment(rows, columns);
    std::vector<mv::DistanceSums> distances;  // where the layers have the same extents
    const auto which = spread_over(test_, o_.count);
    const auto count = static_cast<mv::Index>(which.size()), batches = (count + Probe::max_batch - 1) / Probe::max_batch;
    for (mv::Index k = 0; k < batches; ++k) {
      const std::vector<mv::Index> part(which.begin() + count * k / batches, which.begin() + count * (k + 1) / batches);
      const auto images = static_cast<mv::Index>(part.size());
      const auto x = probe_->features(normalise_a(test_, part).data(), images),
                 y = other_probe_->features(normalise_b(test_, part).data(), images);
      if (std::equal(x.begin(), x.end(), y.begin(), y.end(),
                     [](const auto& a, const auto& b) { return a.tokens() == b.tokens() && a.width() == b.width(); }))
        distances.resize(x.size());
      for (std::size_t l = 0; l < distances.size(); ++l)
        distances[l].add(x[l].data(), y[l].data(), images * x[l].tokens(), x[l].width());
      const auto from = mv::flattened(x), to = mv::flattened(y);
      alignment.add(std::span(from), std::span(to), threads);
    }
    const mv::Matrix cka = alignment.values();
    mv::write_svg(path("cka.svg"), mv::HeatMap{.title = fmt::format("Alignment of layers: linear CKA, {} images", count),
                                               .row_title = "layer of " + weights_.name,
                                               .column_title = "layer of " + other_->name,
                                               .values = cka,
                                               .scale_title = "CKA",
                                               .low = 0,
                                               .high = 1,
                                               .decimals = std::max(rows, columns) <= 16 ? 2 : -1,
                                               .first_row_at_bottom = true});
    say("\ncka.svg: linear CKA over {} images; rows: layers of {}, columns: of {}\n     ", count, weights_.name,
        other_->name);
    for (mv::Index j = 0; j < cka.columns; ++j) say("{:>7}", j);
    say("\n");
    for (mv::Index i = 0; i < cka.rows; ++i) {
      say("  {:>3}", i);
      for (mv::Index j = 0; j < cka.columns; ++j) say("{:>7.3f}", cka(i, j));
      say("\n");
    }
    out_["other"] = o_.other;
    out_["cka"] = {{"images", count}, {"values", rows_of(cka)}};
    if (!distances.empty()) show_distances(distances);
    else say("no distance.svg: {} and {} differ in depth, width or number of tokens\n", weights_.name, other_->name);
  }

  void show_distances(const std::vector<mv::DistanceSums>& distances) {
    const std::string names = fmt::format("{} from {}", weights_.name, other_->name);
    std::array<mv::Chart, 2> charts{mv::Chart{.title = "Relative distance of features",
                                              .x_title = "layer",
                                              .y_title = "",
                                              .series = {{names, {}, {}}},
                                              .y_min = 0},
                                    mv::Chart{.title = "Mean cosine between tokens",
                                              .x_title = "layer",
                                              .y_title = "",
                                              .series = {{names, {}, {}}},
                                              .y_max = 1}};
    say("\ndistance.svg: features of {} from those of {}\n  {:>5}{:>10}{:>10}\n", weights_.name, other_->name, "layer",
        "relative", "cosine");
    for (std::size_t l = 0; l < distances.size(); ++l) {
      const mv::FeatureDistance d = distances[l].value();
      say("  {:>5}{:>10.4f}{:>10.4f}\n", l, d.relative, d.cosine);
      out_["distance"].push_back({{"relative", d.relative}, {"cosine", d.cosine}});
      for (mv::Chart& chart : charts) chart.series[0].x.push_back(static_cast<double>(l));
      charts[0].series[0].y.push_back(d.relative);
      charts[1].series[0].y.push_back(d.cosine);
      charts[1].y_min = std::min(charts[1].y_min.value_or(0), std::isfinite(d.cosine) ? d.cosine : 0);
    }
    mv::write_svg(path("distance.svg"), charts);
  }

  void attend(const Look& look) {
    std::vector<float> input(look.crop.rgb.size());
    auto to = input.begin();
    for (int c = 0; c < 3; ++c)
      for (std::size_t i = static_cast<std::size_t>(c); i < look.crop.rgb.size(); i += 3)
        *to++ = weights_.info.preprocessing.normalised(c, look.crop.rgb[i]);
    const float* const logits = engine_->logits(input.data(), 1);
    const mv::Index best = mv::argmax(logits, mv::Index{weights_.input_output.classes});
    if (best < 0)
      mv::fail({.where = "attention of " + look.name,
                .what = "the model's answer is not finite",
                .hint = "are the weights damaged?"});
    const double probability = std::exp(mv::detail::LogSoftmax<float>(logits, weights_.input_output.classes)[best]);
    const auto maps = probe_->attention(input.data());
    const std::string name = "attention_" + look.name + ".png";
    mv::write_png(path(name), attention_sheet(look.view, maps));
    say("\n{}: {} ({:.1f} %)\n  {:<10}{:>22}  {:>12}\n", name, shown(answer(best)), 100 * probability, "",
        "strongest patch / mean", "row, column");
    json peaks = json::object();
    const auto peak = [&](const std::string& what, const mv::Matrix& grid) {
      double sum = 0;
      for (const double v : grid.values) sum += v;
      const auto at = std::max_element(grid.values.begin(), grid.values.end()) - grid.values.begin();
      const double ratio = grid.values[static_cast<std::size_t>(at)] * static_cast<double>(grid.values.size()) / sum;
      say("  {:<10}{:>22.2f}  {:>12}\n", what, ratio, fmt::format("{}, {}", at / grid.columns, at % grid.columns));
      peaks[what] = {{"ratio", ratio}, {"row", at / grid.columns}, {"column", at % grid.columns}};
    };
    peak("rollout", mv::rollout_grid(maps));
    for (mv::Index h = 0; h < maps.back().heads; ++h) peak(fmt::format("head {}", h), head_attention(maps.back(), h));
    out_["attention"].push_back(
        {{"file", name}, {"class", best}, {"name", answer(best)}, {"probability", probability}, {"strongest", peaks}});
  }

  void measure_gradients() {
    const auto train = open_data(o_.data, mv::Split::train, weights_.input_output.image, o_.on_broken,
                                 {.threads = o_.threads, .class_names = weights_.info.class_names});
    require_classes(train, weights_.input_output.classes, "analyse");
    const auto which = spread_over(train, o_.batch);
    const auto count = static_cast<mv::Index>(which.size());
    std::vector<float> targets(which.size() * static_cast<std::size_t>(train.classes));  // one-hot
    float* row = targets.data();
    for (const mv::Index i : which) {
      row[train.label(i)] = 1;
      row += train.classes;
    }
    const auto rows = probe_->gradient_norms(Normaliser(weights_.info.preprocessing)(train, which).data(), targets.data(),
                                             count);
    const auto weights = probe_->weight_norms();
    const std::string svg = bars(fmt::format("Norm of the gradient: cross-entropy, {} training images", count), rows);
    mv::write_file(path("gradient_norms.svg"), std::as_bytes(std::span(svg)));
    say("\ngradient_norms.svg: {} training images\n  {:<28}{:>12}{:>12}{:>12}\n", count, "part", "gradient", "weights",
        "ratio");
    for (std::size_t i = 0; i < rows.size(); ++i)
      say("  {:<28}{:>12.4g}{:>12.4g}{:>12.2e}\n", rows[i].name, rows[i].norm, weights[i].norm,
          rows[i].norm / weights[i].norm);
    out_["gradient_norms"] = {{"images", count}, {"gradient", norms_of(rows)}, {"weights", norms_of(weights)}};
  }

  AnalyseOptions o_;
  Weights weights_;
  mv::Dataset test_;
  std::optional<Weights> other_;
  std::vector<Look> looks_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Probe> probe_, other_probe_;
  json out_;
};

}  // namespace

void add_analyse(CLI::App& app) {
  auto* const sub = app.add_subcommand(
      "analyse",
      "Look inside a model for 32x32 images: confusion, attention, layers beside those of another model, gradients.");
  const auto o = std::make_shared<AnalyseOptions>();
  sub->add_option("--weights", o->weights, "File written by 'minivit train' or 'minivit distill'")->required();
  sub->add_option("--other", o->other,
                  "Weights to compare layers with: alignment (CKA), and distance where depth and width are equal");
  sub->add_option("--data", o->data, data_help)->capture_default_str();
  add_broken_option(*sub, o->on_broken);
  sub->add_option("--count", o->count, "Test images that layers are compared on")
      ->check(CLI::Range(4, 65536))
      ->capture_default_str();
  sub->add_option("--test-count", o->test_count, "At most this many test images for everything; 0: all")
      ->check(CLI::Range(0, 1 << 30));
  sub->add_option("--output", o->output, "Folder for the pictures")->required();
  sub->add_option("--image", o->images,
                  "Pictures to show the attention of; by default the first test image of three classes");
  sub->add_flag("--gradients", o->gradients, "Gradient norms on one batch of the training split");
  sub->add_option("--batch", o->batch, "Images per call, and of the batch for --gradients")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  sub->add_option("--threads", o->threads, "Threads; 0: all that the process may use")->check(CLI::Range(0, 4096));
  sub->add_flag("--json", o->print_json, "Print JSON");
  sub->footer(
      "Example:\n  minivit analyse --weights student.safetensors --other teacher.safetensors --data cifar10 --gradients "
      "--output analysis");
  sub->callback([o] { Analysis(*o).run(); });
}

}  // namespace cli
