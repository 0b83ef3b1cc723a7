// SPDX-License-Identifier: MIT
// What `minivit train` and `minivit distill` were asked for.
#pragma once

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <minivit/core/view.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace cli {

namespace mv = minivit;

struct TrainingOptions {
  std::string model, data = "synthetic", on_broken = "stop", output, log, csv, plot, teacher, precision = "f32", init,
                     rand_augment;
  std::vector<std::string> freeze;
  mv::Index epochs = 10, batch = 64, count = 0;
  double lr = 1e-3, weight_decay = 0.05, warmup_epochs = 1, clip = 1, drop_path = 0, smoothing = 0, mixup = 0, cutmix = 0,
         average = 0, layer_decay = 1, erasing = 0, mix_probability = 1, switch_probability = 0.5;
  int padding = 0, threads = 0, repeats = 1;
  bool flip = false, resized_crop = false, resume = false, recompute = false;
  std::uint64_t seed = 1;
  std::string kind = "soft";
  double alpha = 0.9, tau = 2;
  bool reference_scale = false;
  double attention = 0, hidden = 0;
  std::string start = "random", transformations = "identity";
};

void add_training_options(CLI::App& sub, TrainingOptions& o);

/// The settings that must not change when a run is resumed, as one line.
inline std::string settings_line(const TrainingOptions& o) {
  return fmt::format(
      "{} on {} ({}), {} epochs of batch {}, lr {}, warmup {}, decay {}, clip {}, drop path {}, smoothing {}, mixup {}, "
      "cutmix {}, padding {}, flip {}, seed {}, {}, average {}, resized crop {}, RandAugment '{}', erasing {}, mix "
      "{} switch {}, repeats {}, init '{}', layer decay {}, frozen '{}', teacher '{}', {} alpha {} tau {} "
      "reference scale {}, attention {}, hidden {}, start {} {}{}",
      o.model, o.data, o.count, o.epochs, o.batch, o.lr, o.warmup_epochs, o.weight_decay, o.clip, o.drop_path, o.smoothing,
      o.mixup, o.cutmix, o.padding, o.flip, o.seed, o.precision, o.average, o.resized_crop, o.rand_augment, o.erasing,
      o.mix_probability, o.switch_probability, o.repeats, o.init, o.layer_decay, fmt::join(o.freeze, " "), o.teacher, o.kind,
      o.alpha, o.tau, o.reference_scale, o.attention, o.hidden, o.start, o.transformations,
      o.on_broken == "stop" ? "" : ", broken pictures skipped");
}

}  // namespace cli
