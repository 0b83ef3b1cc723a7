// SPDX-License-Identifier: MIT
// From a config at run time to a type: the model of the preset that equals it. Each model costs compile time, so the sources
// of this program take a family each, or a part of one.
#pragma once

#include "registry.hpp"

#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/simd/bf16.hpp>

namespace cli {

/// A family: its configs, its presets and the type of a model.
struct ViTs {
  using Config = mv::ViTConfig;
  static constexpr const auto& presets = mv::presets::all;
  template <Config C>
  using Model = mv::ViT<C>;
  static constexpr bool shares(const Config& c) { return c.sharing.repeat > 1; }  ///< weights between layers
};
struct Swins {
  using Config = mv::SwinConfig;
  static constexpr const auto& presets = mv::presets::all_swin;
  template <Config C>
  using Model = mv::Swin<C>;
  static constexpr bool shares(const Config& c) { return c.blocks != c.depths; }
};

/// Calls f.template operator()<Model>(preset) for every preset of every family. For tables; what computes takes
/// with_model().
template <class F>
void each_model(F&& f) {
  const auto of = [&]<class Family>(Family) {
    [&]<std::size_t... i>(std::index_sequence<i...>) {
      (f.template operator()<typename Family::template Model<Family::presets[i].config>>(Family::presets[i]), ...);
    }
    (std::make_index_sequence<Family::presets.size()>{});
  };
  of(ViTs{});
  of(Swins{});
}

/// Which presets a source compiles.
inline constexpr auto small_images = [](const auto& c) { return c.image == 32; };

/// Calls f.template operator()<Model>() for the preset of `Family` that equals `config`; compiled are those with
/// keep(config) that the program is built with. False when there is none.
template <class Family, auto keep, class F>
bool with_model(const mv::AnyConfig& config, F&& f) {
  const auto* const wanted = std::get_if<typename Family::Config>(&config);
  if (wanted == nullptr) return false;
  bool found = false;
  const auto look = [&]<std::size_t i>() {
    constexpr auto preset = Family::presets[i];
    if constexpr (built_with(preset.name) && keep(preset.config))
      if (preset.config == *wanted) {
        found = true;
        f.template operator()<typename Family::template Model<preset.config>>();
      }
  };
  [&]<std::size_t... i>(std::index_sequence<i...>) { (look.template operator()<i>(), ...); }
  (std::make_index_sequence<Family::presets.size()>{});
  return found;
}

/// Calls f(W{}) with the type that products multiply.
template <class F>
void with_products(const std::string& precision, F&& f) {
  if (precision == "bf16") f(mv::bf16{});
  else f(float{});
}

}  // namespace cli
