// SPDX-License-Identifier: MIT
#include "../catch.hpp"

#include <minivit/data/order.hpp>
#include <minivit/data/synthetic.hpp>

#include <cmath>
#include <set>

namespace synthetic_test {

namespace mv = minivit;

namespace {
std::uint64_t hash(const mv::Dataset& data) {
  return mv::hash_name({reinterpret_cast<const char*>(data.pixels.data()), data.pixels.size()});
}

/// Softmax regression on centred pixels, trained by plain stochastic gradient descent.
class LinearClassifier {
 public:
  void train(const mv::Dataset& data, int epochs, float rate) {
    std::vector<float> x(inputs), p(10);
    for (int epoch = 0; epoch < epochs; ++epoch) {
      const float step = rate / static_cast<float>(1 + epoch);
      for (const mv::Index i : mv::shuffled(data.size(), mv::Random(5).fork(static_cast<std::uint64_t>(epoch)))) {
        predict(data, i, x, p);
        for (std::size_t k = 0; k < 10; ++k) {
          const float g = step * (p[k] - (static_cast<std::int32_t>(k) == data.label(i) ? 1.0F : 0.0F));
          for (std::size_t j = 0; j < inputs; ++j) weights_[k * inputs + j] -= g * x[j];
          bias_[k] -= g;
        }
      }
    }
  }
  double accuracy(const mv::Dataset& data) {
    std::vector<float> x(inputs), p(10);
    int right = 0;
    for (mv::Index i = 0; i < data.size(); ++i) {
      predict(data, i, x, p);
      right += std::max_element(p.begin(), p.end()) - p.begin() == data.label(i) ? 1 : 0;
    }
    return static_cast<double>(right) / static_cast<double>(data.size());
  }

 private:
  static constexpr std::size_t inputs = 3 * 32 * 32;

  void predict(const mv::Dataset& data, mv::Index i, std::vector<float>& x, std::vector<float>& p) {
    for (std::size_t j = 0; j < inputs; ++j) x[j] = static_cast<float>(data.image(i)[j]) / 127.5F - 1.0F;
    float most = -1e30F, sum = 0;
    for (std::size_t k = 0; k < 10; ++k) {
      float s = bias_[k];
      for (std::size_t j = 0; j < inputs; ++j) s += weights_[k * inputs + j] * x[j];
      p[k] = s;
      most = std::max(most, s);
    }
    for (auto& v : p) sum += v = std::exp(v - most);
    for (auto& v : p) v /= sum;
  }
  std::vector<float> weights_ = std::vector<float>(10 * inputs), bias_ = std::vector<float>(10);
};
}  // namespace

TEST_CASE("synthetic: the same bytes on every machine", "[data]") {
  CHECK(hash(mv::synthetic_dataset(100, mv::Split::train, 0)) == 0xB689195C10A67E94u);
  CHECK(hash(mv::synthetic_dataset(100, mv::Split::test, 7)) == 0x4F16691F4649FC7Bu);
}

TEST_CASE("synthetic: an image depends on seed, split and number, not on count or threads", "[data]") {
  const auto few = mv::synthetic_dataset(130, mv::Split::train, 3, mv::Threads(1));
  const auto many = mv::synthetic_dataset(300, mv::Split::train, 3, mv::Threads(4));
  CHECK(std::equal(few.pixels.begin(), few.pixels.end(), many.pixels.begin()));
  CHECK(few.pixels != mv::synthetic_dataset(130, mv::Split::train, 4).pixels);
}

TEST_CASE("synthetic: no image appears twice, neither within nor between the splits", "[data]") {
  std::set<std::uint64_t> seen;
  for (const auto split : {mv::Split::train, mv::Split::test}) {
    const auto data = mv::synthetic_dataset(1000, split);
    for (mv::Index i = 0; i < data.size(); ++i)
      seen.insert(
          mv::hash_name({reinterpret_cast<const char*>(data.image(i)), static_cast<std::size_t>(data.image_size())}));
  }
  CHECK(seen.size() == 2000);
}

TEST_CASE("synthetic: ten named classes, evenly filled", "[data]") {
  const auto data = mv::synthetic_dataset(50, mv::Split::test);
  CHECK(data.classes == 10);
  CHECK(std::set<std::string>(data.class_names.begin(), data.class_names.end()).size() == 10);
  for (std::int32_t k = 0; k < 10; ++k) CHECK(std::count(data.labels.begin(), data.labels.end(), k) == 5);
}

TEST_CASE("synthetic: every shape fills a plausible part of its square and no two are alike", "[data]") {
  constexpr int grid = 64;
  std::vector<std::vector<bool>> masks(10);
  for (int shape = 0; shape < 10; ++shape)
    for (int j = 0; j < grid * grid; ++j)
      masks[static_cast<std::size_t>(shape)].push_back(
          mv::detail::inside_shape(shape, (j % grid) * 32 - 1008, (j / grid) * 32 - 1008));
  for (std::size_t a = 0; a < 10; ++a) {
    const auto area = std::count(masks[a].begin(), masks[a].end(), true);
    CAPTURE(a, area);
    CHECK(area > grid * grid / 8);
    CHECK(area < grid * grid * 3 / 4);
    for (std::size_t b = 0; b < a; ++b) {
      int different = 0;
      for (std::size_t j = 0; j < masks[a].size(); ++j) different += masks[a][j] != masks[b][j] ? 1 : 0;
      CAPTURE(b, different);
      CHECK(different > grid * grid / 10);
    }
  }
}

TEST_CASE("synthetic: a linear classifier on pixels stays below 60 percent", "[data]") {
  const auto train = mv::synthetic_dataset(4000, mv::Split::train), test = mv::synthetic_dataset(1000, mv::Split::test);
  LinearClassifier linear;
  linear.train(train, 6, 2e-4F);
  const double seen = linear.accuracy(train), unseen = linear.accuracy(test);
  CAPTURE(seen, unseen);
  CHECK(seen > 0.2);  // the training works: twice chance on what it has seen
  CHECK(unseen < 0.60);
}

}  // namespace synthetic_test
