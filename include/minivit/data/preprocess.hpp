// SPDX-License-Identifier: MIT
// From pictures to what a model reads: planes of normalised floats. The evaluation transform is timm's: shorter side to
// image / crop_fraction, bicubic, centre crop, (x - mean) / deviation per channel.
#pragma once

#include <minivit/data/resize.hpp>

#include <array>

namespace minivit::inline MINIVIT_ISA {

/// Per channel (red, green, blue), for pixels scaled to [0, 1]. Defaults are ImageNet's.
struct Normalisation {
  std::array<float, 3> mean{0.485F, 0.456F, 0.406F};
  std::array<float, 3> deviation{0.229F, 0.224F, 0.225F};
  bool operator==(const Normalisation&) const = default;

  /// Normalised value of an 8-bit pixel: one rounding for each step, so every caller gets the same float.
  float operator()(int channel, std::uint8_t pixel) const {
    const auto c = static_cast<std::size_t>(channel);
    return (static_cast<float>(pixel) / 255.0F - mean[c]) / deviation[c];
  }
  /// The 256 possible results of a channel.
  std::array<float, 256> table(int channel) const {
    std::array<float, 256> values{};
    for (std::size_t p = 0; p < 256; ++p) values[p] = (*this)(channel, static_cast<std::uint8_t>(p));
    return values;
  }
};

/// How a picture of any size becomes a model's input when it is classified.
struct EvaluationTransform {
  double crop_fraction = 0.875;  ///< 0.875 Mini-DeiT; 0.9 DeiT in timm; 1 for images that already have the model's size
  Interpolation interpolation = Interpolation::bicubic;
  Normalisation normalisation{};
  bool operator==(const EvaluationTransform&) const = default;

  /// Side the shorter side is resized to before the crop: floor(image / crop_fraction).
  int resized(int image) const { return static_cast<int>(std::floor(image / crop_fraction)); }
};

/// The side x side picture that a model sees. Throws Error when crop_fraction is not in (0, 1].
inline Image evaluation_crop(const Image& image, int side, const EvaluationTransform& transform = {}) {
  if (!(transform.crop_fraction > 0 && transform.crop_fraction <= 1))
    detail::fail_with("prepare an image", "impossible crop fraction", "more than 0, at most 1", std::to_string(transform.crop_fraction));
  return centre_crop(resize_shorter(image, transform.resized(side), transform.interpolation), side);
}

/// Planes of 8-bit pixels (3, height, width) from pixels in rows (height, width, 3).
inline void to_planes(const Image& image, std::uint8_t* planes) {
  const Index n = Index{image.width} * image.height;
  for (Index i = 0; i < n; ++i)
    for (Index c = 0; c < 3; ++c) planes[c * n + i] = image.rgb[static_cast<std::size_t>(i * 3 + c)];
}

/// Pixels in rows from planes (3, side, side).
inline Image from_planes(const std::uint8_t* planes, int side) {
  Image image(side, side);
  const Index n = Index{side} * side;
  for (Index i = 0; i < n; ++i)
    for (Index c = 0; c < 3; ++c) image.rgb[static_cast<std::size_t>(i * 3 + c)] = planes[c * n + i];
  return image;
}

/// Fills one image of a model's input batch from a picture of any size.
template <class T, int Side>
void prepare_image(const Image& image, const EvaluationTransform& transform, View<T, 3, Side, Side> out) {
  const Image crop = evaluation_crop(image, Side, transform);
  T* to = out.data();
  for (int c = 0; c < 3; ++c) {
    const auto values = transform.normalisation.table(c);
    for (std::size_t i = 0; i < crop.rgb.size() / 3; ++i) *to++ = static_cast<T>(values[crop.rgb[i * 3 + static_cast<std::size_t>(c)]]);
  }
}

}  // namespace minivit::inline MINIVIT_ISA
