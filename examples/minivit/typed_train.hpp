// SPDX-License-Identifier: MIT
// `minivit train` and a timed training step for one model, included by the sources of the families.
#pragma once

#include "train_parts.hpp"
#include "training.hpp"

namespace cli {

template <class Model, class W>
using PlainTrainer = mv::Trainer<Model, void, mv::SoftTargetCrossEntropy, W>;

/// train_vit() and train_swin().
template <class Family>
bool train_among(const TrainingOptions& o, const mv::AnyConfig& config) {
  return with_model<Family, small_images>(config, [&]<class Student>() {
    with_products(o.precision, [&]<class W>(W) {
      run_training<Student>(o, mv::SoftTargetCrossEntropy{}, [](Student& student, const auto& options) {
        return PlainTrainer<Student, W>(student, options);
      });
    });
  });
}

template <class Model, class W>
class TypedStep : public TrainingStep {
 public:
  explicit TypedStep(const StepOptions& o)
      : images_(o.batch),
        targets_(o.batch),
        trainer_(initialised(model_), {.schedule = {.peak = 1e-4, .total_steps = 1000},
                                       .threads = o.threads,
                                       .memory = o.recompute ? mv::Memory::recompute : mv::Memory::keep}) {
    constexpr mv::Index classes = Model::config.classes;
    for (mv::Index i = 0; i < images_.size(); ++i)
      images_.data()[i] = static_cast<float>(mv::Random(1).uniform(static_cast<std::uint64_t>(i)) * 2 - 1);
    for (mv::Index b = 0; b < o.batch; ++b) targets_.data()[b * classes + b % classes] = 1;
  }
  void run() override { trainer_.step(images_, targets_); }
  mv::Index macs() const override { return Model::macs; }
  mv::Index bytes_per_image() const override { return trainer_.bytes_per_image(); }

 private:
  static Model& initialised(Model& model) {
    mv::initialise(model, 1);
    return model;
  }
  Model model_;
  mv::Tensor<float, mv::Dyn, Model::config.channels, Model::config.image, Model::config.image> images_;
  mv::Tensor<float, mv::Dyn, Model::config.classes> targets_;
  PlainTrainer<Model, W> trainer_;
};

/// vit_step() and swin_step().
template <class Family, auto keep>
std::unique_ptr<TrainingStep> step_among(const mv::AnyConfig& config, const StepOptions& o) {
  std::unique_ptr<TrainingStep> step;
  with_model<Family, keep>(config, [&]<class Model>() {
    with_products(o.precision, [&]<class W>(W) { step = std::make_unique<TypedStep<Model, W>>(o); });
  });
  return step;
}

}  // namespace cli
