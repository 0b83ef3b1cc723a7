// SPDX-License-Identifier: MIT
// Preprocessing: how a picture becomes a model's input, as a plain value. It travels with the weights (io/), and data/
// applies it; wrong mean and deviation cost more accuracy than most bugs. Names are timm's.
#pragma once

#include <minivit/core/isa.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace minivit::inline MINIVIT_ISA {

/// Filter for resizing an image.
enum class Interpolation {
  bilinear,  ///< triangle over 2 pixels of the input, wider when the image shrinks
  bicubic    ///< Pillow's cubic (a = -0.5) over 4 pixels, likewise
};

/// How a picture of any proportions becomes a square, with S = resized(side) (timm's crop_mode): `center` brings the shorter
/// side to S and loses what lies beside the middle; `squash` brings both sides to S, whatever the proportions; `border`
/// brings the longer side to S and fills up with the mean colour. Each then takes the side x side pixels in the middle.
enum class CropMode {
  center,  ///< shorter side to S
  squash,  ///< both sides to S
  border   ///< longer side to S, the rest filled up
};

/// The evaluation transform of timm: resizing and cropping, then (x - mean) / std per channel (red, green, blue) with x in
/// [0, 1]. Defaults are Mini-DeiT's on ImageNet; presets::preprocessing_of has those of each preset.
struct Preprocessing {
  std::array<float, 3> mean{0.485f, 0.456f, 0.406f};  ///< of red, green, blue, on the scale from 0 to 1
  std::array<float, 3> std{0.229f, 0.224f, 0.225f};   ///< divisor of each channel, greater than 0
  float crop_pct = 0.875f;  ///< in (0, 1]: 0.875 Mini-DeiT; 0.9 DeiT in timm; 1 for images that have the model's size
  Interpolation interpolation = Interpolation::bicubic;   ///< filter of the resizing
  CropMode crop_mode = CropMode::center;                  ///< how a picture of other proportions becomes square
  bool operator==(const Preprocessing&) const = default;  ///< equal in every field

  /// What a side is resized to before the crop: floor(image / crop_pct).
  int resized(int image) const {
    constexpr double rounding = 1e-6;  // of crop_pct as a float: 160 / 0.8f must not become 199.99
    return static_cast<int>(static_cast<double>(image) / static_cast<double>(crop_pct) * (1 + rounding));
  }

  /// Normalised value of an 8-bit pixel: one rounding for each step, so every caller gets the same float.
  float normalised(int channel, std::uint8_t pixel) const {
    const auto c = static_cast<std::size_t>(channel);
    return (static_cast<float>(pixel) / 255.0F - mean[c]) / std[c];
  }
  /// The 256 possible results of a channel.
  std::array<float, 256> table(int channel) const {
    std::array<float, 256> values{};
    for (std::size_t p = 0; p < 256; ++p) values[p] = normalised(channel, static_cast<std::uint8_t>(p));
    return values;
  }
};

}  // namespace minivit::inline MINIVIT_ISA
