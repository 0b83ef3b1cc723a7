// SPDX-License-Identifier: MIT
#include "probe.hpp"

#include "registry.hpp"

#include <minivit/analysis/features.hpp>
#include <minivit/io/checkpoint.hpp>
#include <minivit/train/trainer.hpp>

#include <optional>

namespace cli {

namespace {

template <class Model>
class TypedProbe : public Probe {
 public:
  TypedProbe(const mv::SafeTensors& file, int threads) : model_(mv::load<Model>(file)), threads_(threads) {}

  std::vector<mv::Examples<float>> features(const float* images, mv::Index batch) override {
    if (!features_) features_.emplace(model_, mv::FeatureOptions{.max_batch = max_batch, .threads = threads_});
    std::vector<mv::Examples<float>> layers;
    for (const auto& y : (*features_)(typename Model::Images(images, batch)))
      layers.push_back({y.data(), batch, mv::Index{Model::tokens} * Model::config.dim});
    return layers;
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

}  // namespace

void require_small(const mv::ViTConfig& config, const std::string& where) {
  if (config.image != 32)
    mv::fail({.where = where, .what = "this program analyses models for 32x32 images", .found = std::to_string(config.image),
              .hint = "for larger ones call cka(), feature_distance(), attention_maps() and gradient_norms() of minivit/analysis/*.hpp: "
                      "docs/how-to/analyse.md"});
}

std::unique_ptr<Probe> make_probe(const mv::ViTConfig& config, const mv::SafeTensors& file, int threads) {
  require_small(config, file.where());
  std::unique_ptr<Probe> probe;
  with_config(config, file.where(), [&]<mv::ViTConfig C>() {
    if constexpr (C.image == 32) probe = std::make_unique<TypedProbe<mv::ViT<C>>>(file, threads);
  });
  return probe;
}

}  // namespace cli
