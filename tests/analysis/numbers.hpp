// SPDX-License-Identifier: MIT
// Random matrices for the tests of analyses, and models with generated weights.
#pragma once

#include "../models/fixture_models.hpp"

#include <minivit/analysis/matrix.hpp>
#include <minivit/core/random.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

namespace numbers {

namespace mv = minivit;
using mv::Index;

inline mv::Matrix normal(Index rows, Index columns, std::uint64_t seed) {
  mv::Matrix m(rows, columns);
  const mv::Random random(seed);
  for (std::size_t i = 0; i < m.values.size(); ++i) m.values[i] = random.normal(i);
  return m;
}

inline mv::Examples<double> examples(const mv::Matrix& m) { return {m.values.data(), m.rows, m.columns}; }

/// The same model with weights of its own for each layer.
constexpr mv::ViTConfig unshared(mv::ViTConfig c) {
  c.sharing.repeat = 1;
  return c;
}

template <mv::ViTConfig C, class T = float>
mv::ViT<C, T> model(const std::string& prefix = "") {
  mv::ViT<C, T> out;
  generated::weights(out, prefix);
  return out;
}

template <mv::SwinConfig C, class T = float>
mv::Swin<C, T> model() {
  mv::Swin<C, T> out;
  generated::weights(out);
  return out;
}

template <auto C, class T = float>
mv::Tensor<T, mv::Dyn, C.channels, C.image, C.image> images(Index batch) {
  mv::Tensor<T, mv::Dyn, C.channels, C.image, C.image> out(batch);
  generated::input(out.data(), out.size());
  return out;
}

/// A forward pass of the model itself with everything kept.
template <class Model>
struct Kept {
  using T = typename Model::Scalar;
  using Net = typename Model::ConstNet;
  mv::Buffer<T> memory;
  mv::Tensor<T, mv::Dyn, Model::config.classes> logits, distilled;
  Net net;
  typename Net::Saved saved;

  template <class Images>
  Kept(const Model& model, const Images& images)
      : memory(Model::training_bytes(images.batch()) / static_cast<Index>(sizeof(T))),
        logits(images.batch()),
        distilled(images.batch()),
        net(model.net()) {
    mv::Arena<T> arena(memory.data(), memory.size(), mv::Memory::keep);
    saved = net.forward(images, {logits, distilled}, arena);
  }
};

}  // namespace numbers
