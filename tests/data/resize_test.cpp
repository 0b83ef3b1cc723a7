// SPDX-License-Identifier: MIT
#include "../catch.hpp"
#include "pillow_resize_vectors.hpp"
#include "pillow_vectors.hpp"

#include <minivit/core/random.hpp>
#include <minivit/data/preprocess.hpp>
#include <minivit/models/presets.hpp>

namespace resize_test {

namespace mv = minivit;

namespace {
/// The picture that Pillow was given: byte i is the high byte of (i + 1) times the golden ratio.
mv::Image noise(int width, int height) {
  mv::Image image(width, height);
  for (std::size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<std::uint8_t>((i + 1) * 0x9E3779B97F4A7C15u >> 56);
  return image;
}
std::uint32_t crc(const mv::Image& image) {
  return mv::detail::png_crc({std::as_bytes(std::span(image.rgb)), "pixels"}, 0, image.rgb.size());
}
std::uint64_t hash(const mv::Image& image) {
  return mv::hash_name({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
}
}  // namespace

TEST_CASE("resize: a small bicubic result equals Pillow's byte for byte", "[data]") {
  const auto out = mv::resize(noise(7, 5), 4, 3);
  CHECK(out.rgb == std::vector<std::uint8_t>(std::begin(pillow_bicubic_4x3), std::end(pillow_bicubic_4x3)));
}

TEST_CASE("resize: bicubic and bilinear equal Pillow for many sizes, up and down", "[data]") {
  for (const auto& c : pillow_cases) {
    CAPTURE(c.width, c.height, c.to_width, c.to_height);
    const auto image = noise(c.width, c.height);
    CHECK(hash(mv::resize(image, c.to_width, c.to_height, mv::Interpolation::bicubic)) == c.bicubic);
    CHECK(hash(mv::resize(image, c.to_width, c.to_height, mv::Interpolation::bilinear)) == c.bilinear);
  }
}

TEST_CASE("resize: no level differs from Pillow's in 1024 pairs of sizes, bicubic and bilinear", "[data]") {
  for (std::uint64_t k = 0; k < 1024; ++k) {
    const std::uint64_t x = (k + 1) * 0x9E3779B97F4A7C15u;
    const auto side = [x](int shift) { return static_cast<int>(1 + (x >> shift & 0xFFFFu) % 160); };
    const auto image = noise(side(48), side(32));
    CAPTURE(k, image.width, image.height, side(16), side(0));
    CHECK(crc(mv::resize(image, side(16), side(0), mv::Interpolation::bicubic)) == pillow_resized_bicubic[k]);
    CHECK(crc(mv::resize(image, side(16), side(0), mv::Interpolation::bilinear)) == pillow_resized_bilinear[k]);
  }
}

TEST_CASE("evaluation_crop: every crop mode gives timm's pixels", "[data]") {
  for (const auto& c : timm_crops) {
    CAPTURE(c.mode, c.width, c.height, c.side, c.crop_pct);
    const mv::Preprocessing p{.crop_pct = c.crop_pct,
                              .interpolation = c.bicubic ? mv::Interpolation::bicubic : mv::Interpolation::bilinear,
                              .crop_mode = static_cast<mv::CropMode>(c.mode)};
    CHECK(crc(mv::evaluation_crop(noise(c.width, c.height), c.side, p)) == c.crc);
  }
}

TEST_CASE("resize: the same size gives the same picture, an impossible size is refused", "[data]") {
  const auto image = noise(9, 6);
  CHECK(mv::resize(image, 9, 6) == image);
  CHECK_THROWS_AS(mv::resize(image, 0, 6), mv::Error);
  CHECK_THROWS_AS(mv::resize(image, 4, 16385), mv::Error);
}

TEST_CASE("resize_shorter: the shorter side is exact and the longer one is rounded down", "[data]") {
  CHECK(mv::resize_shorter(noise(100, 75), 32).width == 42);  // 32 * 100 / 75 = 42.67
  CHECK(mv::resize_shorter(noise(100, 75), 32).height == 32);
  CHECK(mv::resize_shorter(noise(75, 100), 32).height == 42);
}

TEST_CASE("centre_crop: odd margins round half to even as Python does", "[data]") {
  // margin 1: round(0.5) = 0; 3: round(1.5) = 2; 5: round(2.5) = 2; 7: round(3.5) = 4; 4: 2
  const int margins[] = {0, 1, 2, 3, 4, 5, 7}, offsets[] = {0, 0, 1, 2, 2, 2, 4};
  for (std::size_t i = 0; i < 7; ++i) {
    const auto image = noise(5 + margins[i], 5);
    const auto crop = mv::centre_crop(image, 5);
    CAPTURE(margins[i]);
    CHECK(std::equal(crop.row(2), crop.row(2) + 15, image.row(2) + 3 * offsets[i]));
  }
  CHECK_THROWS_AS(mv::centre_crop(noise(4, 9), 5), mv::Error);
}

TEST_CASE("evaluation transform: sizes of the published pipelines", "[data]") {
  CHECK(mv::Preprocessing{}.resized(224) == 256);  // int(256 / 224 * 224)
  CHECK(mv::Preprocessing{}.resized(384) == 438);  // int(256 / 224 * 384)
  // the teacher and its student see different crops
  const auto resized = [](const char* name, int side) { return mv::presets::preprocessing_of(name).value().resized(side); };
  CHECK(resized("deit_tiny_patch16_224", 224) == 248);
  CHECK(resized("deit_base_patch16_384", 384) == 384);
  CHECK(resized("swin_tiny_patch4_window7_224", 224) == 248);
  CHECK(resized("swin_base_patch4_window12_384", 384) == 384);
  CHECK(resized("mini_deit_tiny_patch16_224", 224) == 256);
  CHECK(resized("mini_deit_base_patch16_384", 384) == 438);
  CHECK(resized("mini_swin_base_patch4_window12_384", 384) == 438);
  CHECK(resized("mini_vit_nano_patch4_32", 32) == 32);
  CHECK_FALSE(mv::presets::preprocessing_of("resnet50"));
}

TEST_CASE("prepare_image: planes of (pixel / 255 - mean) / deviation", "[data]") {
  const auto image = noise(8, 8);
  mv::Preprocessing transform;
  transform.crop_pct = 1;
  std::vector<float> out(3 * 64);
  mv::prepare_image<float, 8>(image, transform, mv::View<float, 3, 8, 8>(out.data()));
  const double mean[] = {0.485, 0.456, 0.406}, deviation[] = {0.229, 0.224, 0.225};
  for (std::size_t c = 0; c < 3; ++c)
    for (std::size_t i = 0; i < 64; ++i)  // 1e-6: a few roundings of values up to 2.7
      CHECK(out[c * 64 + i] == Approx((image.rgb[i * 3 + c] / 255.0 - mean[c]) / deviation[c]).margin(1e-6));
  transform.crop_pct = 0;
  CHECK_THROWS_AS((mv::prepare_image<float, 8>(image, transform, mv::View<float, 3, 8, 8>(out.data()))), mv::Error);
}

TEST_CASE("planes: to_planes and from_planes undo each other", "[data]") {
  const auto image = noise(6, 6);
  std::vector<std::uint8_t> planes(108);
  mv::to_planes(image, planes.data());
  CHECK(planes[36] == image.rgb[1]);  // first green value
  CHECK(mv::from_planes(planes.data(), 6) == image);
}

}  // namespace resize_test
