// SPDX-License-Identifier: MIT
// SwinConfig: everything that makes one Swin or Mini-Swin differ from another, as one plain value that can be a template
// argument. The rules it must obey stand in swin_rules.hpp, ready-made values in presets.hpp.
#pragma once

#include <minivit/core/view.hpp>

#include <algorithm>
#include <array>

namespace minivit::inline MINIVIT_ISA {

/// One number for each stage; zeros behind the last stage.
using PerStage = std::array<int, 4>;

/// What keeps layers different that share weights (MiniViT section 3.1). All three in the published models.
struct SwinTransformations {
  bool separate_norms = false;  ///< norms belong to a layer, not to its group
  bool mix_heads = false;       ///< mix attention heads before and after softmax, per layer, with bias
  bool local_conv = false;      ///< a norm and a depth-wise 7 x 7 convolution in front of the MLP, per layer
  bool operator==(const SwinTransformations&) const = default;  ///< equal in every field
};

/// A Swin (arXiv 2103.14030) or Mini-Swin. Defaults are Swin-T.
struct SwinConfig {
  int image = 224;                        ///< side of the square input, pixels
  int patch = 4;                          ///< side of a patch, pixels; must divide `image`
  int channels = 3;                       ///< of the input; 3 for colours
  int dim = 96;                           ///< width of a token in the first stage; every stage doubles it
  PerStage depths{2, 2, 6, 2};            ///< layers of each stage
  PerStage heads{3, 6, 12, 24};           ///< attention heads of each stage
  PerStage blocks{2, 2, 6, 2};            ///< sets of weights of each stage, used by depths / blocks consecutive layers each
  int window = 7;                         ///< side of a window, tokens
  int mlp_ratio = 4;                      ///< hidden width of the MLP over the width of a token
  int classes = 1000;                     ///< outputs of the head (K)
  SwinTransformations transformations{};  ///< what shared layers have for themselves

  /// Stages in front of the first zero of `depths`, at most four.
  constexpr int stages() const { return static_cast<int>(std::find(depths.begin(), depths.end(), 0) - depths.begin()); }
  constexpr int depth() const { return depths[0] + depths[1] + depths[2] + depths[3]; }  ///< layers of all stages
  constexpr int grid(int stage = 0) const { return (image / patch) >> stage; }     ///< tokens per side of a stage's map
  constexpr int tokens(int stage = 0) const { return grid(stage) * grid(stage); }  ///< of a map
  constexpr int width(int stage) const { return dim << stage; }                    ///< of a token
  constexpr int repeat(int stage) const { return depths[at(stage)] / blocks[at(stage)]; }  ///< layers on one set of weights
  /// A stage that is no larger than a window is one window, and nothing is shifted in it.
  constexpr int window_at(int stage) const { return std::min(window, grid(stage)); }
  /// By which every other layer's windows are shifted.
  constexpr int shift_at(int stage) const { return grid(stage) > window ? window / 2 : 0; }
  /// Number, over all stages, of the first layer of a stage.
  constexpr int first_layer(int stage) const {
    int n = 0;
    for (int s = 0; s < stage; ++s) n += depths[at(s)];
    return n;
  }
  /// The stage of layer l.
  constexpr int stage_of(int l) const {
    int s = 0;
    while (s + 1 < stages() && first_layer(s + 1) <= l) ++s;
    return s;
  }
  bool operator==(const SwinConfig&) const = default;  ///< equal in every field

 private:
  static constexpr std::size_t at(int stage) { return static_cast<std::size_t>(stage); }
};

}  // namespace minivit::inline MINIVIT_ISA
