// SPDX-License-Identifier: MIT
// Inference in three precisions, training in two, distillation: of both families, small, with every transformation.
#include "fixed_order.hpp"

#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/losses/weight_distillation.hpp>
#include <minivit/train/trainer.hpp>

#include <cstdio>
#include <cstring>

namespace mv = minivit;
static_assert(mv::fixed_order(), "link minivit::fixed_order");

namespace {

constexpr mv::Index count = 3;

/// 17 tokens and a head width that fill no register.
constexpr mv::ViTConfig vit = {.image = 12,
                               .patch = 3,
                               .dim = 18,
                               .depth = 4,
                               .heads = 3,
                               .mlp_ratio = 2,
                               .classes = 5,
                               .sharing = {.repeat = 2, .mix_heads = true, .local_conv = true},
                               .position = {.keys = true}};
constexpr mv::ViTConfig teacher = {.image = 12, .patch = 3, .dim = 24, .depth = 4, .heads = 3, .mlp_ratio = 2, .classes = 5};
/// Windows of 3 x 3, shifted and masked.
constexpr mv::SwinConfig swin = {.image = 24,
                                 .patch = 2,
                                 .dim = 12,
                                 .depths = {2, 2},
                                 .heads = {2, 3},
                                 .blocks = {1, 1},
                                 .window = 3,
                                 .mlp_ratio = 2,
                                 .classes = 5,
                                 .transformations = {.separate_norms = true, .mix_heads = true, .local_conv = true}};

class Results {
 public:
  /// FNV-1a over the bytes of all values, by hand: the standard's hash need not be the same everywhere.
  void begin() { hash_ = 14695981039346656037u; }
  void add(const float* values, mv::Index size) {
    for (mv::Index i = 0; i < size; ++i) {
      std::uint32_t bits;
      std::memcpy(&bits, values + i, sizeof bits);
      hash_ = (hash_ ^ bits) * 1099511628211u;
    }
  }
  void end(const std::string& name, float first) {
    char line[100];
    std::snprintf(line, sizeof line, "%-24s %016llx %.9g\n", name.c_str(), static_cast<unsigned long long>(hash_),
                  static_cast<double>(first));
    text_ += line;
  }
  const std::string& text() const { return text_; }

 private:
  std::uint64_t hash_ = 0;
  std::string text_;
};

template <class Model>
struct Batch {
  static constexpr auto config = Model::config;
  mv::Tensor<float, mv::Dyn, config.channels, config.image, config.image> images{count};
  mv::Tensor<float, mv::Dyn, config.classes> targets{count};

  Batch() {
    for (mv::Index i = 0; i < images.size(); ++i) images.data()[i] = static_cast<float>(i * 7919 % 257) / 128 - 1;
    for (mv::Index i = 0; i < count; ++i) targets.data()[i * config.classes + i % config.classes] = 1;
  }
};

template <class W, class Model>
void classify(Results& results, const std::string& name, const Model& model) {
  mv::Inference<Model, W> infer(model, {.max_batch = count, .threads = 1});
  const auto logits = infer(Batch<Model>().images);
  results.begin();
  results.add(logits.data(), logits.size());
  results.end(name, logits.data()[0]);
}

/// Two steps of `trainer`.
template <class Trainer>
void train(Results& results, const std::string& name, Trainer& trainer) {
  using Model = typename Trainer::Model;
  const Batch<Model> batch;
  results.begin();
  for (int step = 0; step < 2; ++step) trainer.step(batch.images, batch.targets);
  for (const auto& p : Model::parameter_table()) results.add(trainer.student().data() + p.offset, p.size);
  results.end(name, trainer.student().data()[0]);
}

template <class Model>
Model started(std::uint64_t seed) {
  Model model;
  mv::initialise(model, seed);
  return model;
}

}  // namespace

std::string MINIVIT_DISPATCHED(results)() {
  Results out;
  using ViT = mv::ViT<vit>;
  using Teacher = mv::ViT<teacher>;
  using Swin = mv::Swin<swin>;
  const auto options = [](auto loss) {
    return typename mv::TrainerOptions<decltype(loss)>{.loss = loss,
                                                       .optimiser = {.clip_norm = 1},
                                                       .schedule = {.peak = 1e-2, .total_steps = 2},
                                                       .drop_path = 0.1,
                                                       .threads = 1,
                                                       .micro_batch = 2};
  };
  auto a = started<ViT>(7);
  classify<float>(out, "Mini-DeiT float32", a);
  classify<mv::bf16>(out, "Mini-DeiT bf16", a);
  classify<mv::int8>(out, "Mini-DeiT int8", a);

  constexpr auto pairs = mv::spread_layers(4, 4, 2);
  using Loss = mv::WeightDistillation<mv::DeiTDistillation, mv::AttentionRelations<pairs>, mv::HiddenRelations<pairs>>;
  const auto source = started<Teacher>(8);
  mv::Trainer<ViT, Teacher, Loss> distil(a, source, options(Loss{}));
  train(out, "Mini-DeiT distilled", distil);

  auto b = started<Swin>(9);
  classify<float>(out, "Mini-Swin float32", b);
  mv::Trainer<Swin, void, mv::SoftTargetCrossEntropy, mv::bf16> bf16(b, options(mv::SoftTargetCrossEntropy{}));
  train(out, "Mini-Swin bf16 trained", bf16);
  return out.text();
}
