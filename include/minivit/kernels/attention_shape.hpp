// SPDX-License-Identifier: MIT
// Sizes and weights of one multi-head attention with MiniViT's transformations, as the kernels see them.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/kernels/relative_position.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// One image, or one window of a map: qkv is [tokens, 3 * heads * head_dim], channel order (q | k | v, head, head_dim).
struct AttentionShape {
  Index tokens = 0;        ///< of an image or window, extra ones included
  Index heads = 0;         ///< of attention
  Index head_dim = 0;      ///< width of one head
  Index side = 0;          ///< patches per side of the image or window, for relative position and position bias
  Index extra_tokens = 0;  ///< class and distillation token, in front of the patches
  bool mix = false;        ///< mix heads before and after softmax
  bool relative = false;   ///< relative position on keys
  bool bias = false;       ///< position bias added to the scores, before the first mixing; needs extra_tokens = 0

  constexpr Index dim() const { return heads * head_dim; }  ///< width of queries, keys or values
  /// Of the relative position table.
  constexpr Index columns() const { return relative_columns(static_cast<int>(extra_tokens)); }
};

/// The transformations of a layer; a null pointer switches the part off. The first mixing of Mini-Swin has a bias, too
/// ("proj_l.bias"): it shifts all scores of a query alike, and softmax does not see that (the mask comes afterwards), so
/// neither it nor its gradient, which is zero, appears here.
template <class T>
struct AttentionWeights {
  const T* mix_before = nullptr;         ///< A1 [heads, heads], output head first ("conv_l", "proj_l")
  const T* mix_after = nullptr;          ///< A2 [heads, heads] ("conv_w", "proj_w")
  const T* table = nullptr;              ///< iRPE lookup table [head_dim, columns()]
  const std::int8_t* offsets = nullptr;  ///< RelativeOffsets<side>::center()
  const T* mix_after_bias = nullptr;     ///< [heads], added by the second mixing ("proj_w" of Mini-Swin)
  const T* bias_table = nullptr;         ///< position bias [(2 side - 1)^2, heads]; kernels read it as ScorePlanes
};

/// Where backward adds the gradients of AttentionWeights; same extents.
template <class T>
struct AttentionGradients {
  T* mix_before = nullptr;      ///< [heads, heads]
  T* mix_after = nullptr;       ///< [heads, heads]
  T* mix_after_bias = nullptr;  ///< [heads]
  T* table = nullptr;           ///< [head_dim, columns()]
  T* bias_table = nullptr;      ///< [(2 side - 1)^2, heads]
};

/// What is added to the scores, laid out as the scores are: rows of `stride` elements, of which the first `tokens` count.
/// Kernels want their own row length, which they name (`stride(shape)`); the bias is made once for all windows of a call.
template <class T>
struct ScorePlanes {
  Index stride = 0;         ///< elements from row to row, at least `tokens`
  const T* bias = nullptr;  ///< [heads, tokens, stride] before the first mixing
  const T* mask = nullptr;  ///< [tokens, stride] after it, for all heads; no row may be masked as a whole
  T* dbias = nullptr;       ///< backward: [heads, tokens, stride], the gradient of `bias` is added
};

}  // namespace minivit::inline MINIVIT_ISA::kernels
