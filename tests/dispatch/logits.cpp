// SPDX-License-Identifier: MIT
#include "logits.hpp"

#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/vit.hpp>

namespace mv = minivit;

namespace {
constexpr mv::ViTConfig small{
    .image = 16, .patch = 4, .dim = 24, .depth = 2, .heads = 3, .classes = 5, .sharing = {.repeat = 2, .mix_heads = true}};
using Model = mv::ViT<small>;
}  // namespace

Answer MINIVIT_DISPATCHED(answer)() {
  Model model;
  mv::initialise(model, 1);
  mv::Inference<Model> infer(model, {.threads = 1});
  mv::Tensor<float, mv::Dyn, 3, 16, 16> image(1);
  for (mv::Index i = 0; i < image.size(); ++i) image.data()[i] = static_cast<float>(i % 17) / 8 - 1;
  const auto logits = infer(image);
  return {mv::instruction_set(), {logits.begin(), logits.end()}};
}

void MINIVIT_DISPATCHED(refuse)(const std::string& what) { mv::fail({.where = "refuse", .what = what}); }
