// SPDX-License-Identifier: MIT
#include "../catch.hpp"

#include <minivit/core/buffer.hpp>
#include <minivit/data/augment.hpp>

namespace augment_test {

namespace mv = minivit;

namespace {
/// Mean 0 and standard deviation 1/255, so that a normalised value is the pixel up to rounding.
mv::Preprocessing pixels() { return {.mean = {0, 0, 0}, .std = {1.0F / 255, 1.0F / 255, 1.0F / 255}}; }

/// Planes (3, S, S) with all values different from 0.
template <int S>
std::vector<std::uint8_t> planes() {
  std::vector<std::uint8_t> p(3 * S * S);
  for (std::size_t i = 0; i < p.size(); ++i) p[i] = static_cast<std::uint8_t>(1 + i);
  return p;
}
template <int S>
std::vector<int> cropped(int padding, mv::CropFlip where) {
  const auto from = planes<S>();
  std::vector<float> out(from.size());
  mv::crop_flip_normalise<3, S>(from.data(), padding, where, pixels(), mv::View<float, 3, S, S>(out.data()));
  std::vector<int> rounded;
  for (const float v : out) rounded.push_back(static_cast<int>(std::lround(v)));
  return rounded;
}
}  // namespace

TEST_CASE("crop: no padding and no mirror leaves the image as it is", "[data]") {
  const auto p = planes<4>();
  CHECK(cropped<4>(0, {}) == std::vector<int>(p.begin(), p.end()));
  CHECK(cropped<4>(3, {.x = 3, .y = 3, .mirror = false}) == std::vector<int>(p.begin(), p.end()));
}

TEST_CASE("crop: equals cutting the zero-padded, then mirrored image, at every offset", "[data]") {
  constexpr int S = 5, padding = 3, wide = S + 2 * padding;
  const auto p = planes<S>();
  for (int c = 0; c < 3; ++c)
    for (int y0 = 0; y0 <= 2 * padding; ++y0)
      for (int x0 = 0; x0 <= 2 * padding; ++x0)
        for (const bool mirror : {false, true}) {
          std::vector<int> padded(wide * wide), want;
          for (int y = 0; y < S; ++y)
            for (int x = 0; x < S; ++x)
              padded[static_cast<std::size_t>((y + padding) * wide + x + padding)] =
                  p[static_cast<std::size_t>((c * S + y) * S + x)];
          for (int y = 0; y < S; ++y)
            for (int x = 0; x < S; ++x)
              want.push_back(padded[static_cast<std::size_t>((y + y0) * wide + x0 + (mirror ? S - 1 - x : x))]);
          const auto got = cropped<S>(padding, {.x = x0, .y = y0, .mirror = mirror});
          CAPTURE(c, x0, y0, mirror);
          CHECK(std::equal(want.begin(), want.end(), got.begin() + c * S * S));
        }
}

TEST_CASE("crop and flip: offsets cover 0 to twice the padding, half of the images are mirrored", "[data]") {
  mv::Augmentation a;
  a.padding = 2;
  a.flip = true;
  std::vector<int> xs(5), ys(5);
  int mirrored = 0;
  constexpr int draws = 5000;
  for (std::uint64_t i = 0; i < draws; ++i) {
    const auto where = mv::draw_crop_flip(a, mv::Random(1).fork(i));
    ++xs.at(static_cast<std::size_t>(where.x));
    ++ys.at(static_cast<std::size_t>(where.y));
    mirrored += where.mirror ? 1 : 0;
  }
  for (const int n : xs) CHECK(std::abs(n - 1000) < 142);  // five standard deviations of a count with p = 0.2
  for (const int n : ys) CHECK(std::abs(n - 1000) < 142);
  CHECK(std::abs(mirrored - 2500) < 177);
}

TEST_CASE("beta: mean one half and variance 1 / (8 alpha + 4)", "[data]") {
  for (const double alpha : {0.2, 0.8, 1.0, 4.0}) {
    double sum = 0, squares = 0;
    constexpr int n = 20000;
    for (std::uint64_t i = 0; i < n; ++i) {
      const double x = mv::draw_beta(alpha, mv::Random(2).fork(i));
      REQUIRE((x >= 0 && x <= 1));
      sum += x;
      squares += (x - 0.5) * (x - 0.5);
    }
    CAPTURE(alpha);
    CHECK(sum / n == Approx(0.5).margin(0.018));                      // five standard errors at the widest alpha
    CHECK(squares / n == Approx(1 / (8 * alpha + 4)).epsilon(0.05));  // five standard errors are below 4 percent
  }
  CHECK(std::isfinite(mv::draw_beta(1e-6, mv::Random(3))));
}

TEST_CASE("mixup: x * lambda + reversed batch * (1 - lambda), also for an odd batch", "[data]") {
  for (const mv::Index batch : {4, 5, 1}) {
    mv::Tensor<float, mv::Dyn, 3, 2, 2> before(batch), after(batch);
    for (mv::Index i = 0; i < before.size(); ++i) after.data()[i] = before.data()[i] = static_cast<float>(i * i % 17) - 5;
    mv::apply_mix<3, 2>({.kind = mv::Mix::Kind::mixup, .lambda = 0.3}, after.view());
    for (mv::Index i = 0; i < batch; ++i)
      for (mv::Index k = 0; k < 12; ++k) {
        const double want = 0.3 * before.data()[i * 12 + k] + 0.7 * before.data()[(batch - 1 - i) * 12 + k];
        CHECK(after.data()[i * 12 + k] == Approx(want).margin(1e-5));  // float rounding of values up to 12
      }
  }
}

TEST_CASE("cutmix: the box comes from the partner, the rest stays", "[data]") {
  mv::Tensor<float, mv::Dyn, 3, 4, 4> before(3), after(3);
  for (mv::Index i = 0; i < before.size(); ++i) after.data()[i] = before.data()[i] = static_cast<float>(i);
  const mv::Mix mix{.kind = mv::Mix::Kind::cutmix, .lambda = 1 - 6.0 / 16, .top = 1, .bottom = 3, .left = 0, .right = 3};
  mv::apply_mix<3, 4>(mix, after.view());
  const auto was = before.view(), is = after.view();
  for (int i = 0; i < 3; ++i)
    for (int c = 0; c < 3; ++c)
      for (int y = 0; y < 4; ++y)
        for (int x = 0; x < 4; ++x) {
          const bool inside = y >= 1 && y < 3 && x < 3;
          CHECK(is(i, c, y, x) == was(inside ? 2 - i : i, c, y, x));
        }
}

TEST_CASE("cutmix: lambda is recomputed from the clipped box", "[data]") {
  // lambda 0.75 at side 32: int(32 * sqrt(0.25)) = 16, half 8
  const auto middle = mv::cutmix_box(0.75, 16, 16, 32);
  CHECK(middle.top == 8);
  CHECK(middle.bottom == 24);
  CHECK(middle.lambda == 0.75);
  const auto corner = mv::cutmix_box(0.75, 0, 31, 32);
  CHECK(corner.left == 0);
  CHECK(corner.right == 8);
  CHECK(corner.top == 23);
  CHECK(corner.bottom == 32);
  CHECK(corner.lambda == 1 - 72.0 / 1024);
  CHECK(mv::cutmix_box(0, 16, 16, 32).lambda == 0);
  CHECK(mv::cutmix_box(1, 16, 16, 32).lambda == 1);
}

TEST_CASE("targets: smoothed, mixed with the reversed labels, each row sums to one", "[data]") {
  const double lambda = 0.7, s = 0.1, off = s / 5, on = 1 - s + off;
  const std::vector<std::int32_t> labels{0, 3, 3, 1};
  mv::Tensor<float, mv::Dyn, 5> targets(4);
  mv::fill_targets<5>({.kind = mv::Mix::Kind::mixup, .lambda = lambda}, s, labels, targets.view());
  for (std::size_t i = 0; i < 4; ++i) {
    double sum = 0;
    for (int k = 0; k < 5; ++k) {
      const double want = lambda * (labels[i] == k ? on : off) + (1 - lambda) * (labels[3 - i] == k ? on : off);
      CHECK(targets.view()(i, k) == Approx(want).margin(1e-7));  // one rounding to float
      sum += targets.view()(i, k);
    }
    CHECK(sum == Approx(1).margin(1e-6));
  }
}

TEST_CASE("mix: probabilities decide between none, mixup and cutmix", "[data]") {
  const auto count = [](const mv::Augmentation& a) {
    std::array<int, 3> kinds{};
    for (std::uint64_t i = 0; i < 4000; ++i)
      ++kinds.at(static_cast<std::size_t>(mv::draw_mix(a, 32, mv::Random(4).fork(i)).kind));
    return kinds;
  };
  mv::Augmentation a;
  CHECK(count(a) == std::array{4000, 0, 0});
  a.mixup = 0.8;
  CHECK(count(a) == std::array{0, 4000, 0});
  a.cutmix = 1;
  a.mix_probability = 0.5;
  a.switch_probability = 0.25;
  const auto kinds = count(a);
  CHECK(std::abs(kinds[0] - 2000) < 158);  // five standard deviations
  CHECK(std::abs(kinds[2] - 500) < 105);
  a.mixup = 0;
  CHECK(count(a)[1] == 0);
}

TEST_CASE("augmentation: values that make no sense are refused by name", "[data]") {
  const auto refused = [](auto&& change) {
    mv::Augmentation a;
    change(a);
    try {
      mv::check(a);
    } catch (const mv::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refused([](auto&) {}).empty());
  CHECK(refused([](auto& a) { a.padding = -1; }).find("padding") != std::string::npos);
  CHECK(refused([](auto& a) { a.mixup = -0.1; }).find("mixup") != std::string::npos);
  CHECK(refused([](auto& a) { a.cutmix = std::nan(""); }).find("cutmix") != std::string::npos);
  CHECK(refused([](auto& a) { a.mix_probability = 1.1; }).find("mix_probability") != std::string::npos);
  CHECK(refused([](auto& a) { a.smoothing = 1; }).find("smoothing") != std::string::npos);
  CHECK(refused([](auto& a) { a.rand_augment = mv::RandAugment{.magnitude = 11}; }).find("magnitude") != std::string::npos);
  CHECK(refused([](auto& a) { a.resized_crop = mv::ResizedCrop{.min_area = 0}; }).find("crop min_area") !=
        std::string::npos);
  CHECK(refused([](auto& a) { a.resized_crop = mv::ResizedCrop{}, a.padding = 4; }).find("padding") != std::string::npos);
  CHECK(refused([](auto& a) { a.erasing.probability = 2; }).find("erasing probability") != std::string::npos);
  CHECK(refused([](auto& a) { a.preprocessing.std[1] = 0; }).find("std") != std::string::npos);
}

}  // namespace augment_test
