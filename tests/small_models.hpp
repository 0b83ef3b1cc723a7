// SPDX-License-Identifier: MIT
// A model of each family, as small as one with every transformation can be, and a batch for it.
#pragma once

#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

namespace small_models {

namespace mv = minivit;

inline constexpr mv::Index count = 3;  // images of a batch

/// 17 tokens and a head width that fill no register.
inline constexpr mv::ViTConfig vit = {.image = 12,
                                      .patch = 3,
                                      .dim = 18,
                                      .depth = 4,
                                      .heads = 3,
                                      .mlp_ratio = 2,
                                      .classes = 5,
                                      .sharing = {.repeat = 2, .mix_heads = true, .local_conv = true},
                                      .position = {.keys = true}};
/// Windows of 3 x 3, shifted and masked.
inline constexpr mv::SwinConfig swin = {.image = 24,
                                        .patch = 2,
                                        .dim = 12,
                                        .depths = {2, 2},
                                        .heads = {2, 3},
                                        .blocks = {1, 1},
                                        .window = 3,
                                        .mlp_ratio = 2,
                                        .classes = 5,
                                        .transformations = {.separate_norms = true, .mix_heads = true, .local_conv = true}};

/// Images and one-hot targets by formula.
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

}  // namespace small_models
