// SPDX-License-Identifier: MIT
// ViTConfig: everything that makes one vision transformer differ from another, as one plain value that can be a
// template argument. Change a copy. The rules it must obey stand in rules.hpp, ready-made values in presets.hpp.
#pragma once

#include <minivit/core/view.hpp>

#include <string_view>

namespace minivit::inline MINIVIT_ISA {

/// What the head reads: the class token (DeiT) or the mean of all normalised tokens (Mini-DeiT).
enum class Pool {
  cls,  ///< the class token, in front of the patches
  mean  ///< the mean of all tokens; there is no class token
};

/// Weight multiplexing (MiniViT, section 3.1): which layers share weights and what keeps them different.
struct Sharing {
  int repeat = 1;          ///< this many consecutive layers use one set of weights; must divide the depth
  bool mix_heads = false;  ///< mix attention heads before and after softmax, per layer, no bias
  /// Every layer has norms of its own, as in all published models; false: the layers of a group share them, too. No other
  /// use than to show what separate norms bring.
  bool separate_norms = true;
  /// The paper's transformation in front of the MLP, per layer: a norm and a depth-wise 7 x 7 convolution over the patches
  /// (layers/local_conv.hpp). Published for Mini-Swin only; reference section 1.5 says why.
  bool local_conv = false;
  bool operator==(const Sharing&) const = default;  ///< equal in every field
};

/// Image relative position encoding (iRPE, ICCV 2021): product method, contextual, one table for all heads of a layer.
struct RelativePosition {
  bool keys = false;                                         ///< add q . table[bucket(query, key)] to the scores
  bool operator==(const RelativePosition&) const = default;  ///< equal in every field
};

/// A DeiT or Mini-DeiT. Defaults are DeiT-Ti.
struct ViTConfig {
  int image = 224;              ///< side of the square input, pixels
  int patch = 16;               ///< side of a patch, pixels; must divide `image`
  int channels = 3;             ///< of the input; 3 for colours
  int dim = 192;                ///< width of a token (D)
  int depth = 12;               ///< number of layers
  int heads = 3;                ///< attention heads (H); must divide `dim`
  int mlp_ratio = 4;            ///< hidden width of the MLP over `dim`
  int classes = 1000;           ///< outputs of the head (K)
  Pool pool = Pool::cls;        ///< what the head reads
  bool distilled = false;       ///< a distillation token and a second head (needs Pool::cls)
  Sharing sharing{};            ///< which layers share weights
  RelativePosition position{};  ///< relative position encoding

  constexpr int grid() const { return image / patch; }  ///< patches per side
  /// class and distillation token
  constexpr int extra_tokens() const { return pool == Pool::cls ? (distilled ? 2 : 1) : 0; }
  constexpr int tokens() const { return grid() * grid() + extra_tokens(); }  ///< N
  constexpr int hidden() const { return dim * mlp_ratio; }                   ///< M
  constexpr int groups() const { return depth / sharing.repeat; }            ///< sets of shared weights
  bool operator==(const ViTConfig&) const = default;                         ///< equal in every field
};

}  // namespace minivit::inline MINIVIT_ISA
