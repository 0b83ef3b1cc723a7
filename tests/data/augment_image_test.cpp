// SPDX-License-Identifier: MIT
#include "../catch.hpp"

#include <minivit/data/augment_image.hpp>

namespace augment_image_test {

namespace mv = minivit;

namespace {
/// Planes (3, S, S) with all values different.
template <int S>
std::vector<std::uint8_t> planes() {
  std::vector<std::uint8_t> p(3 * S * S);
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = static_cast<std::uint8_t>(mv::Random(1).bits(i) >> 56);
  return p;
}
template <int S>
std::vector<float> augmented(const mv::Augmentation& a, const mv::Random& random, mv::AugmentScratch<S>& scratch) {
  std::vector<float> out(3 * S * S);
  mv::augment_image<3, S>(a, planes<S>().data(), random, scratch, mv::View<float, 3, S, S>(out.data()));
  return out;
}
template <int S>
std::vector<float> normalised(const mv::Augmentation& a, const std::uint8_t* pixels) {
  std::vector<float> out(3 * S * S);
  for (std::size_t k = 0; k < out.size(); ++k) out[k] = a.preprocessing.normalised(static_cast<int>(k / (S * S)), pixels[k]);
  return out;
}
mv::Preprocessing uneven() { return {.mean = {0.5F, 0.25F, 1}, .std = {0.25F, 0.5F, 1}}; }
constexpr std::array<std::uint8_t, 3> uneven_colour{128, 64, 255};  // round(255 * mean), half to even
}  // namespace

TEST_CASE("augment_image: padded crop and flip, RandAugment on 8-bit pixels, normalise, erase, in this order", "[data]") {
  constexpr int S = 16;
  const mv::Augmentation a{.padding = 2,
                           .flip = true,
                           .rand_augment = mv::RandAugment{.probability = 1},
                           .erasing = {.probability = 0.5},
                           .preprocessing = uneven()};
  mv::AugmentScratch<S> scratch(a);
  int erased = 0;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto random = mv::Random(9).fork(i);
    const auto where = mv::draw_crop_flip(a, random);
    std::vector<std::uint8_t> image(3 * S * S), other(image.size());
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < S; ++y)
        for (int x = 0; x < S; ++x) {
          const int row = y + where.y - 2, column = (where.mirror ? S - 1 - x : x) + where.x - 2;
          if (row >= 0 && row < S && column >= 0 && column < S)
            image[static_cast<std::size_t>((c * S + y) * S + x)] =
                planes<S>()[static_cast<std::size_t>((c * S + row) * S + column)];
        }
    mv::PixelPlanes from{image.data(), S}, to{other.data(), S};
    mv::rand_augment(*a.rand_augment, random.fork("rand_augment"), from, to, uneven_colour);
    auto want = normalised<S>(a, from.data);
    const auto whole = want;
    mv::erase_randomly<3, S>(a.erasing, random.fork("erasing"), mv::View<float, 3, S, S>(want.data()));
    CHECK(augmented<S>(a, random, scratch) == want);
    erased += want != whole;
  }
  CHECK((erased > 5 && erased < 35));
}

TEST_CASE("augment_image: a resized crop comes first and is mirrored", "[data]") {
  constexpr int S = 16;
  mv::Augmentation a{.resized_crop = mv::ResizedCrop{}, .flip = true, .preprocessing = uneven()};
  mv::AugmentScratch<S> scratch(a);
  int mirrored = 0;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto random = mv::Random(10).fork(i);
    std::vector<std::uint8_t> crop(3 * S * S), image = crop, other = crop;
    mv::ResizeScratch memory;
    mv::resize_box(planes<S>().data(), mv::draw_resized_crop({}, S, random.fork("resized_crop")), mv::Interpolation::bicubic,
                   memory, {crop.data(), S});
    const bool mirror = mv::draw_crop_flip(a, random).mirror;
    mirrored += mirror;
    for (std::size_t k = 0; k < crop.size(); ++k) image[k] = crop[mirror ? k / S * S + (S - 1 - k % S) : k];
    a.rand_augment.reset();
    CHECK(augmented<S>(a, random, scratch) == normalised<S>(a, image.data()));
    a.rand_augment = mv::RandAugment{.probability = 1};
    mv::PixelPlanes from{image.data(), S}, to{other.data(), S};
    mv::rand_augment(*a.rand_augment, random.fork("rand_augment"), from, to, uneven_colour);
    CHECK(augmented<S>(a, random, scratch) == normalised<S>(a, from.data));
  }
  CHECK((mirrored > 5 && mirrored < 35));
}

TEST_CASE("augment_image: without RandAugment, resized crop and erasing it is the padded crop alone", "[data]") {
  constexpr int S = 8;
  const mv::Augmentation a{.padding = 2, .flip = true};
  mv::AugmentScratch<S> scratch(a);
  for (std::uint64_t i = 0; i < 10; ++i) {
    std::vector<float> want(3 * S * S);
    mv::crop_flip_normalise<3, S>(planes<S>().data(), 2, mv::draw_crop_flip(a, mv::Random(i)), a.preprocessing,
                                  mv::View<float, 3, S, S>(want.data()));
    CHECK(augmented<S>(a, mv::Random(i), scratch) == want);
  }
}

TEST_CASE("mean_colour: the mean of the data set, rounded, is what lies outside", "[data]") {
  CHECK(mv::mean_colour({}) == std::array<std::uint8_t, 3>{124, 116, 104});
  CHECK(mv::mean_colour({.mean = {0, 1, 1.5F}}) == std::array<std::uint8_t, 3>{0, 255, 255});
}

}  // namespace augment_image_test
