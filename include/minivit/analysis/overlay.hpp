// SPDX-License-Identifier: MIT
// A grid of numbers laid over a picture: upsampled between its cells, coloured, and blended. Pixels are plain 8-bit RGB;
// data/image reads and writes them as files.
#pragma once

#include <minivit/analysis/colour_map.hpp>
#include <minivit/analysis/matrix.hpp>
#include <minivit/core/errors.hpp>

#include <limits>
#include <optional>

namespace minivit::inline MINIVIT_ISA {

/// The grid at another size, bilinear between the middles of its cells, constant beyond the outer ones: what torch's
/// interpolate does with mode bilinear and align_corners False. Precondition: the grid is not empty.
inline Matrix upsample(const Matrix& grid, Index rows, Index columns) {
  struct Tap {
    Index low, high;
    double share;  // of `high`
  };
  const auto taps = [](Index in, Index out) {
    std::vector<Tap> all;
    for (Index i = 0; i < out; ++i) {
      const double at = (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
      const double inside = std::clamp(at, 0.0, static_cast<double>(in - 1));
      const auto low = static_cast<Index>(inside);
      all.push_back({low, std::min(low + 1, in - 1), inside - static_cast<double>(low)});
    }
    return all;
  };
  const auto down = taps(grid.rows, rows), across = taps(grid.columns, columns);
  Matrix out(rows, columns);
  for (Index y = 0; y < rows; ++y) {
    const Tap& v = down[static_cast<std::size_t>(y)];
    for (Index x = 0; x < columns; ++x) {
      const Tap& h = across[static_cast<std::size_t>(x)];
      const double top = grid(v.low, h.low) * (1 - h.share) + grid(v.low, h.high) * h.share;
      const double bottom = grid(v.high, h.low) * (1 - h.share) + grid(v.high, h.high) * h.share;
      out(y, x) = top * (1 - v.share) + bottom * v.share;
    }
  }
  return out;
}

/// How a grid is laid over a picture.
struct OverlayOptions {
  double alpha = 0.5;                   ///< share of the colour: 0 leaves the picture, 1 hides it
  ColourMap colours = ColourMap::glow;  ///< glow stands out from photographs
  std::optional<double> low{};          ///< number at the lower end of the colours; otherwise the grid's smallest
  std::optional<double> high{};         ///< and at the upper; otherwise its largest
};

/// `rgb` [height, width, 3] with `grid` over it, as pixels of the same extents. Where the grid is not finite the picture
/// stays as it is. Throws Error when the pixels do not match the size, the grid is empty, or alpha lies outside [0, 1].
inline std::vector<std::uint8_t> overlay(std::span<const std::uint8_t> rgb, Index width, Index height, const Matrix& grid,
                                         const OverlayOptions& options = {}) {
  if (width < 1 || height < 1 || static_cast<Index>(rgb.size()) / 3 / width != height ||
      static_cast<Index>(rgb.size()) != width * height * 3)
    fail({.where = "overlay",
          .what = "the pixels do not match the size",
          .expected = std::to_string(width) + " x " + std::to_string(height) + " x 3",
          .found = std::to_string(rgb.size()) + " bytes"});
  if (grid.rows < 1 || grid.columns < 1) fail({.where = "overlay", .what = "the grid is empty"});
  if (!(options.alpha >= 0 && options.alpha <= 1))
    fail({.where = "overlay", .what = "alpha", .expected = "0 to 1", .found = std::to_string(options.alpha)});
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const double v : grid.values)
    if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  low = options.low.value_or(low);
  high = options.high.value_or(high);
  const Matrix fine = upsample(grid, height, width);
  std::vector<std::uint8_t> out(rgb.begin(), rgb.end());
  for (std::size_t p = 0; p < fine.values.size(); ++p) {
    const double v = fine.values[p];
    if (!std::isfinite(v)) continue;
    const Rgb c = colour(options.colours, high > low ? (v - low) / (high - low) : 0.0);
    const auto blend = [&](std::size_t channel, std::uint8_t over) {
      const double mixed = (1 - options.alpha) * out[3 * p + channel] + options.alpha * over;
      out[3 * p + channel] = static_cast<std::uint8_t>(std::lround(mixed));
    };
    blend(0, c.r);
    blend(1, c.g);
    blend(2, c.b);
  }
  return out;
}

}  // namespace minivit::inline MINIVIT_ISA
