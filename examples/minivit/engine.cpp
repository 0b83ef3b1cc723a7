// SPDX-License-Identifier: MIT
#include "engine.hpp"

#include "registry.hpp"

#include <minivit/io/checkpoint.hpp>
#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>

#include <functional>

namespace cli {

namespace {

/// A source of parameters, so that the weights are in memory once.
using Parameters = std::function<void(const mv::ParameterInfo&, float*)>;

template <class Model, class W>
class TypedEngine : public Engine {
 public:
  TypedEngine(const Parameters& weights, const EngineOptions& o) : infer_(weights, {.max_batch = o.max_batch, .threads = o.threads}) {}
  const float* logits(const float* images, mv::Index batch) override { return infer_(typename Model::Images(images, batch)).data(); }
  void calibrate(const float* images, mv::Index batch) override {
    if constexpr (std::is_same_v<W, mv::int8>) infer_.calibrate(typename Model::Images(images, batch));
    else mv::fail({.where = "--calibrate", .what = "only int8 has something to calibrate", .expected = "--precision int8"});
  }
  mv::Index macs() const override { return Model::macs; }
  mv::Index parameters() const override { return Model::parameters; }

 private:
  mv::Inference<Model, W> infer_;
};

}  // namespace

std::unique_ptr<Engine> make_engine(const mv::ViTConfig& config, const mv::SafeTensors* file, const EngineOptions& options) {
  if (options.precision != "f32" && options.precision != "bf16" && options.precision != "int8")
    mv::fail({.where = "--precision " + options.precision, .what = "not available", .expected = "f32, bf16 or int8"});
  std::unique_ptr<Engine> engine;
  with_config(config, file ? file->where() : "model", [&]<mv::ViTConfig C>() {
    using Model = mv::ViT<C>;
    const Parameters weights = file ? Parameters(mv::parameters_of<Model>(*file)) : Parameters(mv::initial_parameters<Model>(1));
    if (options.precision == "bf16") engine = std::make_unique<TypedEngine<Model, mv::bf16>>(weights, options);
    else if (options.precision == "int8") engine = std::make_unique<TypedEngine<Model, mv::int8>>(weights, options);
    else engine = std::make_unique<TypedEngine<Model, float>>(weights, options);
  });
  return engine;
}

mv::ViTConfig config_of(const mv::SafeTensors& file) {
  if (const auto config = mv::read_config(file)) return *config;
  mv::fail({.where = file.where(), .what = "the file does not say which model it holds", .expected = "metadata 'minivit.config'",
            .hint = "'minivit forward --model NAME' reads such files"});
}

}  // namespace cli
