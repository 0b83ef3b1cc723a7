// SPDX-License-Identifier: MIT
#include "probe.hpp"

#include "families.hpp"

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

mv::ViTConfig probed_config(const mv::AnyConfig& config, const std::string& where) {
  const auto* const vit = std::get_if<mv::ViTConfig>(&config);
  if (vit == nullptr)
    mv::fail({.where = where, .what = "this program analyses ViTs: a Swin's layers differ in width and its attention lies in windows",
              .hint = "'minivit eval --confusion' works for every family"});
  if (vit->image != 32)
    mv::fail({.where = where, .what = "this program analyses models for 32x32 images", .found = std::to_string(vit->image),
              .hint = "for larger ones call cka(), feature_distance(), attention_maps() and gradient_norms() of minivit/analysis/*.hpp: "
                      "docs/how-to/analyse.md"});
  return *vit;
}

std::unique_ptr<Probe> make_probe(const mv::ViTConfig& config, const mv::SafeTensors& file, int threads) {
  std::unique_ptr<Probe> probe;
  if (!with_model<ViTs, small_images>(config, [&]<class Model>() { probe = std::make_unique<TypedProbe<Model>>(file, threads); }))
    fail_unknown(config, file.where());
  return probe;
}

}  // namespace cli
