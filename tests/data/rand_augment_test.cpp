// SPDX-License-Identifier: MIT
#include "../catch.hpp"

#include <minivit/data/rand_augment.hpp>

#include <map>
#include <set>
#include <string>
#include <vector>

namespace rand_augment_test {

namespace mv = minivit;

namespace {
constexpr int side = 16;
using Pixels = std::vector<std::uint8_t>;

Pixels noise(std::uint64_t seed) {
  Pixels p(3 * side * side);
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = static_cast<std::uint8_t>(mv::Random(seed).bits(i) >> 56);
  return p;
}
Pixels augmented(const mv::RandAugment& settings, std::uint64_t image, std::uint64_t stream) {
  Pixels pixels = noise(image), scratch(pixels.size(), 77);
  mv::PixelPlanes a{pixels.data(), side}, b{scratch.data(), side};
  mv::rand_augment(settings, mv::Random(stream), a, b, {124, 116, 104});
  return {a.all().begin(), a.all().end()};
}
std::string refused(std::string_view text) {
  try {
    mv::parse_rand_augment(text);
  } catch (const mv::Error& error) {
    return error.what();
  }
  return "";
}
}  // namespace

TEST_CASE("RandAugment: magnitudes mean what timm's formulas say", "[data]") {
  using enum mv::ImageOp;
  struct Row {
    double magnitude, degrees;
    int bits, threshold, added;
    double more, less, shear, shift;
  };
  // timm's Python expressions: level / 10 * 30, 4 - int(level / 10 * 4), 256 - min(256, int(level / 10 * 256)),
  // min(128, int(level / 10 * 110)), 1 + and 1 - level / 10 * 0.9, level / 10 * 0.3, level / 10 * 0.45
  const Row rows[] = {
      {0.0, 0.0, 4, 256, 0, 1.0, 1.0, 0.0, 0.0},
      {2.5, 7.5, 3, 192, 27, 1.225, 0.775, 0.075, 0.1125},
      {4.4, 13.200000000000001, 3, 144, 48, 1.3960000000000001, 0.6039999999999999, 0.132, 0.19800000000000004},
      {9.0, 27.0, 1, 26, 99, 1.81, 0.18999999999999995, 0.27, 0.405},
      {10.0, 30.0, 0, 0, 110, 1.9, 0.09999999999999998, 0.3, 0.45},
  };
  for (const Row& r : rows) {
    CAPTURE(r.magnitude);
    const auto plus = [&](mv::ImageOp op) { return mv::image_op_argument(op, r.magnitude, false); };
    const auto minus = [&](mv::ImageOp op) { return mv::image_op_argument(op, r.magnitude, true); };
    CHECK(plus(rotate) == r.degrees);
    CHECK(minus(rotate) == -r.degrees);
    for (const auto& sign : {plus(posterize), minus(posterize)}) CHECK(sign == r.bits);
    for (const auto& sign : {plus(solarize), minus(solarize)}) CHECK(sign == r.threshold);
    for (const auto& sign : {plus(solarize_add), minus(solarize_add)}) CHECK(sign == r.added);
    for (const auto op : {colour, contrast, brightness, sharpness}) {
      CHECK(plus(op) == r.more);
      CHECK(minus(op) == r.less);
    }
    for (const auto op : {shear_x, shear_y}) CHECK((plus(op) == r.shear && minus(op) == -r.shear));
    for (const auto op : {translate_x, translate_y}) CHECK((plus(op) == r.shift && minus(op) == -r.shift));
  }
}

TEST_CASE("RandAugment: operations, signs, filters and magnitudes are drawn with timm's shares", "[data]") {
  const mv::RandAugment settings;
  constexpr int draws = 30000;
  std::map<mv::ImageOp, int> of_op;
  int applied = 0, negative = 0, bicubic = 0, at_most = 0;
  double sum = 0, squares = 0;
  for (std::uint64_t i = 0; i < draws; ++i) {
    const auto drawn = mv::draw_image_op(settings, mv::Random(5).fork(i));
    ++of_op[drawn.op];
    applied += drawn.applied;
    negative += drawn.negative;
    bicubic += drawn.interpolation == mv::Interpolation::bicubic;
    at_most += drawn.magnitude == 10;
    REQUIRE((drawn.magnitude >= 0 && drawn.magnitude <= 10));
    sum += drawn.magnitude - 9;
    squares += (drawn.magnitude - 9) * (drawn.magnitude - 9);
  }
  CHECK(of_op.size() == 15);
  for (const auto& [op, n] : of_op) CHECK(std::abs(n - 2000) < 217);  // five standard deviations with p = 1 / 15
  for (const int n : {applied, negative, bicubic}) CHECK(std::abs(n - draws / 2) < 433);
  CHECK(std::abs(at_most - 683) < 129);  // a normal number above 2: 2.275 percent
  // cut at 10: mean -0.5 * 0.00849 (expected excess above 2 deviations), variance 0.25 * 0.9768
  CHECK(sum / draws == Approx(-0.00425).margin(0.0143));
  CHECK(squares / draws == Approx(0.2442).margin(0.0102));  // five standard errors
}

TEST_CASE("RandAugment: probability, deviation and filter can be fixed", "[data]") {
  mv::RandAugment settings{
      .magnitude = 3, .magnitude_std = 0, .probability = 1, .interpolation = mv::Interpolation::bicubic};
  for (std::uint64_t i = 0; i < 300; ++i) {
    const auto drawn = mv::draw_image_op(settings, mv::Random(6).fork(i));
    CHECK((drawn.applied && drawn.magnitude == 3 && drawn.interpolation == mv::Interpolation::bicubic));
  }
  settings.probability = 0;
  CHECK(augmented(settings, 1, 2) == noise(1));
  settings.probability = 1;
  settings.operations = 0;
  CHECK(augmented(settings, 1, 2) == noise(1));
  settings.magnitude_std = std::numeric_limits<double>::infinity();
  double least = 10, most = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const double m = mv::draw_image_op(settings, mv::Random(6).fork(i)).magnitude;
    least = std::min(least, m);
    most = std::max(most, m);
  }
  CHECK((least >= 0 && least < 0.05 && most <= 3 && most > 2.95));
}

TEST_CASE("RandAugment: one image is the chain of its drawn operations", "[data]") {
  mv::RandAugment settings{.operations = 3, .probability = 0.8};
  std::set<std::string> results;
  for (std::uint64_t stream = 0; stream < 60; ++stream) {
    Pixels pixels = noise(3), scratch(pixels.size());
    mv::PixelPlanes a{pixels.data(), side}, b{scratch.data(), side};
    for (std::uint64_t k = 0; k < 3; ++k)
      mv::apply_image_op(mv::draw_image_op(settings, mv::Random(stream).fork(k)), a, b, {124, 116, 104});
    const Pixels want(a.all().begin(), a.all().end());
    CHECK(augmented(settings, 3, stream) == want);
    results.emplace(want.begin(), want.end());
  }
  CHECK(results.size() > 50);  // streams differ
}

TEST_CASE("RandAugment: each operation does what its name says", "[data]") {
  using enum mv::ImageOp;
  const auto apply = [](mv::ImageOp op, double magnitude, bool negative = false) {
    Pixels pixels = noise(4), scratch(pixels.size(), 9);
    mv::PixelPlanes a{pixels.data(), side}, b{scratch.data(), side};
    mv::apply_image_op({.op = op, .magnitude = magnitude, .negative = negative}, a, b, {1, 2, 3});
    return Pixels(a.all().begin(), a.all().end());
  };
  const auto direct = [](auto&& change) {
    Pixels pixels = noise(4), scratch(pixels.size(), 9);
    mv::PixelPlanes a{pixels.data(), side}, b{scratch.data(), side};
    return change(a, b) ? pixels : scratch;
  };
  namespace ops = mv::image_ops;
  const auto in_place = [&](auto&& change) { return direct([&](auto a, auto) { return change(a), true; }); };
  const auto moved = [&](const mv::AffineMap& map) {
    return direct([&](auto a, auto b) { return ops::affine(a, b, map, mv::Interpolation::bicubic, {1, 2, 3}), false; });
  };
  CHECK(apply(auto_contrast, 5) == in_place([](auto a) { ops::auto_contrast(a); }));
  CHECK(apply(equalize, 5) == in_place([](auto a) { ops::equalize(a); }));
  CHECK(apply(invert, 5) == in_place([](auto a) { ops::invert(a); }));
  CHECK(apply(posterize, 9) == in_place([](auto a) { ops::posterize(a, 1); }));
  CHECK(apply(solarize, 9) == in_place([](auto a) { ops::solarize(a, 26); }));
  CHECK(apply(solarize_add, 9) == in_place([](auto a) { ops::solarize_add(a, 99); }));
  CHECK(apply(colour, 5) == in_place([](auto a) { ops::colour(a, 1.45); }));
  CHECK(apply(contrast, 5, true) == in_place([](auto a) { ops::contrast(a, 0.55); }));
  CHECK(apply(brightness, 5) == in_place([](auto a) { ops::brightness(a, 1.45); }));
  CHECK(apply(sharpness, 5) == direct([](auto a, auto b) { return ops::sharpness(a, 1.45, b), true; }));
  CHECK(apply(rotate, 5) == moved(ops::rotation(15, side)));
  CHECK(apply(rotate, 5, true) == moved(ops::rotation(-15, side)));
  CHECK(apply(shear_x, 5) == moved(ops::shear_x(0.15)));
  CHECK(apply(shear_y, 5) == moved(ops::shear_y(0.15)));
  CHECK(apply(translate_x, 5) == moved(ops::translation(0.225 * side, 0)));
  CHECK(apply(translate_y, 5, true) == moved(ops::translation(0, -0.225 * side)));
  CHECK(apply(posterize, 10) == Pixels(noise(4).size(), 0));  // no bits are left, as in timm
}

TEST_CASE("RandAugment: timm's text form is read and written", "[data]") {
  CHECK(mv::parse_rand_augment("rand-m9-mstd0.5-inc1") == mv::RandAugment{});
  CHECK(mv::parse_rand_augment("rand-inc1") == mv::RandAugment{.magnitude = 10, .magnitude_std = 0});
  CHECK(mv::parse_rand_augment("rand-inc1-p1-n3-m7.5") ==
        mv::RandAugment{.operations = 3, .magnitude = 7.5, .magnitude_std = 0, .probability = 1});
  CHECK(std::isinf(mv::parse_rand_augment("rand-m6-mstd101-inc1").magnitude_std));
  for (const char* text : {"rand-m9-mstd0.5-inc1", "rand-m10-inc1", "rand-m0-n3-p0.3-inc1", "rand-m7.25-mstd101-inc1"})
    CHECK(mv::to_text(mv::parse_rand_augment(text)) == text);
}

TEST_CASE("RandAugment: text that is not understood is refused and the part is named", "[data]") {
  const auto names = [](std::string_view text, const char* part) {
    const std::string message = refused(text);
    CAPTURE(std::string(text), message);
    CHECK(message.find(part) != std::string::npos);
  };
  names("", "'rand'");
  names("augmix-m3", "'rand'");
  names("randm9-inc1", "'rand'");
  names("rand", "inc1 is missing");
  names("rand-m9-mstd0.5", "inc1 is missing");
  names("rand-m9-inc0", "'inc0'");
  names("rand-m9-w0-inc1", "'w0'");
  names("rand-mmax9-inc1", "'mmax9'");
  names("rand-m9-m8-inc1", "second 'm8'");
  names("rand-m-inc1", "no number in 'm'");
  names("rand-m1.2.3-inc1", "'m1.2.3'");
  names("rand-m.5-inc1", "'m.5'");
  names("rand-m9e1-inc1", "'m9e1'");
  names("rand-m1234567890123456-inc1", "no number");
  names("rand-n2.5-inc1", "'n2.5'");
  names("rand-n101-inc1", "'n101'");
  names("rand-m9-inc1-", "unknown part ''");
  names("rand--m9-inc1", "unknown part ''");
  names("rand-m11-inc1", "magnitude");
  names("rand-p1.5-inc1", "probability");
  names(std::string("rand-m9-\n-inc1"), "\\x0a");
}

}  // namespace rand_augment_test
