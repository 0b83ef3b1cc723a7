// SPDX-License-Identifier: MIT
#include "../catch.hpp"
#include "pillow_op_vectors.hpp"

#include <minivit/core/random.hpp>
#include <minivit/data/affine.hpp>

#include <functional>
#include <string>
#include <vector>

namespace image_ops_test {

namespace mv = minivit;
namespace ops = mv::image_ops;

namespace {
constexpr std::array<std::uint8_t, 3> fill{124, 116, 104};

/// An image that owns its planes.
struct Picture {
  int side;
  std::vector<std::uint8_t> pixels;  // (3, side, side)
  Picture(int s, const std::function<int(int)>& value) : side(s), pixels(static_cast<std::size_t>(3 * s * s)) {
    for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(value(static_cast<int>(i)));
  }
  mv::PixelPlanes planes() { return {pixels.data(), side}; }
};
/// High byte of (i + 1) times the golden ratio.
int noise(int i) { return static_cast<int>((static_cast<std::uint64_t>(i) + 1) * 0x9E3779B97F4A7C15u >> 56); }

/// What Pillow was given: noise, a slope that wraps, few values, one value per channel, two values, one pixel, four pixels.
std::vector<Picture> op_pictures() {
  std::vector<Picture> all;
  for (const int side : {9, 16, 32}) all.emplace_back(side, noise);
  all.emplace_back(45, [](int i) { return 7 * (i % 45) + 5 * (i / 45 % 45) + 60 * (i / 2025); });
  all.emplace_back(17, [](int i) { return 90 + noise(i) / 4; });
  all.emplace_back(16, [](int i) { return std::array{200, 40, 0}[static_cast<std::size_t>(i / 256)]; });
  all.emplace_back(16, [](int i) { return noise(i) > 127 ? 180 : 60; });
  for (const int side : {1, 2}) all.emplace_back(side, noise);
  return all;
}

/// FNV-1a of the results of `op` on all pictures.
std::uint64_t hash_of_all(const std::function<void(Picture&)>& op) {
  std::string bytes;
  for (Picture& picture : op_pictures()) {
    op(picture);
    bytes.append(picture.pixels.begin(), picture.pixels.end());
  }
  return mv::hash_name(bytes);
}

void change(const std::string& name, double argument, mv::PixelPlanes image, mv::PixelPlanes scratch) {
  const int whole = static_cast<int>(argument);
  if (name == "auto_contrast") return ops::auto_contrast(image);
  if (name == "equalize") return ops::equalize(image);
  if (name == "invert") return ops::invert(image);
  if (name == "posterize") return ops::posterize(image, whole);
  if (name == "solarize") return ops::solarize(image, whole);
  if (name == "solarize_add") return ops::solarize_add(image, whole);
  if (name == "colour") return ops::colour(image, argument);
  if (name == "contrast") return ops::contrast(image, argument);
  if (name == "brightness") return ops::brightness(image, argument);
  if (name == "sharpness") return ops::sharpness(image, argument, scratch);
  FAIL("unknown operation " << name);
}
mv::AffineMap map_of(const std::string& name, double argument, int side) {
  if (name == "rotate") return ops::rotation(argument, side);
  if (name == "shear_x") return ops::shear_x(argument);
  if (name == "shear_y") return ops::shear_y(argument);
  if (name == "translate_x") return ops::translation(argument * side, 0);
  if (name == "translate_y") return ops::translation(0, argument * side);
  FAIL("unknown operation " << name);
  return {};
}
std::uint64_t hash_of_move(const std::string& name, double argument, mv::Interpolation interpolation) {
  return hash_of_all([&](Picture& picture) {
    Picture moved(picture.side, [](int) { return 77; });
    ops::affine(picture.planes(), moved.planes(), map_of(name, argument, picture.side), interpolation, fill);
    picture = moved;
  });
}
}  // namespace

// Some of the strengths were chosen because a fused multiply-add would change a pixel; compilers fuse from -O2 on.
TEST_CASE("image operations: colours and sharpness equal Pillow at every strength", "[data]") {
  for (const auto& c : pillow_ops) {
    CAPTURE(c.name, c.argument);
    const auto got = hash_of_all([&](Picture& picture) {
      Picture scratch = picture;
      change(c.name, c.argument, picture.planes(), scratch.planes());
    });
    CHECK(got == c.hash);
  }
}

TEST_CASE("affine: turned, sheared and moved images equal Pillow, bilinear and bicubic", "[data]") {
  for (const auto& c : pillow_moves) {
    CAPTURE(c.name, c.argument);
    CHECK(hash_of_move(c.name, c.argument, mv::Interpolation::bilinear) == c.bilinear);
    CHECK(hash_of_move(c.name, c.argument, mv::Interpolation::bicubic) == c.bicubic);
  }
}

TEST_CASE("affine: a small turned image equals Pillow pixel by pixel", "[data]") {
  Picture picture(9, noise), turned = picture;
  ops::affine(picture.planes(), turned.planes(), ops::rotation(30, 9), mv::Interpolation::bicubic, fill);
  for (std::size_t i = 0; i < 81; ++i) {
    CAPTURE(i);
    CHECK(static_cast<int>(turned.pixels[i]) == static_cast<int>(pillow_turned_9x9[i]));
  }
}

TEST_CASE("affine: quarter turns, whole shifts and the identity move pixels without changing them", "[data]") {
  for (const auto interpolation : {mv::Interpolation::bilinear, mv::Interpolation::bicubic}) {
    Picture picture(33, noise), out = picture;
    const auto move = [&](const mv::AffineMap& map) {
      ops::affine(picture.planes(), out.planes(), map, interpolation, fill);
    };
    const auto pixel = [](const Picture& p, int c, int y, int x) {
      return static_cast<int>(p.pixels[static_cast<std::size_t>((c * 33 + y) * 33 + x)]);
    };
    move(ops::rotation(0, 33));
    CHECK(out.pixels == picture.pixels);
    move(ops::rotation(-360, 33));
    CHECK(out.pixels == picture.pixels);
    move(ops::rotation(90, 33));  // counter-clockwise: the right column becomes the top row
    int wrong = 0;
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 33; ++y)
        for (int x = 0; x < 33; ++x) wrong += pixel(out, c, y, x) != pixel(picture, c, x, 32 - y);
    CHECK(wrong == 0);
    move(ops::translation(5, -3));  // to the left and down
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 33; ++y)
        for (int x = 0; x < 33; ++x)
          wrong += pixel(out, c, y, x) !=
                   (x + 5 < 33 && y >= 3 ? pixel(picture, c, y - 3, x + 5) : fill[static_cast<std::size_t>(c)]);
    CHECK(wrong == 0);
  }
}

TEST_CASE("rotation: numbers are rounded to 15 decimals as Python does", "[data]") {
  // round(x, 15) of Python 3.11
  CHECK(ops::rotation(30, 32).a == 0.866025403784439);
  CHECK(ops::rotation(27, 32).a == 0.891006524188368);
  CHECK(ops::rotation(30, 32).b == -0.5);
  CHECK(ops::rotation(90, 32).a == 0.0);
  CHECK(ops::rotation(180, 32).a == -1.0);
  CHECK(ops::detail::round_15(0.1234567890123455) == 0.123456789012345);  // the double lies below the tie
  CHECK(ops::detail::round_15(0.5000000000000005) == 0.500000000000001);  // the double lies above the tie
}

}  // namespace image_ops_test
