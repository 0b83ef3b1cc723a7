// SPDX-License-Identifier: MIT
// From pictures to what a model reads: planes of normalised floats. The evaluation transform is timm's: shorter side to
// image / crop_pct, bicubic, centre crop, (x - mean) / deviation per channel.
#pragma once

#include <minivit/core/preprocessing.hpp>
#include <minivit/data/resize.hpp>

#include <array>

namespace minivit::inline MINIVIT_ISA {

/// The side x side picture that a model sees. Throws Error when crop_pct is not in (0, 1].
inline Image evaluation_crop(const Image& image, int side, const Preprocessing& preprocessing = {}) {
  if (!(preprocessing.crop_pct > 0 && preprocessing.crop_pct <= 1))
    detail::fail_with("prepare an image", "impossible crop_pct", "more than 0, at most 1",
                      std::to_string(preprocessing.crop_pct));
  return centre_crop(resize_shorter(image, preprocessing.resized(side), preprocessing.interpolation), side);
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
void prepare_image(const Image& image, const Preprocessing& preprocessing, View<T, 3, Side, Side> out) {
  const Image crop = evaluation_crop(image, Side, preprocessing);
  T* to = out.data();
  for (int c = 0; c < 3; ++c) {
    const auto values = preprocessing.table(c);
    for (std::size_t i = 0; i < crop.rgb.size() / 3; ++i)
      *to++ = static_cast<T>(values[crop.rgb[i * 3 + static_cast<std::size_t>(c)]]);
  }
}

}  // namespace minivit::inline MINIVIT_ISA
