// SPDX-License-Identifier: MIT
// Sizes and weights of one multi-head attention with MiniViT's transformations, as the kernels see them.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/kernels/relative_position.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// One image: qkv is [tokens, 3 * heads * head_dim], channel order (q | k | v, head, head_dim).
struct AttentionShape {
  Index tokens = 0;
  Index heads = 0;
  Index head_dim = 0;
  Index side = 0;          ///< patches per side of the image, for relative position
  Index extra_tokens = 0;  ///< class and distillation token, in front of the patches
  bool mix = false;        ///< mix heads before and after softmax
  bool relative = false;   ///< relative position on keys

  constexpr Index dim() const { return heads * head_dim; }
  constexpr Index columns() const { return relative_columns(static_cast<int>(extra_tokens)); }
};

/// The per-layer transformations; a null pointer switches the part off.
template <class T>
struct AttentionWeights {
  const T* mix_before = nullptr;          ///< A1 [heads, heads], output head first ("conv_l")
  const T* mix_after = nullptr;           ///< A2 [heads, heads] ("conv_w")
  const T* table = nullptr;               ///< iRPE lookup table [head_dim, columns()]
  const std::int8_t* offsets = nullptr;   ///< RelativeOffsets<side>::center()
};

/// Where backward adds the gradients of AttentionWeights; same extents.
template <class T>
struct AttentionGradients {
  T* mix_before = nullptr;
  T* mix_after = nullptr;
  T* table = nullptr;
};

}  // namespace minivit::inline MINIVIT_ISA::kernels
