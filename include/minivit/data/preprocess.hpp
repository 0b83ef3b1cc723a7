// SPDX-License-Identifier: MIT
// From pictures to what a model reads: planes of normalised floats. The evaluation transform is timm's, in all three crop
// modes; its pixels before normalisation equal timm's on Pillow to the last bit.
#pragma once

#include <minivit/core/preprocessing.hpp>
#include <minivit/data/resize.hpp>

#include <array>

namespace minivit::inline MINIVIT_ISA {

/// What lies outside a picture: the mean colour of the training data as an 8-bit pixel.
inline std::array<std::uint8_t, 3> mean_colour(const Preprocessing& p) {
  std::array<std::uint8_t, 3> pixel{};
  for (std::size_t c = 0; c < 3; ++c)
    pixel[c] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(255.0 * static_cast<double>(p.mean[c])), 0.0, 255.0));
  return pixel;
}

namespace detail {
/// The image with its longer side at `side` and its proportions kept; half pixels round to even, as in Python.
inline Image resize_longer(const Image& image, int side, Interpolation kind) {
  const double ratio = std::max(static_cast<double>(image.height) / side, static_cast<double>(image.width) / side);
  const auto scaled = [&](int n) { return std::max(static_cast<int>(std::nearbyint(n / ratio)), 1); };
  return resize(image, scaled(image.width), scaled(image.height), kind);
}

/// The image in the middle of one whose sides are at least `side`; of an odd border the smaller half comes first.
inline Image padded(const Image& image, int side, const std::array<std::uint8_t, 3>& colour) {
  if (image.width >= side && image.height >= side) return image;
  Image out(std::max(image.width, side), std::max(image.height, side));
  for (std::size_t i = 0; i < out.rgb.size(); ++i) out.rgb[i] = colour[i % 3];
  const int left = (out.width - image.width) / 2, top = (out.height - image.height) / 2;
  for (int y = 0; y < image.height; ++y)
    std::copy_n(image.row(y), Index{image.width} * 3, out.row(top + y) + Index{left} * 3);
  return out;
}
}  // namespace detail

/// The side x side picture that a model sees. Throws Error when crop_pct is not in (0, 1].
inline Image evaluation_crop(const Image& image, int side, const Preprocessing& preprocessing = {}) {
  if (!(preprocessing.crop_pct > 0 && preprocessing.crop_pct <= 1))
    detail::fail_with("prepare an image", "impossible crop_pct", "more than 0, at most 1",
                      std::to_string(preprocessing.crop_pct));
  const int size = preprocessing.resized(side);
  const Interpolation kind = preprocessing.interpolation;
  switch (preprocessing.crop_mode) {
    case CropMode::squash: return centre_crop(resize(image, size, size, kind), side);
    case CropMode::border:
      return centre_crop(detail::padded(detail::resize_longer(image, size, kind), side, mean_colour(preprocessing)), side);
    case CropMode::center: break;
  }
  return centre_crop(resize_shorter(image, size, kind), side);
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

/// Fills one image of a model's input batch, (3, side, side), from a picture of any size. Precondition: `out` has that many
/// elements. Throws Error when crop_pct is not in (0, 1].
template <class T>
void prepare_image(const Image& image, const Preprocessing& preprocessing, int side, T* out) {
  const Image crop = evaluation_crop(image, side, preprocessing);
  for (int c = 0; c < 3; ++c) {
    const auto values = preprocessing.table(c);
    for (std::size_t i = 0; i < crop.rgb.size() / 3; ++i)
      *out++ = static_cast<T>(values[crop.rgb[i * 3 + static_cast<std::size_t>(c)]]);
  }
}
/// The same into a view, whose type says the side.
template <class T, int Side>
void prepare_image(const Image& image, const Preprocessing& preprocessing, View<T, 3, Side, Side> out) {
  prepare_image(image, preprocessing, Side, out.data());
}

}  // namespace minivit::inline MINIVIT_ISA
