// SPDX-License-Identifier: MIT
// Every rule a SwinConfig must obey, in words; as rules.hpp does for ViTConfig, which also has the rules of both.
#pragma once

#include <minivit/models/rules.hpp>
#include <minivit/models/swin_config.hpp>

namespace minivit::inline MINIVIT_ISA {

namespace rules {

/// Whether good(s) holds for every stage; true where the stages themselves are wrong.
template <class F>
constexpr bool every_stage(const SwinConfig& c, F&& good) {
  for (int s = 0; s < c.stages(); ++s)
    if (!good(static_cast<std::size_t>(s))) return false;
  return true;
}

constexpr bool dim(const SwinConfig& c) { return c.dim >= 1 && c.dim <= 8192; }  ///< 1 to 8192
/// One to four stages of 1 to 256 layers, and zeros only behind the last.
constexpr bool depths(const SwinConfig& c) {
  const auto behind = std::find_if(c.depths.begin() + c.stages(), c.depths.end(), [](int d) { return d != 0; });
  return c.stages() >= 1 && behind == c.depths.end() &&
         every_stage(c, [&](std::size_t s) { return c.depths[s] >= 1 && c.depths[s] <= 256; });
}
/// At least one in every stage.
constexpr bool heads(const SwinConfig& c) {
  return every_stage(c, [&](std::size_t s) { return c.heads[s] >= 1; });
}
/// In every stage; true where width or heads themselves are wrong.
constexpr bool heads_divide_dim(const SwinConfig& c) {
  return !dim(c) || !heads(c) ||
         every_stage(c, [&](std::size_t s) { return c.width(static_cast<int>(s)) % c.heads[s] == 0; });
}
/// In every stage at least one set of weights, and as many layers on each.
constexpr bool blocks(const SwinConfig& c) {
  return every_stage(c, [&](std::size_t s) { return c.blocks[s] >= 1 && c.depths[s] % c.blocks[s] == 0; });
}
constexpr bool window(const SwinConfig& c) { return c.window >= 1 && c.window <= 128; }  ///< 1 to 128 tokens
/// image / patch can be halved once for every stage but the last.
constexpr bool stages_can_be_halved(const SwinConfig& c) {
  return !patch(c) || !patch_divides_image(c) || c.stages() < 1 || (c.image / c.patch) % (1 << (c.stages() - 1)) == 0;
}
/// In every stage the map is cut into whole windows, or one window covers it.
constexpr bool window_divides_stages(const SwinConfig& c) {
  if (!patch(c) || !window(c) || !stages_can_be_halved(c)) return true;
  return every_stage(c, [&](std::size_t s) { return c.grid(static_cast<int>(s)) % c.window_at(static_cast<int>(s)) == 0; });
}
/// Mixing comes with at least two heads in every stage.
constexpr bool mixing_has_heads(const SwinConfig& c) {
  return !c.transformations.mix_heads || every_stage(c, [&](std::size_t s) { return c.heads[s] > 1; });
}

/// True when every rule holds.
constexpr bool all(const SwinConfig& c) {
  return image(c) && patch(c) && patch_divides_image(c) && channels(c) && dim(c) && depths(c) && heads(c) &&
         heads_divide_dim(c) && blocks(c) && window(c) && stages_can_be_halved(c) && window_divides_stages(c) &&
         mlp_ratio(c) && classes(c) && mixing_has_heads(c);
}

}  // namespace rules

/// Fails to compile with one sentence when C breaks a rule. `value` is C, or a valid stand-in after a failure.
template <SwinConfig C>
struct CheckedSwin {
  static_assert(rules::image(C), "SwinConfig: image must be between 1 and 16384 pixels");
  static_assert(rules::patch(C), "SwinConfig: patch must be at least 1 pixel");
  static_assert(rules::patch_divides_image(C), "SwinConfig: image must be a multiple of patch");
  static_assert(rules::channels(C), "SwinConfig: channels must be between 1 and 1024");
  static_assert(rules::dim(C), "SwinConfig: dim must be between 1 and 8192");
  static_assert(rules::depths(C),
                "SwinConfig: depths must name at least one stage of 1 to 256 layers, and zeros only behind the last");
  static_assert(rules::heads(C), "SwinConfig: heads must be at least 1 in every stage");
  static_assert(rules::heads_divide_dim(C),
                "SwinConfig: in every stage the width (dim, doubled from stage to stage) must be a multiple of heads");
  static_assert(rules::blocks(C), "SwinConfig: in every stage blocks must be at least 1 and divide depths");
  static_assert(rules::window(C), "SwinConfig: window must be between 1 and 128 tokens");
  static_assert(rules::stages_can_be_halved(C),
                "SwinConfig: image / patch must be divisible by 2 once for every stage but the last");
  static_assert(rules::window_divides_stages(C),
                "SwinConfig: in every stage the side of the map (image / patch, halved from stage to stage) must be a "
                "multiple of window, or smaller");
  static_assert(rules::mlp_ratio(C), "SwinConfig: mlp_ratio must be between 1 and 64");
  static_assert(rules::classes(C), "SwinConfig: classes must be between 1 and 1000000");
  static_assert(rules::mixing_has_heads(C), "SwinConfig: transformations.mix_heads needs at least 2 heads in every stage");

  static constexpr SwinConfig value = rules::all(C) ? C : SwinConfig{};  ///< C, or Swin-T where C breaks a rule
};

}  // namespace minivit::inline MINIVIT_ISA
