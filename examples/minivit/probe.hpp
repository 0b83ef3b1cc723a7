// SPDX-License-Identifier: MIT
// Probe: a look inside any model for 32x32 images behind one interface, so that only one source per family instantiates what
// analyses ask of a model. Products are in float32.
#pragma once

#include <minivit/analysis/attention_maps.hpp>
#include <minivit/analysis/features.hpp>
#include <minivit/analysis/gradient_norms.hpp>
#include <minivit/io/open_weights.hpp>
#include <minivit/models/any_config.hpp>

#include <memory>

namespace cli {

namespace mv = minivit;

class Probe {
 public:
  /// Images of a call to features() at most.
  static constexpr mv::Index max_batch = 64;

  virtual ~Probe() = default;
  /// What every layer puts out for normalised images [batch, channels, 32, 32]; valid until the next call.
  virtual std::vector<mv::LayerFeatures<float>> features(const float* images, mv::Index batch) = 0;
  /// The maps for one image.
  virtual mv::AttentionMaps<float> attention(const float* image) = 0;
  /// Norms of the cross-entropy's gradient over a batch with one-hot `targets` [batch, classes].
  virtual std::vector<mv::PartNorm> gradient_norms(const float* images, const float* targets, mv::Index batch) = 0;
  /// Norms of the weights, in the same rows.
  virtual std::vector<mv::PartNorm> weight_norms() const = 0;
};

/// With weights from `file`; null when `config` is no preset of the family for 32x32 images.
std::unique_ptr<Probe> vit_probe(const mv::AnyConfig& config, const mv::StateDict& file, int threads);
std::unique_ptr<Probe> swin_probe(const mv::AnyConfig& config, const mv::StateDict& file, int threads);

/// Of either family. Throws Error when the config is none of those presets.
std::unique_ptr<Probe> make_probe(const mv::AnyConfig& config, const mv::StateDict& file, int threads);

}  // namespace cli
