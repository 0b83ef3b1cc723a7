// SPDX-License-Identifier: MIT
// The probe of one model type.
#pragma once

#include "families.hpp"
#include "probe.hpp"

#include <minivit/io/checkpoint.hpp>
#include <minivit/train/trainer.hpp>

#include <optional>

namespace cli {

template <class Model>
class TypedProbe : public Probe {
 public:
  TypedProbe(const mv::StateDict& file, int threads) : model_(mv::load<Model>(file)), threads_(threads) {}

  std::vector<mv::LayerFeatures<float>> features(const float* images, mv::Index batch) override {
    if (!features_) features_.emplace(model_, mv::FeatureOptions{.max_batch = max_batch, .threads = threads_});
    const auto layers = (*features_)(typename Model::Images(images, batch));
    return {layers.begin(), layers.end()};
  }
  mv::AttentionMaps<float> attention(const float* image) override {
    return mv::attention_maps(model_, typename Model::Images(image, 1), mv::Threads(threads_));
  }
  std::vector<mv::PartNorm> gradient_norms(const float* images, const float* targets, mv::Index batch) override {
    using Trainer = mv::Trainer<Model>;
    Trainer trainer(model_, {.threads = threads_});
    trainer.accumulate(typename Model::Images(images, batch), typename Trainer::Targets(targets, batch));
    return mv::gradient_norms(trainer.gradients());
  }
  std::vector<mv::PartNorm> weight_norms() const override { return mv::gradient_norms(model_); }

 private:
  Model model_;
  int threads_;
  std::optional<mv::Features<Model>> features_;  // packed when first asked for
};

template <class Family>
std::unique_ptr<Probe> probe_among(const mv::AnyConfig& config, const mv::StateDict& file, int threads) {
  std::unique_ptr<Probe> probe;
  with_model<Family, small_images>(config,
                                   [&]<class Model>() { probe = std::make_unique<TypedProbe<Model>>(file, threads); });
  return probe;
}

}  // namespace cli
