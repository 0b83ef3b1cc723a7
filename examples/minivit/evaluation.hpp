// SPDX-License-Identifier: MIT
// What `minivit eval` and `minivit analyse` have in common: one pass of an engine over a data set, and its confusion matrix
// as a picture.
#pragma once

#include "engine.hpp"

#include <minivit/analysis/heat_map.hpp>
#include <minivit/data/dataset.hpp>
#include <minivit/train/losses.hpp>
#include <minivit/train/metrics.hpp>
#include <minivit/train/progress.hpp>

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <vector>

namespace cli {

/// 8-bit planes to a model's input. Images of a data set are not cropped again.
class Normaliser {
 public:
  explicit Normaliser(const mv::Preprocessing& preprocessing) {
    for (int c = 0; c < 3; ++c) table_[static_cast<std::size_t>(c)] = preprocessing.table(c);
  }
  void operator()(const mv::Dataset& data, mv::Index i, float* to) const {
    const std::uint8_t* const pixels = data.image(i);
    const mv::Index size = data.image_size(), plane = size / 3;
    for (mv::Index k = 0; k < size; ++k) to[k] = table_[static_cast<std::size_t>(k / plane)][pixels[k]];
  }
  /// The images with these numbers one after the other: [n, 3, side, side].
  std::vector<float> operator()(const mv::Dataset& data, const std::vector<mv::Index>& which) const {
    std::vector<float> out(which.size() * static_cast<std::size_t>(data.image_size()));
    float* to = out.data();
    for (const mv::Index i : which) {
      (*this)(data, i, to);
      to += data.image_size();
    }
    return out;
  }

 private:
  std::array<std::array<float, 256>, 3> table_{};
};

/// `count` image numbers at equal distances, all when there are fewer: of every class, also where classes follow each other.
inline std::vector<mv::Index> spread_over(const mv::Dataset& data, mv::Index count) {
  std::vector<mv::Index> which;
  count = std::min(count, data.size());
  for (mv::Index i = 0; i < count; ++i) which.push_back(i * data.size() / count);
  return which;
}

/// Throws Error when the data has another number of classes than the model.
inline void require_classes(const mv::Dataset& data, int classes, const char* where) {
  if (data.classes != classes)
    mv::fail({.where = where,
              .what = "the data has another number of classes than the model",
              .expected = std::to_string(classes),
              .found = std::to_string(data.classes)});
}

/// Throws Error when there is no folder for the file that an option names: before the work and not after it.
inline void require_folder_of(const std::string& file, const std::string& option) {
  if (const auto parent = std::filesystem::absolute(file).parent_path(); !std::filesystem::is_directory(parent))
    mv::fail({.where = option + " " + file, .what = "the folder does not exist", .hint = "create " + parent.string()});
}

struct Evaluation {
  mv::Accuracy accuracy;
  mv::ConfusionMatrix confusion;
  mv::RunningMean loss{};
};

/// All of `data`, in batches; a progress bar on stderr. Precondition: the engine takes such a batch and knows these classes.
inline Evaluation evaluate(Engine& engine, const mv::Dataset& data, const Normaliser& normalise, mv::Index batch) {
  const mv::Index size = data.image_size(), classes = data.classes;
  Evaluation out{mv::Accuracy(std::min<mv::Index>(5, classes)), mv::ConfusionMatrix(classes)};
  std::vector<float> input(static_cast<std::size_t>(batch * size));
  mv::Progress progress(data.size());
  for (mv::Index first = 0; first < data.size(); first += batch) {
    const mv::Index count = std::min(batch, data.size() - first);
    for (mv::Index i = 0; i < count; ++i) normalise(data, first + i, input.data() + i * size);
    const float* const logits = engine.logits(input.data(), count);
    for (mv::Index i = 0; i < count; ++i) {
      const float* const row = logits + i * classes;
      const mv::Index label = data.label(first + i);
      out.accuracy.add(row, classes, label);
      out.confusion.add(label, mv::argmax(row, classes));
      out.loss.add(-mv::detail::LogSoftmax<float>(row, classes)[label]);
    }
    progress.update(first + count, "evaluate", out.loss.mean());
  }
  progress.finish();
  return out;
}

/// Rows: the class of an image; columns: what it was taken for; in percent of the row. Images whose logits were not finite
/// have a column of their own when there are any.
inline mv::HeatMap confusion_map(const Evaluation& e, const std::vector<std::string>& names) {
  const mv::Index classes = e.confusion.classes(), extra = e.accuracy.non_finite() > 0 ? 1 : 0;
  mv::HeatMap map{.title = fmt::format("Confusion of classes: {} images, accuracy {:.2f} %", e.accuracy.images(),
                                       100 * e.accuracy.top1()),
                  .row_title = "class of the image",
                  .column_title = "taken for",
                  .values = {classes, classes + extra},
                  .row_labels = names,
                  .column_labels = names,
                  .scale_title = "% of the row",
                  .low = 0,
                  .high = 100,
                  .decimals = classes <= 40 ? 1 : -1};  // more would not be read
  if (extra > 0) map.column_labels.push_back("not finite");
  for (mv::Index i = 0; i < classes; ++i)
    for (mv::Index j = 0; j < classes + extra; ++j) {
      const mv::Index all = e.confusion.images(i), count = e.confusion.count(i, j < classes ? j : -1);
      map.values(i, j) = all > 0 ? 100.0 * static_cast<double>(count) / static_cast<double>(all) : std::nan("");
    }
  return map;
}

}  // namespace cli
