// SPDX-License-Identifier: MIT
// One forward pass of a small model of the fixtures with everything kept, and comparing with what the reference's had.
#pragma once

#include "../catch.hpp"
#include "fixture_models.hpp"

#include <minivit/models/inference.hpp>

namespace fixtures {

// Tolerances: the fixtures' README measured |float32 - float64| of the reference itself: logits up to 6e-7, intermediates up
// to 2.9e-6 at values up to 10, and suggests the limits below; a double build should reach 1e-12.
constexpr double intermediate_limit = 2e-5, logits_limit = 5e-6, double_limit = 1e-12;

/// Two images over generated weights and inputs.
template <class M>
struct Run {
  using Model = M;
  using T = typename Model::Scalar;
  using ConstNet = typename Model::ConstNet;
  static constexpr auto C = Model::config;
  Model model;
  mv::Tensor<T, mv::Dyn, C.channels, C.image, C.image> images{2};
  mv::Buffer<T> memory{Model::training_bytes(2) / static_cast<mv::Index>(sizeof(T))};
  mv::Tensor<T, mv::Dyn, C.classes> logits{2}, distilled{2};
  ConstNet net;
  typename ConstNet::Saved saved;

  Run() {
    generated::weights(model);
    generated::input(images.data(), images.size());
    net = std::as_const(model).net();
    mv::Arena<T> arena(memory.data(), memory.size(), mv::Memory::keep);
    saved = net.forward(images, {logits, distilled}, arena);
  }
};

/// `numbers` against the tensor `name`, which must be in the file.
template <class Numbers>
void check(const mv::SafeTensors& file, const std::string& name, const Numbers& numbers) {
  INFO(name);
  REQUIRE(file.find(name) != nullptr);
  CHECK(difference(read<double>(file, name), numbers.data()) < intermediate_limit);
}

/// Two images through a full-size model. Limit: the README's for logits of this size.
template <class Model>
void check_full_size(const std::string& name) {
  Model model;
  generated::weights(model);
  mv::Tensor<float, mv::Dyn, 3, 224, 224> images(2);
  generated::input(images.data(), images.size());
  mv::Inference<Model> infer(model, {.max_batch = 2});
  const auto file = open(name + ".logits.safetensors");
  CHECK(difference(read<double>(file, "logits_f64"), infer(images).data()) < 2e-5);
}

}  // namespace fixtures
