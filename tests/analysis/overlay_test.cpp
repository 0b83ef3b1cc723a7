// SPDX-License-Identifier: MIT
// Overlays: upsampling by hand, blending, and wrong sizes.
#include <minivit/analysis/overlay.hpp>

#include "../catch.hpp"

namespace overlay_test {

namespace mv = minivit;
using mv::Index;

namespace {
mv::Matrix grid(Index rows, Index columns, std::vector<double> values) {
  mv::Matrix m(rows, columns);
  m.values = std::move(values);
  return m;
}
}  // namespace

TEST_CASE("overlay: upsampling interpolates between the middles of cells", "[analysis]") {
  const mv::Matrix row = mv::upsample(grid(1, 2, {0, 4}), 1, 4);
  CHECK(row.values == std::vector<double>{0, 1, 3, 4});
  const mv::Matrix up = mv::upsample(grid(2, 2, {0, 4, 8, 12}), 4, 2);
  CHECK(up.values == std::vector<double>{0, 4, 2, 6, 6, 10, 8, 12});
  CHECK(mv::upsample(grid(2, 3, {1, 2, 3, 4, 5, 6}), 2, 3).values == std::vector<double>{1, 2, 3, 4, 5, 6});
  CHECK(mv::upsample(grid(1, 1, {7}), 2, 2).values == std::vector<double>{7, 7, 7, 7});
  const mv::Matrix odd = mv::upsample(grid(1, 2, {0, 1}), 1, 3);
  CHECK(odd(0, 1) == Approx(0.5));
}

TEST_CASE("overlay: alpha 0 leaves the picture, 1 shows the colours, between them is a mixture", "[analysis]") {
  const std::vector<std::uint8_t> picture{0, 0, 0, 10, 20, 30, 255, 255, 255, 100, 50, 0};
  const mv::Matrix cells = grid(1, 2, {-1, 3});
  CHECK(mv::overlay(picture, 2, 2, cells, {.alpha = 0}) == picture);
  const auto low = mv::colour(mv::ColourMap::glow, 0), high = mv::colour(mv::ColourMap::glow, 1);
  CHECK(mv::overlay(picture, 2, 2, cells, {.alpha = 1}) ==
        std::vector<std::uint8_t>{low.r, low.g, low.b, high.r, high.g, high.b, low.r, low.g, low.b, high.r, high.g, high.b});
  const auto half = mv::overlay(picture, 2, 2, cells);
  CHECK(half[0] == static_cast<std::uint8_t>(std::lround(low.r / 2.0)));
  CHECK(half[7] == static_cast<std::uint8_t>(std::lround((255 + low.g) / 2.0)));
  // given ends: the middle of the colours for a number in the middle
  const auto middle = mv::colour(mv::ColourMap::diverging, 0.5);
  const auto given = mv::overlay(std::vector<std::uint8_t>{1, 2, 3}, 1, 1, grid(1, 1, {5}),
                                 {1, mv::ColourMap::diverging, 0.0, 10.0});
  CHECK(given == std::vector<std::uint8_t>{middle.r, middle.g, middle.b});
  // a constant grid has the lower colour, a missing number shows the picture
  CHECK(mv::overlay(std::vector<std::uint8_t>{1, 2, 3}, 1, 1, grid(1, 1, {5}), {.alpha = 1}) ==
        std::vector<std::uint8_t>{low.r, low.g, low.b});
  CHECK(mv::overlay(std::vector<std::uint8_t>{1, 2, 3}, 1, 1, grid(1, 1, {NAN})) == std::vector<std::uint8_t>{1, 2, 3});
}

TEST_CASE("overlay: sizes that do not fit are refused", "[analysis]") {
  const std::vector<std::uint8_t> picture(12);
  CHECK_THROWS_WITH(mv::overlay(picture, 2, 3, grid(1, 1, {1})),
                    "overlay: the pixels do not match the size: expected 2 x 3 x 3, found 12 bytes");
  CHECK_THROWS_AS(mv::overlay(picture, 0, 2, grid(1, 1, {1})), mv::Error);
  CHECK_THROWS_AS(mv::overlay(picture, 2, 2, mv::Matrix()), mv::Error);
  CHECK_THROWS_AS(mv::overlay(picture, 2, 2, grid(1, 1, {1}), {.alpha = 1.5}), mv::Error);
  CHECK_THROWS_AS(mv::overlay(picture, 2, 2, grid(1, 1, {1}), {.alpha = NAN}), mv::Error);
}

}  // namespace overlay_test
