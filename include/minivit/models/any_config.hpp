// SPDX-License-Identifier: MIT
// AnyConfig: a config that is known at run time only, such as that of a file, and what may be asked of it whatever its
// family.
#pragma once

#include <minivit/models/config.hpp>
#include <minivit/models/swin_config.hpp>

#include <variant>

namespace minivit::inline MINIVIT_ISA {

/// A config of one of the families. `std::get_if<SwinConfig>(&config)` is the Swin's, or null.
using AnyConfig = std::variant<ViTConfig, SwinConfig>;

/// What files call a family.
constexpr const char* family_name(const ViTConfig& /*config*/) { return "vit"; }
constexpr const char* family_name(const SwinConfig& /*config*/) { return "swin"; }  ///< "swin"

/// What goes in and comes out: images [channels, image, image], logits [classes].
struct InputOutput {
  int image = 0, channels = 0, classes = 0;             ///< pixels per side; 3 for colours; logits
  bool operator==(const InputOutput&) const = default;  ///< equal in every field
};
/// The sizes of a config of either family.
constexpr InputOutput input_output(const AnyConfig& config) {
  return std::visit([](const auto& c) { return InputOutput{c.image, c.channels, c.classes}; }, config);
}

}  // namespace minivit::inline MINIVIT_ISA
