// SPDX-License-Identifier: MIT
// Small models with every transformation: of Mini-DeiT inference in three precisions and distillation, of Mini-Swin
// inference in float32 and training in bf16.
#include "fixed_order.hpp"

#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>
#include <minivit/train/losses/weight_distillation.hpp>
#include <minivit/train/trainer.hpp>

#include <cstdio>
#include <string_view>
#include <vector>

#include "../small_models.hpp"

namespace mv = minivit;
using small_models::Batch;
static_assert(mv::fixed_order(), "link minivit::fixed_order");

namespace {

constexpr mv::ViTConfig teacher = {.image = 12, .patch = 3, .dim = 24, .depth = 4, .heads = 3, .mlp_ratio = 2, .classes = 5};

/// A line of the results: the name, a hash of all bits, the first value.
std::string line(const char* name, const std::vector<float>& values) {
  char text[100];
  const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
  std::snprintf(text, sizeof text, "%-24s %016llx %.9g\n", name, static_cast<unsigned long long>(mv::hash_name(bytes)),
                static_cast<double>(values[0]));
  return text;
}

template <class W, class Model>
std::string classify(const char* name, const Model& model) {
  mv::Inference<Model, W> infer(model, {.max_batch = small_models::count, .threads = 1});
  const auto logits = infer(Batch<Model>().images);
  return line(name, {logits.begin(), logits.end()});
}

/// Two steps of `trainer`; the result is the weights.
template <class Trainer>
std::string train(const char* name, Trainer& trainer) {
  using Model = typename Trainer::Model;
  const Batch<Model> batch;
  for (int step = 0; step < 2; ++step) trainer.step(batch.images, batch.targets);
  std::vector<float> weights;
  for (const auto& p : Model::parameter_table())
    weights.insert(weights.end(), trainer.student().data() + p.offset, trainer.student().data() + p.offset + p.size);
  return line(name, weights);
}

template <class Model>
Model started(std::uint64_t seed) {
  Model model;
  mv::initialise(model, seed);
  return model;
}

}  // namespace

std::string MINIVIT_DISPATCHED(results)() {
  std::string out;
  using ViT = mv::ViT<small_models::vit>;
  using Teacher = mv::ViT<teacher>;
  using Swin = mv::Swin<small_models::swin>;
  const auto options = [](auto loss) {
    return typename mv::TrainerOptions<decltype(loss)>{.loss = loss,
                                                       .optimiser = {.clip_norm = 1},
                                                       .schedule = {.peak = 1e-2, .total_steps = 2},
                                                       .drop_path = 0.1,
                                                       .threads = 1,
                                                       .micro_batch = 2};
  };
  auto a = started<ViT>(7);
  out += classify<float>("Mini-DeiT float32", a);
  out += classify<mv::bf16>("Mini-DeiT bf16", a);
  out += classify<mv::int8>("Mini-DeiT int8", a);

  constexpr auto pairs = mv::spread_layers(4, 4, 2);
  using Loss = mv::WeightDistillation<mv::DeiTDistillation, mv::AttentionRelations<pairs>, mv::HiddenRelations<pairs>>;
  const auto source = started<Teacher>(8);
  mv::Trainer<ViT, Teacher, Loss> distil(a, source, options(Loss{}));
  out += train("Mini-DeiT distilled", distil);

  auto b = started<Swin>(9);
  out += classify<float>("Mini-Swin float32", b);
  mv::Trainer<Swin, void, mv::SoftTargetCrossEntropy, mv::bf16> bf16(b, options(mv::SoftTargetCrossEntropy{}));
  out += train("Mini-Swin bf16 trained", bf16);
  return out;
}
