// SPDX-License-Identifier: MIT
#include "../catch.hpp"

#include <minivit/data/preprocess.hpp>
#include <minivit/data/resized_crop.hpp>

#include <set>

namespace resized_crop_test {

namespace mv = minivit;

namespace {
mv::Image noise(int side) {
  mv::Image image(side, side);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<std::uint8_t>(mv::Random(2).bits(i) >> 56);
  return image;
}
mv::Image cut(const mv::Image& image, const mv::PixelBox& box) {
  mv::Image out(box.width, box.height);
  for (int y = 0; y < box.height; ++y) std::copy_n(image.row(box.top + y) + 3 * box.left, 3 * box.width, out.row(y));
  return out;
}
}  // namespace

TEST_CASE("resize_box: equals cutting the box and resizing it, which equals Pillow", "[data]") {
  mv::ResizeScratch scratch;  // one for all, as in a loader
  for (const int side : {1, 2, 9, 32, 33}) {
    const auto image = noise(side);
    std::vector<std::uint8_t> planes(image.rgb.size()), out(planes.size());
    mv::to_planes(image, planes.data());
    for (std::uint64_t i = 0; i < 40; ++i) {
      const mv::Random random = mv::Random(3).fork(i);
      mv::PixelBox box{.height = static_cast<int>(1 + random.below(0, side)),
                       .width = static_cast<int>(1 + random.below(1, side))};
      if (i % 4 == 0) box.height = side;
      if (i % 3 == 0) box.width = side;
      box.top = static_cast<int>(random.below(2, side - box.height + 1));
      box.left = static_cast<int>(random.below(3, side - box.width + 1));
      for (const auto kind : {mv::Interpolation::bilinear, mv::Interpolation::bicubic}) {
        mv::resize_box(planes.data(), box, kind, scratch, {out.data(), side});
        CAPTURE(side, box.top, box.left, box.height, box.width);
        CHECK(mv::from_planes(out.data(), side) == mv::resize(cut(image, box), side, side, kind));
      }
    }
  }
}

TEST_CASE("resized crop: area and ratio are spread as asked and every place is reached", "[data]") {
  constexpr int side = 224;
  double area = 0;
  int wide = 0;
  std::set<int> corners;
  constexpr int draws = 4000;
  for (std::uint64_t i = 0; i < draws; ++i) {
    const auto box = mv::draw_resized_crop({}, side, mv::Random(4).fork(i));
    REQUIRE((box.top >= 0 && box.left >= 0 && box.top + box.height <= side && box.left + box.width <= side));
    const double share = static_cast<double>(box.height) * box.width / (side * side);
    const double ratio = static_cast<double>(box.width) / box.height;
    REQUIRE((share > 0.075 && share <= 1));  // rounding of sides of at least 54 pixels
    REQUIRE((ratio > 0.735 && ratio < 1.36));
    area += share;
    wide += box.width > box.height;
    corners.insert(box.top == 0 && box.left == 0 ? 0 : box.top + box.height == side && box.left + box.width == side ? 1 : 2);
  }
  // uniform in [0.08, 1], less what does not fit: large crops must be nearly square. A simulation of the rule gave 0.4795.
  CHECK(area / draws == Approx(0.4795).margin(0.021));  // five standard errors
  CHECK(std::abs(wide - draws / 2) < 200);
  CHECK(corners.size() == 3);
}

TEST_CASE("resized crop: when nothing fits, the middle part of an allowed ratio is taken", "[data]") {
  const auto draw = [](mv::ResizedCrop r) { return mv::draw_resized_crop(r, 30, mv::Random(5)); };
  // the whole area at ratio 2 would be 42 pixels wide
  CHECK(draw({.min_area = 1, .min_ratio = 2, .max_ratio = 2}) ==
        mv::PixelBox{.top = 7, .left = 0, .height = 15, .width = 30});
  CHECK(draw({.min_area = 1, .min_ratio = 0.5, .max_ratio = 0.5}) ==
        mv::PixelBox{.top = 0, .left = 7, .height = 30, .width = 15});
  CHECK(draw({.min_area = 1, .min_ratio = 1, .max_ratio = 1}) ==
        mv::PixelBox{.top = 0, .left = 0, .height = 30, .width = 30});
  CHECK(draw({.min_area = 1e-9, .max_area = 1e-9}) == mv::PixelBox{.top = 0, .left = 0, .height = 30, .width = 30});
}

TEST_CASE("resized crop: values that make no sense are refused by name", "[data]") {
  const auto refused = [](const mv::ResizedCrop& settings, const char* field) {
    try {
      mv::check(settings);
    } catch (const mv::Error& error) {
      return std::string(error.what()).find(field) != std::string::npos;
    }
    return false;
  };
  CHECK_NOTHROW(mv::check(mv::ResizedCrop{}));
  CHECK(refused({.min_area = 0}, "min_area"));
  CHECK(refused({.min_area = 0.5, .max_area = 0.4}, "min_area"));
  CHECK(refused({.max_area = 1.1}, "max_area"));
  CHECK(refused({.min_ratio = 2}, "min_ratio"));
  CHECK(refused({.max_ratio = INFINITY}, "max_ratio"));
}

}  // namespace resized_crop_test
