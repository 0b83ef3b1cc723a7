// SPDX-License-Identifier: MIT
#include "../catch.hpp"

#include <minivit/core/buffer.hpp>
#include <minivit/data/random_erasing.hpp>

#include <set>

namespace random_erasing_test {

namespace mv = minivit;

namespace {
constexpr int S = 32;
constexpr float untouched = 1000;
using Picture = mv::Tensor<float, 3, S, S>;

Picture erased(const mv::RandomErasing& settings, std::uint64_t stream) {
  auto image = Picture::zeros();
  std::fill(image.data(), image.data() + image.size(), untouched);
  mv::erase_randomly<3, S>(settings, mv::Random(8).fork(stream), image.view());
  return image;
}
/// The smallest box around what changed in the first channel, and how much of it changed.
struct Found {
  mv::PixelBox box;
  int changed = 0;
};
Found found(const Picture& image) {
  int top = S, left = S, bottom = -1, right = -1, changed = 0;
  for (int y = 0; y < S; ++y)
    for (int x = 0; x < S; ++x)
      if (image.view()(0, y, x) != untouched) {
        top = std::min(top, y), left = std::min(left, x), bottom = std::max(bottom, y), right = std::max(right, x);
        ++changed;
      }
  if (changed == 0) return {};
  return {{.top = top, .left = left, .height = bottom + 1 - top, .width = right + 1 - left}, changed};
}
}  // namespace

TEST_CASE("random erasing: off by default, and a quarter of the images at 0.25", "[data]") {
  int count = 0;
  for (std::uint64_t i = 0; i < 4000; ++i) {
    CHECK(found(erased({}, i)).changed == 0);
    count += found(erased({.probability = 0.25}, i)).changed > 0;
  }
  CHECK(std::abs(count - 1000) < 137);  // five standard deviations
}

TEST_CASE("random erasing: one rectangle, the same in all channels, with area and shape as asked", "[data]") {
  const mv::RandomErasing settings{.probability = 1};
  double area = 0;
  std::set<int> tops, lefts, bottoms, rights;
  int tall = 0, none = 0;
  constexpr int draws = 4000;
  for (std::uint64_t i = 0; i < draws; ++i) {
    const auto image = erased(settings, i);
    const auto [box, changed] = found(image);
    if (changed == 0) {
      ++none;
      continue;
    }
    REQUIRE(changed == box.height * box.width);  // a whole rectangle
    int other = 0;
    for (int c = 1; c < 3; ++c)
      for (int y = 0; y < S; ++y)
        for (int x = 0; x < S; ++x) {
          const bool inside = y >= box.top && y < box.top + box.height && x >= box.left && x < box.left + box.width;
          other += (image.view()(c, y, x) != untouched) != inside;
        }
    REQUIRE(other == 0);
    // sides are rounded: area within half a side of each
    const double slack = (box.height + box.width) / 2.0;
    REQUIRE((changed <= S * S / 3.0 + slack && changed >= 0.02 * S * S - slack));
    const double aspect = static_cast<double>(box.height) / box.width;
    REQUIRE((aspect < 1.3 / 0.3 && aspect > 0.3 / 1.3));  // 0.3 to 1 / 0.3 before rounding; the smallest side has 2 pixels
    tops.insert(box.top);
    lefts.insert(box.left);
    bottoms.insert(box.top + box.height);
    rights.insert(box.left + box.width);
    area += changed;
    tall += box.height > box.width;
  }
  CHECK(none == 0);  // ten attempts fail with probability below 1e-10
  // uniform in [0.02, 1/3], less what does not fit: between 0.155 and 0.1767
  CHECK(area / draws / (S * S) == Approx(0.168).margin(0.012));
  CHECK(std::abs(tall - draws / 2) < 300);  // about as often tall as wide; some are square
  CHECK((*tops.begin() == 0 && *bottoms.rbegin() == S && *lefts.begin() == 0 && *rights.rbegin() == S));
}

TEST_CASE("random erasing: the noise is normal with its own number for each value, or one for each channel, or zero",
          "[data]") {
  double sum = 0, squares = 0;
  int n = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto image = erased({.probability = 1}, i);
    std::set<float> values;
    int changed = 0;
    for (mv::Index k = 0; k < image.size(); ++k) {
      const float v = image.data()[k];
      if (v == untouched) continue;
      values.insert(v);
      sum += v;
      squares += v * v;
      ++changed;
    }
    CHECK(static_cast<int>(values.size()) > changed * 99 / 100);  // equal floats are rare
    n += changed;
    const auto colour = erased({.probability = 1, .fill = mv::RandomErasing::Fill::colour}, i);
    CHECK(std::set<float>(colour.data(), colour.data() + colour.size()).size() == 4);  // three colours and the rest
    const auto zero = erased({.probability = 1, .fill = mv::RandomErasing::Fill::zero}, i);
    CHECK(std::set<float>(zero.data(), zero.data() + zero.size()) == std::set<float>{0, untouched});
    CHECK(found(colour).box == found(image).box);  // the place does not depend on the fill
  }
  REQUIRE(n > 30000);
  CHECK(sum / n == Approx(0).margin(5 / std::sqrt(n)));  // five standard errors
  CHECK(squares / n == Approx(1).margin(5 * std::sqrt(2.0 / n)));
}

TEST_CASE("random erasing: several rectangles share the area; shapes that never fit erase nothing", "[data]") {
  double one = 0, four = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    one += found(erased({.probability = 1, .max_area = 0.1}, i)).changed;
    four += found(erased({.probability = 1, .count = 4, .max_area = 0.1}, i)).changed;
  }
  CHECK(four / one == Approx(0.93).margin(0.08));  // a little is lost where they overlap
  const mv::RandomErasing whole{.probability = 1, .min_area = 1, .max_area = 1, .min_aspect = 1};
  CHECK_FALSE(mv::draw_erase_box(whole, S, mv::Random(1)).has_value());
  CHECK(found(erased(whole, 0)).changed == 0);
}

TEST_CASE("random erasing: values that make no sense are refused by name", "[data]") {
  const auto refused = [](const mv::RandomErasing& settings, const char* field) {
    try {
      mv::check(settings);
    } catch (const mv::Error& error) {
      return std::string(error.what()).find(field) != std::string::npos;
    }
    return false;
  };
  CHECK_NOTHROW(mv::check(mv::RandomErasing{.probability = 0.25}));
  CHECK(refused({.probability = 1.5}, "probability"));
  CHECK(refused({.probability = std::nan("")}, "probability"));
  CHECK(refused({.count = 0}, "count"));
  CHECK(refused({.min_area = 0.5}, "min_area"));
  CHECK(refused({.max_area = 1.5}, "max_area"));
  CHECK(refused({.min_aspect = 0}, "min_aspect"));
}

}  // namespace random_erasing_test
