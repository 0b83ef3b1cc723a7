// SPDX-License-Identifier: MIT
// Rotating, shearing and moving 8-bit images, equal to Pillow 9.4 to the last bit (Image.transform with AFFINE,
// Image.rotate): bilinear and bicubic (a = -1) in double precision, cut off to whole numbers. Unlike resize.hpp it looks at
// the nearest 4 or 16 pixels only: nothing is filtered, so it is for changes of about the same scale.
#pragma once

#include <minivit/core/preprocessing.hpp>
#include <minivit/data/image_ops.hpp>

#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>
#include <type_traits>

namespace minivit::inline MINIVIT_ISA {

/// Where a pixel comes from: source x = a x + b y + c, source y = d x + e y + f, with pixel centres at halves.
struct AffineMap {
  double a = 1, b = 0, c = 0, d = 0, e = 1, f = 0;  ///< the identity by default
};

namespace image_ops {

namespace detail {
/// x rounded to 15 decimals, half to even, as Python's round(x, 15). Precondition: |x| <= 1.
inline double round_15(double x) {
  constexpr double scale = 1e15;  // exact, and so is each whole number below it: the division rounds once
  const double p = x * scale, rest = std::fma(x, scale, -p);
  double n = std::nearbyint(p);
  if (p - n == 0.5 && rest > 0) n += 1;
  if (p - n == -0.5 && rest < 0) n -= 1;
  return n / scale;
}

inline double between(double v0, double v1, double t) { return v0 + product(v1 - v0, t); }
inline double between(double v0, double v1, double v2, double v3, double t) {
  const double p1 = -v0 + v2, p2 = 2 * (v0 - v1) + v2 - v3, p3 = -v0 + v1 - v2 + v3;
  return v1 + product(t, p1 + product(t, p2 + product(t, p3)));
}

/// `n` pixels of a row from column `first` on, the first in the lowest byte; beyond the edges the last pixel repeats.
template <int n>
std::int32_t neighbours(const std::uint8_t* row, int first, int side) {
  if (std::endian::native == std::endian::little && first >= 0 && first + n <= side) {
    std::conditional_t<n == 4, std::uint32_t, std::uint16_t> word;
    std::memcpy(&word, row + first, n);
    return static_cast<std::int32_t>(word);
  }
  std::uint32_t word = 0;
  for (int k = n - 1; k >= 0; --k) word = word << 8 | row[std::clamp(first + k, 0, side - 1)];
  return static_cast<std::int32_t>(word);
}

/// Some pixels of an output row: where each comes from. Lists side by side, so that compilers vectorise the arithmetic.
template <int n>
struct Sources {
  static constexpr int most = 32;
  bool inside[most];
  int first[most];            // leftmost of n columns
  int rows[n][most];          // offsets of n rows in a plane
  double dx[most], dy[most];  // how far the place lies behind the second last (n = 2) or second (n = 4) of them

  void set(int j, double x, double y, int side) {
    inside[j] = x >= 0 && x < side && y >= 0 && y < side;
    x = inside[j] ? x - 0.5 : 0;
    y = inside[j] ? y - 0.5 : 0;
    const int column = x < 0 ? -1 : static_cast<int>(x), row = y < 0 ? -1 : static_cast<int>(y), before = n == 4 ? 1 : 0;
    dx[j] = x - column;
    dy[j] = y - row;
    first[j] = column - before;
    for (int k = 0; k < n; ++k) rows[k][j] = std::clamp(row - before + k, 0, side - 1) * side;
  }

  /// One channel of the first `count` of them.
  void read(const std::uint8_t* channel, int side, int count, std::uint8_t fill, std::uint8_t* out) const {
    std::int32_t words[n][most];
    for (int j = 0; j < count; ++j)
      for (int k = 0; k < n; ++k) words[k][j] = neighbours<n>(channel + rows[k][j], first[j], side);
    const auto along = [&](int k, int j) {
      const std::int32_t w = words[k][j];
      if constexpr (n == 2) return between(w & 255, w >> 8, dx[j]);
      else return between(w & 255, w >> 8 & 255, w >> 16 & 255, w >> 24 & 255, dx[j]);
    };
    int values[most];
    for (int j = 0; j < count; ++j) {
      if constexpr (n == 2) values[j] = static_cast<int>(between(along(0, j), along(1, j), dy[j]));
      else values[j] = static_cast<int>(between(along(0, j), along(1, j), along(2, j), along(3, j), dy[j]));
    }
    for (int j = 0; j < count; ++j) out[j] = inside[j] ? static_cast<std::uint8_t>(std::clamp(values[j], 0, 255)) : fill;
  }
};

template <int n>
void affine(PixelPlanes from, PixelPlanes to, const AffineMap& m, const std::array<std::uint8_t, 3>& fill) {
  Sources<n> sources;
  for (int y = 0; y < from.side; ++y) {
    const double across = product(m.b, y + 0.5), down = product(m.e, y + 0.5);
    for (int x = 0; x < from.side; x += sources.most) {
      const int count = std::min(sources.most, from.side - x);
      for (int j = 0; j < count; ++j) {
        const double centre = x + j + 0.5;
        sources.set(j, product(m.a, centre) + across + m.c, product(m.d, centre) + down + m.f, from.side);
      }
      for (int c = 0; c < 3; ++c)
        sources.read(from.channel(c), from.side, count, fill[static_cast<std::size_t>(c)],
                     to.channel(c) + Index{y} * to.side + x);
    }
  }
}
}  // namespace detail

/// Writes `from`, moved by `map`, to `to`; `fill` (red, green, blue) where the source lies outside the image.
/// Precondition: both have the same side and do not overlap.
inline void affine(PixelPlanes from, PixelPlanes to, const AffineMap& map, Interpolation interpolation,
                   const std::array<std::uint8_t, 3>& fill) {
  if (interpolation == Interpolation::bicubic) detail::affine<4>(from, to, map, fill);
  else detail::affine<2>(from, to, map, fill);
}

/// Turns an image of this side counter-clockwise around its middle, as Pillow's Image.rotate.
inline AffineMap rotation(double degrees, int side) {
  double angle = std::fmod(degrees, 360.0);
  if (angle < 0) angle += 360.0;
  angle = -(angle * (std::numbers::pi / 180.0));
  const double cosine = detail::round_15(std::cos(angle)), sine = detail::round_15(std::sin(angle)), middle = side / 2.0;
  AffineMap m{.a = cosine, .b = sine, .c = 0, .d = detail::round_15(-std::sin(angle)), .e = cosine, .f = 0};
  m.c = detail::product(m.a, -middle) + detail::product(m.b, -middle) + middle;
  m.f = detail::product(m.d, -middle) + detail::product(m.e, -middle) + middle;
  return m;
}
/// Moves row y by factor * y to the left.
inline AffineMap shear_x(double factor) { return {.b = factor}; }
/// Moves column x by factor * x upwards.
inline AffineMap shear_y(double factor) { return {.d = factor}; }
/// Moves the image by x pixels to the left and y upwards.
inline AffineMap translation(double x, double y) { return {.c = x, .f = y}; }

}  // namespace image_ops
}  // namespace minivit::inline MINIVIT_ISA
