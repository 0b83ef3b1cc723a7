// SPDX-License-Identifier: MIT
// Published models by their timm and MiniViT names, and sizes for 32x32 images. Copy one, change a field, use it as a type.
// Sources: DeiT (arXiv 2012.12877, table 1), Swin (arXiv 2103.14030), MiniViT (arXiv 2204.07154 and its code); parameter
// counts in the tests.
#pragma once

#include <minivit/core/preprocessing.hpp>
#include <minivit/models/config.hpp>
#include <minivit/models/swin_config.hpp>

#include <array>
#include <optional>
#include <string_view>

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
  c.sharing.repeat = repeat;
  c.sharing.mix_heads = true;
  c.position = {.keys = true};
  return c;
}
/// CIFAR-sized: 32x32 images in 4x4 patches, 64 tokens. Relative position helps on small data sets, so teachers have it,
/// too.
constexpr ViTConfig small_image(int dim, int heads, int depth) {
  ViTConfig c = deit(dim, heads, 32);
  c.patch = 4;
  c.depth = depth;
  c.classes = 10;
  c.pool = Pool::mean;
  c.position = {.keys = true};
  return c;
}
/// With the local convolution: small data sets do not teach a transformer that neighbours matter.
constexpr ViTConfig lite(ViTConfig c) {
  c.sharing.local_conv = true;
  return c;
}
constexpr SwinConfig lite(SwinConfig c) {
  c.transformations.local_conv = true;
  return c;
}
constexpr ViTConfig distilled(ViTConfig c) {
  c.distilled = true;
  return c;
}
constexpr SwinConfig swin(int dim, int heads, int third_stage) {
  SwinConfig c;
  c.dim = dim;
  c.depths = c.blocks = {2, 2, third_stage, 2};
  c.heads = {heads, 2 * heads, 4 * heads, 8 * heads};
  return c;
}
constexpr SwinConfig at_384(SwinConfig c) {
  c.image = 384;
  c.window = 12;
  return c;
}
/// Mini-Swin: `blocks` sets of weights in each stage, all transformations.
constexpr SwinConfig mini(SwinConfig c, PerStage blocks) {
  c.blocks = blocks;
  c.transformations = {.separate_norms = true, .mix_heads = true, .local_conv = true};
  return c;
}
/// CIFAR-sized: 32x32 images in 2x2 patches, three stages of 16x16, 8x8 and 4x4 tokens.
constexpr SwinConfig small_image_swin(int dim, int heads, PerStage depths) {
  SwinConfig c;
  c.image = 32;
  c.patch = 2;
  c.dim = dim;
  c.depths = c.blocks = depths;
  c.heads = {heads, 2 * heads, 4 * heads, 0};
  c.window = 4;
  c.mlp_ratio = 2;
  c.classes = 10;
  return c;
}
}  // namespace detail

inline constexpr ViTConfig deit_tiny_patch16_224 = detail::deit(192, 3);        ///< DeiT-Ti: 5.7 M parameters
inline constexpr ViTConfig deit_small_patch16_224 = detail::deit(384, 6);       ///< DeiT-S: 22 M
inline constexpr ViTConfig deit_base_patch16_224 = detail::deit(768, 12);       ///< DeiT-B: 87 M
inline constexpr ViTConfig deit_base_patch16_384 = detail::deit(768, 12, 384);  ///< 577 tokens
/// With distillation token and a second head.
inline constexpr ViTConfig deit_tiny_distilled_patch16_224 = detail::distilled(deit_tiny_patch16_224);

inline constexpr ViTConfig mini_deit_tiny_patch16_224 = detail::mini(deit_tiny_patch16_224);    ///< 3.1 M parameters
inline constexpr ViTConfig mini_deit_small_patch16_224 = detail::mini(deit_small_patch16_224);  ///< 11.5 M
inline constexpr ViTConfig mini_deit_base_patch16_224 = detail::mini(deit_base_patch16_224);    ///< 44 M
inline constexpr ViTConfig mini_deit_base_patch16_384 = detail::mini(deit_base_patch16_384);  ///< at 384 pixels, 576 tokens
/// All twelve layers of DeiT-B on one set of weights: the "9M" model of the paper.
inline constexpr ViTConfig mini_deit_base_repeat12_patch16_224 = detail::mini(deit_base_patch16_224, 12);

/// Short names for use as a starting point.
inline constexpr ViTConfig deit_tiny = deit_tiny_patch16_224;
inline constexpr ViTConfig deit_small = deit_small_patch16_224;            ///< same, of width 384
inline constexpr ViTConfig deit_base = deit_base_patch16_224;              ///< same, of width 768
inline constexpr ViTConfig mini_deit_tiny = mini_deit_tiny_patch16_224;    ///< shared weights, width 192
inline constexpr ViTConfig mini_deit_small = mini_deit_small_patch16_224;  ///< shared weights, width 384
inline constexpr ViTConfig mini_deit_base = mini_deit_base_patch16_224;    ///< shared weights, width 768

/// For 32x32 images. Unshared ones serve as teachers, `mini_` ones as their students.
inline constexpr ViTConfig vit_nano_patch4_32 = detail::small_image(96, 3, 6);
inline constexpr ViTConfig vit_micro_patch4_32 = detail::small_image(128, 4, 8);  ///< width 128, 8 layers: 1.6 M parameters
inline constexpr ViTConfig vit_tiny_patch4_32 = detail::small_image(192, 3, 12);  ///< width 192, 12 layers: 5.4 M
/// Deep and narrow, with local convolutions: the teacher of the CIFAR-10 study (examples/reproduce).
inline constexpr ViTConfig vit_lite_patch4_32 = detail::lite(detail::small_image(128, 4, 15));
/// Two layers on each set of weights: 0.36 M.
inline constexpr ViTConfig mini_vit_nano_patch4_32 = detail::mini(vit_nano_patch4_32);
inline constexpr ViTConfig mini_vit_micro_patch4_32 = detail::mini(vit_micro_patch4_32);  ///< 0.82 M
inline constexpr ViTConfig mini_vit_tiny_patch4_32 = detail::mini(vit_tiny_patch4_32);    ///< 2.7 M

/// Three, five and all fifteen layers on one set of weights.
inline constexpr ViTConfig mini_vit_lite_patch4_32 = detail::mini(vit_lite_patch4_32, 3);
inline constexpr ViTConfig mini_vit_lite_repeat5_patch4_32 = detail::mini(vit_lite_patch4_32, 5);    ///< 0.74 M parameters
inline constexpr ViTConfig mini_vit_lite_repeat15_patch4_32 = detail::mini(vit_lite_patch4_32, 15);  ///< 0.35 M

inline constexpr SwinConfig swin_tiny_patch4_window7_224 = detail::swin(96, 3, 6);    ///< Swin-T: 28 M parameters
inline constexpr SwinConfig swin_small_patch4_window7_224 = detail::swin(96, 3, 18);  ///< Swin-S: 50 M
inline constexpr SwinConfig swin_base_patch4_window7_224 = detail::swin(128, 4, 18);  ///< Swin-B: 88 M
/// Windows of 12 x 12.
inline constexpr SwinConfig swin_base_patch4_window12_384 = detail::at_384(swin_base_patch4_window7_224);

/// 12 M parameters: each stage on one set of weights.
inline constexpr SwinConfig mini_swin_tiny_patch4_window7_224 = detail::mini(swin_tiny_patch4_window7_224, {1, 1, 1, 1});
/// 26 M: the third stage on nine sets of weights, the others on one each.
inline constexpr SwinConfig mini_swin_small_patch4_window7_224 = detail::mini(swin_small_patch4_window7_224, {1, 1, 9, 1});
/// 46 M, likewise.
inline constexpr SwinConfig mini_swin_base_patch4_window7_224 = detail::mini(swin_base_patch4_window7_224, {1, 1, 9, 1});
/// Windows of 12 x 12.
inline constexpr SwinConfig mini_swin_base_patch4_window12_384 = detail::at_384(mini_swin_base_patch4_window7_224);

/// For 32x32 images: a teacher and its student, as vit_lite and mini_vit_lite are.
inline constexpr SwinConfig swin_lite_patch2_window4_32 = detail::lite(detail::small_image_swin(64, 2, {2, 6, 2, 0}));
/// Each stage on one set of weights: 0.94 M parameters instead of 2.2.
inline constexpr SwinConfig mini_swin_lite_patch2_window4_32 = detail::mini(swin_lite_patch2_window4_32, {1, 1, 1, 0});

/// How images are prepared. MiniViT's code takes int(256 / 224 * image) for every size, which is the default of
/// Preprocessing; timm takes 0.9 for DeiT and Swin at 224 and the whole picture at 384, so a teacher and its student may
/// differ. Models for 32 x 32 images are trained by this project with CIFAR-10's mean and deviation.
inline constexpr Preprocessing timm_224{.crop_pct = 0.9f};
inline constexpr Preprocessing timm_384{.crop_pct = 1};  ///< the whole picture
/// Of models for 32 x 32 images.
inline constexpr Preprocessing small_images{
    .mean = {0.4914f, 0.4822f, 0.4465f}, .std = {0.2470f, 0.2435f, 0.2616f}, .crop_pct = 1};

/// A preset under its name.
template <class Config>
struct Named {
  const char* name;               ///< as timm and MiniViT's code call it
  Config config;                  ///< a ViTConfig or SwinConfig
  Preprocessing preprocessing{};  ///< of the published weights
};

/// Every ViT, once.
inline constexpr auto all = std::to_array<Named<ViTConfig>>({
    {"deit_tiny_patch16_224", deit_tiny_patch16_224, timm_224},
    {"deit_small_patch16_224", deit_small_patch16_224, timm_224},
    {"deit_base_patch16_224", deit_base_patch16_224, timm_224},
    {"deit_base_patch16_384", deit_base_patch16_384, timm_384},
    {"deit_tiny_distilled_patch16_224", deit_tiny_distilled_patch16_224, timm_224},
    {"mini_deit_tiny_patch16_224", mini_deit_tiny_patch16_224},
    {"mini_deit_small_patch16_224", mini_deit_small_patch16_224},
    {"mini_deit_base_patch16_224", mini_deit_base_patch16_224},
    {"mini_deit_base_patch16_384", mini_deit_base_patch16_384},
    {"mini_deit_base_repeat12_patch16_224", mini_deit_base_repeat12_patch16_224},
    {"vit_nano_patch4_32", vit_nano_patch4_32, small_images},
    {"vit_micro_patch4_32", vit_micro_patch4_32, small_images},
    {"vit_tiny_patch4_32", vit_tiny_patch4_32, small_images},
    {"vit_lite_patch4_32", vit_lite_patch4_32, small_images},
    {"mini_vit_nano_patch4_32", mini_vit_nano_patch4_32, small_images},
    {"mini_vit_micro_patch4_32", mini_vit_micro_patch4_32, small_images},
    {"mini_vit_tiny_patch4_32", mini_vit_tiny_patch4_32, small_images},
    {"mini_vit_lite_patch4_32", mini_vit_lite_patch4_32, small_images},
    {"mini_vit_lite_repeat5_patch4_32", mini_vit_lite_repeat5_patch4_32, small_images},
    {"mini_vit_lite_repeat15_patch4_32", mini_vit_lite_repeat15_patch4_32, small_images},
});

/// Every Swin, once.
inline constexpr auto all_swin = std::to_array<Named<SwinConfig>>({
    {"swin_tiny_patch4_window7_224", swin_tiny_patch4_window7_224, timm_224},
    {"swin_small_patch4_window7_224", swin_small_patch4_window7_224, timm_224},
    {"swin_base_patch4_window7_224", swin_base_patch4_window7_224, timm_224},
    {"swin_base_patch4_window12_384", swin_base_patch4_window12_384, timm_384},
    {"mini_swin_tiny_patch4_window7_224", mini_swin_tiny_patch4_window7_224},
    {"mini_swin_small_patch4_window7_224", mini_swin_small_patch4_window7_224},
    {"mini_swin_base_patch4_window7_224", mini_swin_base_patch4_window7_224},
    {"mini_swin_base_patch4_window12_384", mini_swin_base_patch4_window12_384},
    {"swin_lite_patch2_window4_32", swin_lite_patch2_window4_32, small_images},
    {"mini_swin_lite_patch2_window4_32", mini_swin_lite_patch2_window4_32, small_images},
});

/// Preprocessing of the preset with this name, or nothing.
constexpr std::optional<Preprocessing> preprocessing_of(std::string_view name) {
  for (const auto& p : all)
    if (name == p.name) return p.preprocessing;
  for (const auto& p : all_swin)
    if (name == p.name) return p.preprocessing;
  return std::nullopt;
}

}  // namespace minivit::inline MINIVIT_ISA::presets
