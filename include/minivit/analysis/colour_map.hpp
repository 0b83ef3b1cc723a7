// SPDX-License-Identifier: MIT
// Colours for numbers. Each map is a path through a few points of OKLab (Ottosson 2020), a colour space in which equal
// distances look equally different, and is walked at constant speed, so equal steps of the number look like equal steps of
// colour. Lightness changes in one direction (diverging: on each side), so the maps survive grey printing and colour-blind
// eyes.
#pragma once

#include <minivit/core/isa.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>

namespace minivit::inline MINIVIT_ISA {

/// The colours that numbers get, from the lowest to the highest.
enum class ColourMap {
  sequential,  ///< almost white to dark blue: tables on a white page
  diverging,   ///< blue, almost white in the middle, red: numbers with a sign
  glow,        ///< dark violet to light yellow: laid over photographs
};

/// An 8-bit sRGB colour.
struct Rgb {
  std::uint8_t r = 0, g = 0, b = 0;             ///< 0 to 255, gamma-encoded
  bool operator==(const Rgb&) const = default;  ///< equal in all three
  /// "#rrggbb"
  std::string hex() const {
    constexpr char digits[] = "0123456789abcdef";
    std::string out = "#";
    for (const std::uint8_t v : {r, g, b}) {
      out += digits[v >> 4];
      out += digits[v & 15];
    }
    return out;
  }
};

namespace detail {

/// A colour as lightness, chroma and hue in degrees.
struct OkLch {
  double lightness, chroma, hue;
};
struct OkLab {
  double l, a, b;
};

inline OkLab to_lab(OkLch c) {
  const double angle = c.hue * 3.141592653589793 / 180;
  return {c.lightness, c.chroma * std::cos(angle), c.chroma * std::sin(angle)};
}

/// Red, green and blue as amounts of light; outside [0, 1] the screen cannot show the colour.
inline std::array<double, 3> linear_rgb(OkLab c) {
  const auto cube = [](double x) { return x * x * x; };
  const double l = cube(c.l + 0.3963377774 * c.a + 0.2158037573 * c.b);
  const double m = cube(c.l - 0.1055613458 * c.a - 0.0638541728 * c.b);
  const double s = cube(c.l - 0.0894841775 * c.a - 1.2914855480 * c.b);
  return {4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s, -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
          -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s};
}

/// A light amount as an 8-bit sRGB value (IEC 61966-2-1).
inline std::uint8_t srgb_byte(double light) {
  const double x = std::clamp(light, 0.0, 1.0);
  const double curved = x <= 0.0031308 ? 12.92 * x : 1.055 * std::pow(x, 1 / 2.4) - 0.055;
  return static_cast<std::uint8_t>(std::lround(curved * 255));
}

/// The point at share t of the way along straight lines from point to point.
inline OkLab along(std::span<const OkLch> points, double t) {
  const auto length = [&](std::size_t i) {
    const OkLab p = to_lab(points[i]), q = to_lab(points[i + 1]);
    return std::hypot(q.l - p.l, q.a - p.a, q.b - p.b);
  };
  double left = 0;
  for (std::size_t i = 0; i + 1 < points.size(); ++i) left += length(i);
  left *= t;
  std::size_t i = 0;
  for (; i + 2 < points.size() && left > length(i); ++i) left -= length(i);
  const OkLab p = to_lab(points[i]), q = to_lab(points[i + 1]);
  const double share = std::min(left / length(i), 1.0);
  return {p.l + share * (q.l - p.l), p.a + share * (q.a - p.a), p.b + share * (q.b - p.b)};
}

// Points of our own choice, all inside what a screen can show. The two halves of the diverging map are equally long to
// within a hundredth.
inline constexpr std::array<OkLch, 5> sequential_path{
    {{0.985, 0.01, 110}, {0.86, 0.09, 155}, {0.68, 0.10, 205}, {0.48, 0.12, 255}, {0.28, 0.10, 280}}};
inline constexpr std::array<OkLch, 5> glow_path{
    {{0.20, 0.06, 295}, {0.42, 0.15, 320}, {0.62, 0.17, 25}, {0.80, 0.14, 70}, {0.95, 0.10, 105}}};
inline constexpr std::array<OkLch, 3> blue_path{{{0.97, 0.005, 90}, {0.70, 0.10, 250}, {0.42, 0.13, 260}}};
inline constexpr std::array<OkLch, 3> red_path{{{0.97, 0.005, 90}, {0.70, 0.12, 40}, {0.42, 0.13, 27}}};

inline OkLab map_point(ColourMap map, double t) {
  if (map == ColourMap::sequential) return along(sequential_path, t);
  if (map == ColourMap::glow) return along(glow_path, t);
  return t < 0.5 ? along(blue_path, 1 - 2 * t) : along(red_path, 2 * t - 1);
}

}  // namespace detail

/// The colour of t in [0, 1]; beyond it the colour of the nearer end. NaN is grey.
inline Rgb colour(ColourMap map, double t) {
  if (std::isnan(t)) return {190, 190, 190};
  const auto light = detail::linear_rgb(detail::map_point(map, std::clamp(t, 0.0, 1.0)));
  return {detail::srgb_byte(light[0]), detail::srgb_byte(light[1]), detail::srgb_byte(light[2])};
}

/// Whether white text on this colour reads better than the dark grey #222: by WCAG both have the contrast 4 at a relative
/// luminance of 0.21.
inline bool is_dark(Rgb c) {
  const auto light = [](std::uint8_t v) {
    const double x = v / 255.0;
    return x <= 0.04045 ? x / 12.92 : std::pow((x + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * light(c.r) + 0.7152 * light(c.g) + 0.0722 * light(c.b) < 0.21;
}

}  // namespace minivit::inline MINIVIT_ISA
