// SPDX-License-Identifier: MIT
// Resizing that equals Pillow's to the last bit (antialiased bicubic and bilinear, 8 bits between the two passes), and
// the centre crop of torchvision. Other libraries differ by up to 50 levels, which costs accuracy.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/preprocessing.hpp>
#include <minivit/data/image.hpp>

#include <algorithm>
#include <cmath>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// Stops the compiler from fusing a product into the next sum, which would change the last digit on some machines.
inline double rounded(double x) {
  volatile double y = x;
  return y;
}

inline double resize_filter(Interpolation kind, double x) {
  x = std::abs(x);
  if (kind == Interpolation::bilinear) return x < 1 ? 1 - x : 0;
  constexpr double a = -0.5;
  if (x < 1) return rounded(rounded(rounded(rounded((a + 2) * x) - (a + 3)) * x) * x) + 1;
  if (x < 2) return rounded(rounded(rounded(rounded(rounded((x - 5) * x) + 8) * x) - 4) * a);
  return 0;
}

/// For each output position: which inputs it reads and their weights in units of 2^-22.
struct ResizeTaps {
  int most = 0;               // weights stored per output
  std::vector<int> first;     // (out)
  std::vector<int> count;     // (out)
  std::vector<int> weights;   // (out, most)
  std::vector<double> exact;  // (most), while they are computed
};

/// Computes them anew in the same memory.
inline void fill_resize_taps(ResizeTaps& taps, int in, int out, Interpolation kind) {
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = rounded((kind == Interpolation::bicubic ? 2.0 : 1.0) * filter_scale);
  const double step = 1.0 / filter_scale;
  taps.most = static_cast<int>(std::ceil(support)) * 2 + 1;
  taps.first.resize(static_cast<std::size_t>(out));
  taps.count.resize(static_cast<std::size_t>(out));
  taps.weights.resize(static_cast<std::size_t>(out) * static_cast<std::size_t>(taps.most));
  std::vector<double>& w = taps.exact;
  w.resize(static_cast<std::size_t>(taps.most));
  for (int x = 0; x < out; ++x) {
    const double centre = rounded((x + 0.5) * scale);
    const int lo = std::max(static_cast<int>(rounded(centre - support) + 0.5), 0);
    const int count = std::min(static_cast<int>(rounded(centre + support) + 0.5), in) - lo;
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      const double weight = resize_filter(kind, rounded(rounded(rounded(i + lo - centre) + 0.5) * step));
      w[static_cast<std::size_t>(i)] = weight;
      sum += weight;
    }
    taps.first[static_cast<std::size_t>(x)] = lo;
    taps.count[static_cast<std::size_t>(x)] = count;
    for (int i = 0; i < count; ++i) {
      const double weight = sum != 0 ? w[static_cast<std::size_t>(i)] / sum : w[static_cast<std::size_t>(i)];
      taps.weights[static_cast<std::size_t>(x) * static_cast<std::size_t>(taps.most) + static_cast<std::size_t>(i)] =
          static_cast<int>(rounded(weight * (1 << 22)) + (weight < 0 ? -0.5 : 0.5));
    }
  }
}
inline ResizeTaps resize_taps(int in, int out, Interpolation kind) {
  ResizeTaps taps;
  fill_resize_taps(taps, in, out, kind);
  return taps;
}

inline std::uint8_t resize_clip(int sum) { return static_cast<std::uint8_t>(std::clamp(sum >> 22, 0, 255)); }

inline Image resize_rows(const Image& in, int width, Interpolation kind) {
  const ResizeTaps taps = resize_taps(in.width, width, kind);
  Image out(width, in.height);
  for (int y = 0; y < in.height; ++y) {
    std::uint8_t* to = out.row(y);
    for (int x = 0; x < width; ++x, to += 3) {
      const int* const w = taps.weights.data() + Index{x} * taps.most;
      const std::uint8_t* from = in.row(y) + Index{taps.first[static_cast<std::size_t>(x)]} * 3;
      int r = 1 << 21, g = 1 << 21, b = 1 << 21;
      for (int i = 0; i < taps.count[static_cast<std::size_t>(x)]; ++i, from += 3) {
        r += w[i] * from[0];
        g += w[i] * from[1];
        b += w[i] * from[2];
      }
      to[0] = resize_clip(r);
      to[1] = resize_clip(g);
      to[2] = resize_clip(b);
    }
  }
  return out;
}

inline Image resize_columns(const Image& in, int height, Interpolation kind) {
  const ResizeTaps taps = resize_taps(in.height, height, kind);
  Image out(in.width, height);
  const Index stride = Index{in.width} * 3;
  std::vector<int> sums(static_cast<std::size_t>(stride));
  for (int y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), 1 << 21);
    for (int i = 0; i < taps.count[static_cast<std::size_t>(y)]; ++i) {
      const int w = taps.weights[static_cast<std::size_t>(Index{y} * taps.most + i)];
      const std::uint8_t* const from = in.row(taps.first[static_cast<std::size_t>(y)] + i);
      for (Index x = 0; x < stride; ++x) sums[static_cast<std::size_t>(x)] += w * from[x];
    }
    std::transform(sums.begin(), sums.end(), out.row(y), resize_clip);
  }
  return out;
}
}  // namespace detail

/// The image at another size, equal to Pillow's `Image.resize((width, height), kind)`.
/// Precondition: the image is not empty. Throws Error when a side is not 1 to 16384.
inline Image resize(const Image& image, int width, int height, Interpolation kind = Interpolation::bicubic) {
  const auto sane = [](int n) { return n >= 1 && n <= detail::max_image_side; };
  if (!sane(width) || !sane(height)) {
    const std::string found = concat({width, " x ", height});
    detail::fail_with("resize", "impossible size", "sides of 1 to 16384 pixels", found);
  }
  if (width == image.width && height == image.height) return image;
  if (width == image.width) return detail::resize_columns(image, height, kind);
  Image rows = detail::resize_rows(image, width, kind);
  return height == image.height ? rows : detail::resize_columns(rows, height, kind);
}

/// The image with its shorter side at `side` and its proportions kept; the longer side is rounded down.
inline Image resize_shorter(const Image& image, int side, Interpolation kind = Interpolation::bicubic) {
  const auto longer = [&](int a, int b) { return static_cast<int>(std::int64_t{side} * a / b); };
  if (image.width <= image.height) return resize(image, side, longer(image.height, image.width), kind);
  return resize(image, longer(image.width, image.height), side, kind);
}

/// The `side` x `side` square in the middle; half pixels round to the even offset, as in torchvision.
/// Throws Error when the image is smaller than that.
inline Image centre_crop(const Image& image, int side) {
  if (side < 1 || side > image.width || side > image.height) {
    const std::string expected = concat({"at least ", side, " x ", side});
    const std::string found = concat({image.width, " x ", image.height});
    detail::fail_with("centre crop", "the image is too small", expected, found);
  }
  const auto offset = [side](int n) { return (n - side) / 2 + ((n - side) % 4 == 3 ? 1 : 0); };  // half to even
  Image out(side, side);
  const int left = offset(image.width), top = offset(image.height);
  for (int y = 0; y < side; ++y) std::copy_n(image.row(top + y) + Index{left} * 3, Index{side} * 3, out.row(y));
  return out;
}

}  // namespace minivit::inline MINIVIT_ISA
