// SPDX-License-Identifier: MIT
// The engine of one model in one precision, and the parts into which the presets are cut: each is a source of its own.
#pragma once

#include "engine.hpp"
#include "families.hpp"

#include <minivit/io/checkpoint.hpp>
#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>

#include <functional>

namespace cli {

/// A source of parameters, so that the weights are in memory once.
using Parameters = std::function<void(const mv::ParameterInfo&, float*)>;

template <class Model, class W>
class TypedEngine : public Engine {
 public:
  TypedEngine(const Parameters& weights, const EngineOptions& o)
      : infer_(weights, {.max_batch = o.max_batch, .threads = o.threads}) {}
  const float* logits(const float* images, mv::Index batch) override {
    return infer_(typename Model::Images(images, batch)).data();
  }
  void calibrate(const float* images, mv::Index batch) override {
    if constexpr (std::is_same_v<W, mv::int8>) infer_.calibrate(typename Model::Images(images, batch));
    else mv::fail({.where = "--calibrate", .what = "only int8 has something to calibrate", .expected = "--precision int8"});
  }
  mv::Index macs() const override { return Model::macs; }
  mv::Index parameters() const override { return Model::parameters; }

 private:
  mv::Inference<Model, W> infer_;
};

/// The engine of a preset with keep(preset), or null when `config` is none.
template <class Family, auto keep>
std::unique_ptr<Engine> engine_among(const mv::AnyConfig& config, const mv::StateDict* file, const EngineOptions& options) {
  std::unique_ptr<Engine> engine;
  with_model<Family, keep>(config, [&]<class Model>() {
    const Parameters weights = file ? Parameters(mv::parameters_of<Model>(*file))
                                    : Parameters(mv::initial_parameters<Model>(1));
    if (options.precision == "bf16") engine = std::make_unique<TypedEngine<Model, mv::bf16>>(weights, options);
    else if (options.precision == "int8") engine = std::make_unique<TypedEngine<Model, mv::int8>>(weights, options);
    else engine = std::make_unique<TypedEngine<Model, float>>(weights, options);
  });
  return engine;
}

}  // namespace cli
