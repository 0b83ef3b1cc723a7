// SPDX-License-Identifier: MIT
// Colour maps: even steps, one direction of lightness, colours a screen has.
#include <minivit/analysis/colour_map.hpp>

#include "../catch.hpp"

namespace colour_map_test {

namespace mv = minivit;
using mv::ColourMap;

namespace {
double apart(mv::detail::OkLab p, mv::detail::OkLab q) { return std::hypot(p.l - q.l, p.a - q.a, p.b - q.b); }
}  // namespace

TEST_CASE("colours: OKLab is turned into sRGB as its author says", "[analysis]") {
  // white, and the corners of the sRGB cube in OKLab as published with the colour space, to the digits given there
  const auto near = [](std::array<double, 3> found, std::array<double, 3> expected) {
    for (std::size_t i = 0; i < 3; ++i) CHECK(found[i] == Approx(expected[i]).margin(2e-3));
  };
  near(mv::detail::linear_rgb({1, 0, 0}), {1, 1, 1});
  near(mv::detail::linear_rgb({0.628, 0.2249, 0.1258}), {1, 0, 0});
  near(mv::detail::linear_rgb({0.8664, -0.2339, 0.1795}), {0, 1, 0});
  near(mv::detail::linear_rgb({0.452, -0.0325, -0.3115}), {0, 0, 1});
  CHECK(mv::detail::srgb_byte(1) == 255);
  CHECK(mv::detail::srgb_byte(0.2158605) == 128);
  CHECK(mv::detail::srgb_byte(-0.1) == 0);
}

TEST_CASE("colours: equal steps are equally far apart, lightness goes one way, and a screen can show them", "[analysis]") {
  constexpr int steps = 200;
  for (const auto map : {ColourMap::sequential, ColourMap::diverging, ColourMap::glow}) {
    CAPTURE(static_cast<int>(map));
    double shortest = 1e9, longest = 0;
    for (int i = 0; i <= steps; ++i) {
      CAPTURE(i);
      const auto here = mv::detail::map_point(map, static_cast<double>(i) / steps);
      for (const double light : mv::detail::linear_rgb(here)) {
        CHECK(light > -0.002);
        CHECK(light < 1.002);
      }
      if (i == 0) continue;
      const auto before = mv::detail::map_point(map, static_cast<double>(i - 1) / steps);
      const double step = apart(before, here);
      shortest = std::min(shortest, step), longest = std::max(longest, step);
      const bool darker = map == ColourMap::sequential || (map == ColourMap::diverging && i > steps / 2);
      CHECK((here.l < before.l) == darker);
    }
    CHECK(shortest > 0.93 * longest);  // a step around a corner of the path is a little shorter than its way
  }
}

TEST_CASE("colours: ends, what lies beyond them, and what is no number", "[analysis]") {
  for (const auto map : {ColourMap::sequential, ColourMap::diverging, ColourMap::glow}) {
    CHECK(mv::colour(map, -3) == mv::colour(map, 0));
    CHECK(mv::colour(map, 7) == mv::colour(map, 1));
    CHECK(mv::colour(map, NAN) == mv::Rgb{190, 190, 190});
  }
  CHECK_FALSE(mv::is_dark(mv::colour(ColourMap::sequential, 0)));
  CHECK(mv::is_dark(mv::colour(ColourMap::sequential, 1)));
  CHECK_FALSE(mv::is_dark(mv::colour(ColourMap::diverging, 0.5)));
  CHECK(mv::is_dark(mv::colour(ColourMap::glow, 0)));
  const mv::Rgb low = mv::colour(ColourMap::diverging, 0), high = mv::colour(ColourMap::diverging, 1);
  CHECK(low.b > low.r);
  CHECK(high.r > high.b);
  CHECK(mv::Rgb{0, 10, 255}.hex() == "#000aff");
}

}  // namespace colour_map_test
