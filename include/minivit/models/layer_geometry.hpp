// SPDX-License-Identifier: MIT
// What code for all families may ask about a layer: how wide it is, which tokens it holds and which of them see each other.
// Layers are counted from 0 over the whole network.
#pragma once

#include <minivit/models/config.hpp>
#include <minivit/models/swin_config.hpp>

#include <string>

namespace minivit::inline MINIVIT_ISA {

/// Class and distillation tokens stand in front of the map and belong to no window.
struct LayerGeometry {
  int stage = 0;         ///< of a Swin; 0 in a ViT
  int width = 0;         ///< of a token
  int side = 0;          ///< of the map, in tokens
  int extra_tokens = 0;  ///< class and distillation token
  int window = 0;        ///< side of the squares whose tokens see each other; `side` when all do
  int shift = 0;         ///< by which the map is rolled before it is cut
  constexpr Index map_tokens() const { return Index{side} * side; }         ///< tokens without the extra ones
  constexpr Index window_tokens() const { return Index{window} * window; }  ///< that see each other, extra ones not counted
  constexpr Index windows() const { return map_tokens() / window_tokens(); }  ///< in a map
};

/// Layers of the whole network.
constexpr int layer_count(const ViTConfig& c) { return c.depth; }
constexpr int layer_count(const SwinConfig& c) { return c.depth(); }  ///< of all stages

/// Precondition: 0 <= l < layer_count(c).
constexpr LayerGeometry layer_geometry(const ViTConfig& c, int /*l*/) {
  return {.stage = 0, .width = c.dim, .side = c.grid(), .extra_tokens = c.extra_tokens(), .window = c.grid(), .shift = 0};
}
/// Precondition: 0 <= l < layer_count(c). Every second layer of a stage is shifted, unless one window covers the map.
constexpr LayerGeometry layer_geometry(const SwinConfig& c, int l) {
  const int s = c.stage_of(l);
  const bool shifted = (l - c.first_layer(s)) % 2 == 1;
  return {.stage = s,
          .width = c.width(s),
          .side = c.grid(s),
          .extra_tokens = 0,
          .window = c.window_at(s),
          .shift = shifted ? c.shift_at(s) : 0};
}

/// Name of the weights that layer l uses, without a dot behind it.
inline std::string layer_weights(const ViTConfig& c, int l) { return "blocks." + std::to_string(l / c.sharing.repeat); }
/// The same for a Swin: "layers.2.blocks.1".
inline std::string layer_weights(const SwinConfig& c, int l) {
  const int s = c.stage_of(l);
  return "layers." + std::to_string(s) + ".blocks." + std::to_string((l - c.first_layer(s)) / c.repeat(s));
}

}  // namespace minivit::inline MINIVIT_ISA
