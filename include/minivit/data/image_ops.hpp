// SPDX-License-Identifier: MIT
// Changes of colour and sharpness for training images, equal to Pillow 9.4 to the last bit (ImageOps, ImageEnhance): on
// square 8-bit planes in the caller's memory, in place, without allocating. Moving pixels about is in affine.hpp; which
// operation an image gets, and how strong, is drawn in rand_augment.hpp.
#pragma once

#include <minivit/core/view.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace minivit::inline MINIVIT_ISA {

/// A square 8-bit RGB image in the caller's memory: planes (3, side, side), as in Dataset. A view; copying it copies no
/// pixels.
struct PixelPlanes {
  std::uint8_t* data = nullptr;  ///< (3, side, side), not owned
  int side = 0;                  ///< width and height

  Index plane() const { return Index{side} * side; }                                             ///< pixels of one channel
  std::uint8_t* channel(int c) const { return data + c * plane(); }                              ///< (side, side)
  std::span<std::uint8_t> all() const { return {data, static_cast<std::size_t>(3 * plane())}; }  ///< all three channels
};

/// Rows [top, top + height), columns [left, left + width).
struct PixelBox {
  int top = 0, left = 0, height = 0, width = 0;      ///< in pixels
  bool operator==(const PixelBox&) const = default;  ///< equal in every field
};

namespace image_ops {

namespace detail {
/// a * b with a rounding of its own. A compiler may fuse a product with the sum that follows, which changes the last bit;
/// here it can fuse only the zero, which changes nothing, and it cannot drop the zero, because -0 + 0 is not -0.
template <class T>
constexpr T product(T a, T b) {
  return a * b + T{0};
}

using Table = std::array<std::uint8_t, 256>;
using Histogram = std::array<int, 256>;

inline Histogram histogram(const std::uint8_t* pixels, Index n) {
  Histogram h{};
  for (Index i = 0; i < n; ++i) ++h[pixels[i]];
  return h;
}

/// Replaces each pixel p of each channel by table(histogram of the channel)[p].
template <class F>
void map_channels(PixelPlanes image, F&& table) {
  for (int c = 0; c < 3; ++c) {
    std::uint8_t* const pixels = image.channel(c);
    Table values{};
    if (!table(histogram(pixels, image.plane()), values)) continue;
    for (Index i = 0; i < image.plane(); ++i) pixels[i] = values[pixels[i]];
  }
}

/// Pillow's integer grey value of a colour.
constexpr int grey(int r, int g, int b) { return (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16; }

/// `from` at factor 0, `to` at factor 1, beyond them a continuation; cut off to whole numbers in [0, 255].
inline std::uint8_t blend(int from, int to, float factor) {
  const float v = static_cast<float>(from) + product(factor, static_cast<float>(to - from));
  return static_cast<std::uint8_t>(static_cast<int>(std::clamp(v, 0.0F, 255.0F)));
}

/// Blurs the inside of a channel with (1 1 1; 1 5 1; 1 1 1) / 13, rounded to nearest; its border is copied. The odd divisor
/// leaves no ties, so integers give what Pillow's float32 gives.
inline void smooth(const std::uint8_t* from, int side, std::uint8_t* to) {
  std::copy_n(from, Index{side} * side, to);
  for (Index y = 1; y + 1 < side; ++y) {
    const std::uint8_t *const above = from + (y - 1) * side, *const here = above + side, *const below = here + side;
    std::uint8_t* const out = to + y * side;
    for (Index x = 1; x + 1 < side; ++x) {
      const int around = above[x - 1] + above[x] + above[x + 1] + here[x - 1] + here[x + 1] + below[x - 1] + below[x] +
                         below[x + 1];
      out[x] = static_cast<std::uint8_t>((around + 5 * here[x] + 6) / 13);
    }
  }
}
}  // namespace detail

/// Stretches each channel so that its darkest value becomes 0 and its brightest 255; a channel of one value stays.
inline void auto_contrast(PixelPlanes image) {
  detail::map_channels(image, [](const detail::Histogram& h, detail::Table& values) {
    int low = 0, high = 255;
    while (h[static_cast<std::size_t>(low)] == 0) ++low;
    while (h[static_cast<std::size_t>(high)] == 0) --high;
    if (high <= low) return false;
    const double scale = 255.0 / (high - low), offset = detail::product(static_cast<double>(-low), scale);
    for (int p = 0; p < 256; ++p) {
      const int v = static_cast<int>(detail::product(static_cast<double>(p), scale) + offset);
      values[static_cast<std::size_t>(p)] = static_cast<std::uint8_t>(std::clamp(v, 0, 255));
    }
    return true;
  });
}

/// Spreads the values of each channel so that all ranges hold about as many pixels; a channel of one value stays, and so
/// does one with fewer than 255 pixels beside those of its brightest value.
inline void equalize(PixelPlanes image) {
  detail::map_channels(image, [](const detail::Histogram& h, detail::Table& values) {
    int pixels = 0, brightest = 0;
    for (const int n : h) {
      pixels += n;
      if (n > 0) brightest = n;
    }
    const int step = (pixels - brightest) / 255;
    if (step == 0) return false;
    int sum = step / 2;
    for (std::size_t p = 0; p < 256; ++p) {
      values[p] = static_cast<std::uint8_t>(std::min(sum / step, 255));
      sum += h[p];
    }
    return true;
  });
}

/// Each value becomes 255 minus itself.
inline void invert(PixelPlanes image) {
  for (std::uint8_t& p : image.all()) p = static_cast<std::uint8_t>(255 - p);
}

/// Keeps the `bits` highest bits of each value. Precondition: bits in [0, 8].
inline void posterize(PixelPlanes image, int bits) {
  const int mask = 256 - (1 << (8 - bits));
  for (std::uint8_t& p : image.all()) p = static_cast<std::uint8_t>(p & mask);
}

/// Inverts the values from `threshold` on; 256 leaves the image as it is.
inline void solarize(PixelPlanes image, int threshold) {
  for (std::uint8_t& p : image.all()) p = static_cast<std::uint8_t>(p < threshold ? p : 255 - p);
}

/// Adds `amount` to the values below `threshold`, at most up to 255. Precondition: amount >= 0.
inline void solarize_add(PixelPlanes image, int amount, int threshold = 128) {
  for (std::uint8_t& p : image.all()) p = static_cast<std::uint8_t>(p < threshold ? std::min(p + amount, 255) : p);
}

/// Saturation: 0 gives a grey image, 1 the image itself, 2 twice the distance from grey.
inline void colour(PixelPlanes image, double factor) {
  const auto f = static_cast<float>(factor);
  std::uint8_t *const r = image.channel(0), *const g = image.channel(1), *const b = image.channel(2);
  for (Index i = 0; i < image.plane(); ++i) {
    const int red = r[i], green = g[i], blue = b[i], grey = detail::grey(red, green, blue);
    r[i] = detail::blend(grey, red, f);
    g[i] = detail::blend(grey, green, f);
    b[i] = detail::blend(grey, blue, f);
  }
}

/// Contrast: 0 gives the image's mean grey, 1 the image itself. Precondition: the image is not empty.
inline void contrast(PixelPlanes image, double factor) {
  const std::uint8_t *const r = image.channel(0), *const g = image.channel(1), *const b = image.channel(2);
  std::int64_t sum = 0;
  for (Index i = 0; i < image.plane(); ++i) sum += detail::grey(r[i], g[i], b[i]);
  const int mean = static_cast<int>(static_cast<double>(sum) / static_cast<double>(image.plane()) + 0.5);
  for (std::uint8_t& p : image.all()) p = detail::blend(mean, p, static_cast<float>(factor));
}

/// Brightness: 0 gives black, 1 the image itself.
inline void brightness(PixelPlanes image, double factor) {
  for (std::uint8_t& p : image.all()) p = detail::blend(0, p, static_cast<float>(factor));
}

/// Sharpness: 0 gives the blurred image, 1 the image itself. The border of one pixel stays.
/// Precondition: `scratch` has the image's side and does not overlap it; its pixels are lost.
inline void sharpness(PixelPlanes image, double factor, PixelPlanes scratch) {
  for (int c = 0; c < 3; ++c) detail::smooth(image.channel(c), image.side, scratch.channel(c));
  const auto f = static_cast<float>(factor);
  for (Index i = 0; i < 3 * image.plane(); ++i) image.data[i] = detail::blend(scratch.data[i], image.data[i], f);
}

}  // namespace image_ops
}  // namespace minivit::inline MINIVIT_ISA
