// SPDX-License-Identifier: MIT
// Published models by their timm and MiniViT names, and sizes for 32x32 images. Copy one, change a field, use it as a type.
// Sources: DeiT (arXiv 2012.12877, table 1), Mini-DeiT (arXiv 2204.07154 and its code), parameter counts in the tests.
#pragma once

#include <minivit/models/config.hpp>

#include <array>

namespace minivit::inline MINIVIT_ISA::presets {

namespace detail {
constexpr ViTConfig deit(int dim, int heads, int image = 224) {
  ViTConfig c;
  c.dim = dim;
  c.heads = heads;
  c.image = image;
  return c;
}
/// Mini-DeiT: no class token, mean pooling, `repeat` layers per set of weights, all transformations.
constexpr ViTConfig mini(ViTConfig c, int repeat = 2) {
  c.pool = Pool::mean;
  c.sharing = {.repeat = repeat, .mix_heads = true};
  c.position = {.keys = true};
  return c;
}
/// CIFAR-sized: 32x32 images in 4x4 patches, 64 tokens. Relative position helps on small data sets, so teachers have it, too.
constexpr ViTConfig small_image(int dim, int heads, int depth) {
  ViTConfig c = deit(dim, heads, 32);
  c.patch = 4;
  c.depth = depth;
  c.classes = 10;
  c.pool = Pool::mean;
  c.position = {.keys = true};
  return c;
}
constexpr ViTConfig slim(ViTConfig c) {
  c.mlp_ratio = 2;
  return c;
}
constexpr ViTConfig distilled(ViTConfig c) {
  c.distilled = true;
  return c;
}
}  // namespace detail

inline constexpr ViTConfig deit_tiny_patch16_224 = detail::deit(192, 3);
inline constexpr ViTConfig deit_small_patch16_224 = detail::deit(384, 6);
inline constexpr ViTConfig deit_base_patch16_224 = detail::deit(768, 12);
inline constexpr ViTConfig deit_base_patch16_384 = detail::deit(768, 12, 384);
inline constexpr ViTConfig deit_tiny_distilled_patch16_224 = detail::distilled(deit_tiny_patch16_224);

inline constexpr ViTConfig mini_deit_tiny_patch16_224 = detail::mini(deit_tiny_patch16_224);
inline constexpr ViTConfig mini_deit_small_patch16_224 = detail::mini(deit_small_patch16_224);
inline constexpr ViTConfig mini_deit_base_patch16_224 = detail::mini(deit_base_patch16_224);
inline constexpr ViTConfig mini_deit_base_patch16_384 = detail::mini(deit_base_patch16_384);
/// All twelve layers of DeiT-B on one set of weights: the "9M" model of the paper.
inline constexpr ViTConfig mini_deit_base_repeat12_patch16_224 = detail::mini(deit_base_patch16_224, 12);

/// Short names for use as a starting point.
inline constexpr ViTConfig deit_tiny = deit_tiny_patch16_224;
inline constexpr ViTConfig deit_small = deit_small_patch16_224;
inline constexpr ViTConfig deit_base = deit_base_patch16_224;
inline constexpr ViTConfig mini_deit_tiny = mini_deit_tiny_patch16_224;
inline constexpr ViTConfig mini_deit_small = mini_deit_small_patch16_224;
inline constexpr ViTConfig mini_deit_base = mini_deit_base_patch16_224;

/// For 32x32 images. Unshared ones serve as teachers, `mini_` ones as their students.
inline constexpr ViTConfig vit_nano_patch4_32 = detail::small_image(96, 3, 6);
inline constexpr ViTConfig vit_micro_patch4_32 = detail::small_image(128, 4, 8);
inline constexpr ViTConfig vit_tiny_patch4_32 = detail::small_image(192, 3, 12);
/// Deep and narrow, with a slim MLP: the teacher of the CIFAR-10 study (examples/reproduce).
inline constexpr ViTConfig vit_lite_patch4_32 = detail::slim(detail::small_image(160, 5, 12));
inline constexpr ViTConfig mini_vit_nano_patch4_32 = detail::mini(vit_nano_patch4_32);
inline constexpr ViTConfig mini_vit_micro_patch4_32 = detail::mini(vit_micro_patch4_32);
inline constexpr ViTConfig mini_vit_tiny_patch4_32 = detail::mini(vit_tiny_patch4_32);

inline constexpr ViTConfig mini_vit_lite_patch4_32 = detail::mini(vit_lite_patch4_32);
inline constexpr ViTConfig mini_vit_lite_repeat3_patch4_32 = detail::mini(vit_lite_patch4_32, 3);
inline constexpr ViTConfig mini_vit_lite_repeat12_patch4_32 = detail::mini(vit_lite_patch4_32, 12);

/// A preset under its name.
struct Named {
  const char* name;
  ViTConfig config;
};

/// Every preset, once.
inline constexpr std::array all{
    Named{"deit_tiny_patch16_224", deit_tiny_patch16_224},
    Named{"deit_small_patch16_224", deit_small_patch16_224},
    Named{"deit_base_patch16_224", deit_base_patch16_224},
    Named{"deit_base_patch16_384", deit_base_patch16_384},
    Named{"deit_tiny_distilled_patch16_224", deit_tiny_distilled_patch16_224},
    Named{"mini_deit_tiny_patch16_224", mini_deit_tiny_patch16_224},
    Named{"mini_deit_small_patch16_224", mini_deit_small_patch16_224},
    Named{"mini_deit_base_patch16_224", mini_deit_base_patch16_224},
    Named{"mini_deit_base_patch16_384", mini_deit_base_patch16_384},
    Named{"mini_deit_base_repeat12_patch16_224", mini_deit_base_repeat12_patch16_224},
    Named{"vit_nano_patch4_32", vit_nano_patch4_32},
    Named{"vit_micro_patch4_32", vit_micro_patch4_32},
    Named{"vit_tiny_patch4_32", vit_tiny_patch4_32},
    Named{"vit_lite_patch4_32", vit_lite_patch4_32},
    Named{"mini_vit_nano_patch4_32", mini_vit_nano_patch4_32},
    Named{"mini_vit_micro_patch4_32", mini_vit_micro_patch4_32},
    Named{"mini_vit_tiny_patch4_32", mini_vit_tiny_patch4_32},
    Named{"mini_vit_lite_patch4_32", mini_vit_lite_patch4_32},
    Named{"mini_vit_lite_repeat3_patch4_32", mini_vit_lite_repeat3_patch4_32},
    Named{"mini_vit_lite_repeat12_patch4_32", mini_vit_lite_repeat12_patch4_32},
};

}  // namespace minivit::inline MINIVIT_ISA::presets
