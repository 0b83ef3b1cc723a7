// SPDX-License-Identifier: MIT
// Every rule a ViTConfig must obey, in words. They are checked before anything else of a model is instantiated, and a model
// with a wrong config goes on with a small valid one, so that the sentence below is the only error the compiler prints.
#pragma once

#include <minivit/models/config.hpp>

namespace minivit::inline MINIVIT_ISA {

namespace rules {

/// Largest extents: they keep every product of two of them, and every byte count of a sample, inside 64 bits.
inline constexpr int max_image = 16384;
inline constexpr int max_dim = 65536;  ///< largest width of a token

// Of every family:
constexpr bool image(const auto& c) { return c.image >= 1 && c.image <= max_image; }  ///< 1 to 16384 pixels
constexpr bool patch(const auto& c) { return c.patch >= 1; }                          ///< at least one pixel
/// Image is a multiple of patch; true where patch itself is wrong, so that one mistake gives one sentence.
constexpr bool patch_divides_image(const auto& c) { return !patch(c) || c.image % c.patch == 0; }
constexpr bool channels(const auto& c) { return c.channels >= 1 && c.channels <= 1024; }    ///< 1 to 1024
constexpr bool mlp_ratio(const auto& c) { return c.mlp_ratio >= 1 && c.mlp_ratio <= 64; }   ///< 1 to 64
constexpr bool classes(const auto& c) { return c.classes >= 1 && c.classes <= 1'000'000; }  ///< 1 to a million

constexpr bool dim(const ViTConfig& c) { return c.dim >= 1 && c.dim <= max_dim; }  ///< 1 to 65536
constexpr bool heads(const ViTConfig& c) { return c.heads >= 1; }                  ///< at least one
/// Dim is a multiple of heads; true where heads is wrong.
constexpr bool heads_divide_dim(const ViTConfig& c) { return !heads(c) || c.dim % c.heads == 0; }
constexpr bool depth(const ViTConfig& c) { return c.depth >= 1 && c.depth <= 1024; }  ///< 1 to 1024 layers
constexpr bool repeat(const ViTConfig& c) { return c.sharing.repeat >= 1; }  ///< at least one layer per set of weights
/// Depth is a multiple of repeat; true where repeat is wrong.
constexpr bool repeat_divides_depth(const ViTConfig& c) { return !repeat(c) || c.depth % c.sharing.repeat == 0; }
/// `distilled` comes with Pool::cls, behind whose token its own stands.
constexpr bool distilled_has_class_token(const ViTConfig& c) { return !c.distilled || c.pool == Pool::cls; }
/// Mixing comes with at least two heads.
constexpr bool mixing_has_heads(const ViTConfig& c) { return !c.sharing.mix_heads || c.heads > 1; }
/// Norms are shared only where layers share weights.
constexpr bool shared_norms_are_shared(const ViTConfig& c) { return c.sharing.separate_norms || c.sharing.repeat > 1; }

/// True when every rule holds.
constexpr bool all(const ViTConfig& c) {
  return image(c) && patch(c) && patch_divides_image(c) && channels(c) && dim(c) && heads(c) && heads_divide_dim(c) &&
         depth(c) && mlp_ratio(c) && classes(c) && repeat(c) && repeat_divides_depth(c) && distilled_has_class_token(c) &&
         mixing_has_heads(c) && shared_norms_are_shared(c);
}

}  // namespace rules

/// Fails to compile with one sentence when C breaks a rule. `value` is C, or a valid stand-in after a failure.
template <ViTConfig C>
struct Checked {
  static_assert(rules::image(C), "ViTConfig: image must be between 1 and 16384 pixels");
  static_assert(rules::patch(C), "ViTConfig: patch must be at least 1 pixel");
  static_assert(rules::patch_divides_image(C), "ViTConfig: image must be a multiple of patch");
  static_assert(rules::channels(C), "ViTConfig: channels must be between 1 and 1024");
  static_assert(rules::dim(C), "ViTConfig: dim must be between 1 and 65536");
  static_assert(rules::heads(C), "ViTConfig: heads must be at least 1");
  static_assert(rules::heads_divide_dim(C), "ViTConfig: dim must be a multiple of heads");
  static_assert(rules::depth(C), "ViTConfig: depth must be between 1 and 1024 layers");
  static_assert(rules::mlp_ratio(C), "ViTConfig: mlp_ratio must be between 1 and 64");
  static_assert(rules::classes(C), "ViTConfig: classes must be between 1 and 1000000");
  static_assert(rules::repeat(C), "ViTConfig: sharing.repeat must be at least 1");
  static_assert(rules::repeat_divides_depth(C), "ViTConfig: sharing.repeat must divide depth");
  static_assert(
      rules::distilled_has_class_token(C),
      "ViTConfig: distilled needs pool == Pool::cls, because the distillation token stands behind the class token");
  static_assert(rules::mixing_has_heads(C), "ViTConfig: sharing.mix_heads needs at least 2 heads to mix");
  static_assert(rules::shared_norms_are_shared(C),
                "ViTConfig: sharing.separate_norms can only be false where layers share weights (sharing.repeat above 1)");

  static constexpr ViTConfig value = rules::all(C) ? C : ViTConfig{};  ///< C, or DeiT-Ti where C breaks a rule
};

}  // namespace minivit::inline MINIVIT_ISA
