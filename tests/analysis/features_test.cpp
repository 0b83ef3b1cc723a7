// SPDX-License-Identifier: MIT
// Features: they are the outputs of the model's layers, whatever the batches and threads.
#include <minivit/analysis/features.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

#include "../catch.hpp"
#include "numbers.hpp"

namespace features_test {

namespace mv = minivit;
using mv::Index;

namespace {

template <auto C>
void check_against_reference(const std::string& name) {
  const auto file = fixtures::open(name + ".expected.safetensors");
  mv::Features<decltype(numbers::model<C>())> features(numbers::model<C>(), {.max_batch = 2, .threads = 1});
  const auto images = numbers::images<C>(2);
  const auto layers = features(images);
  REQUIRE(layers.size() == static_cast<std::size_t>(mv::layer_count(C)));
  for (std::size_t l = 0; l < layers.size(); ++l)  // limit: as for intermediates in tests/models/fixtures_test.cpp
    CHECK(fixtures::difference(fixtures::read<double>(file, "layer." + std::to_string(l) + ".out"), layers[l].data()) <
          2e-5);
}

/// The features of all images in one array [layer, image, token, width].
template <class Reader, class Images>
auto all(Reader& reader, const Images& images) {
  constexpr Index size = Reader::extents(0).size();  // of a ViT: the same in all layers
  std::vector<typename Reader::Scalar> out(static_cast<std::size_t>(Reader::layers * images.batch() * size));
  Index seen = 0;
  reader.for_batches(images, [&](Index first, const typename Reader::Layers& layers) {
    CHECK(first == seen);
    seen += layers[0].batch();
    CHECK(layers[0].batch() <= reader.max_batch());
    for (Index l = 0; l < Reader::layers; ++l) {
      const auto& y = layers[static_cast<std::size_t>(l)];
      std::copy(y.begin(), y.end(), out.begin() + (l * images.batch() + first) * size);
    }
  });
  CHECK(seen == images.batch());
  return out;
}

}  // namespace

TEST_CASE("features: they are what the published implementation's layers put out", "[analysis]") {
  check_against_reference<fixtures::deit_a>("deit_a");
  check_against_reference<fixtures::deit_distilled_a>("deit_distilled_a");
  check_against_reference<fixtures::mini_deit_a>("mini_deit_a");
  check_against_reference<fixtures::mini_swin_a>("mini_swin_a");
}

TEMPLATE_TEST_CASE("features: batches and threads do not change a bit", "[analysis]", float, mv::bf16, mv::int8) {
  constexpr auto C = fixtures::mini_deit_a;
  using Reader = mv::Features<mv::ViT<C>, TestType>;
  const auto model = numbers::model<C>();
  const auto images = numbers::images<C>(11);
  Reader whole(model, {.max_batch = 11, .threads = 1});
  const auto expected = all(whole, images.view());
  CHECK(std::any_of(expected.begin(), expected.end(), [](float v) { return v != 0; }));
  for (const Index batch : {1, 2, 3, 7, 10})
    for (const int threads : {1, 3}) {
      Reader reader(model, {.max_batch = batch, .threads = threads});
      CHECK((all(reader, images.view()) == expected));  // in brackets: Catch2 would print every number
    }
}

TEST_CASE("features: narrow products stay near the model's own", "[analysis]") {
  constexpr auto C = fixtures::deit_a;
  const auto model = numbers::model<C>();
  const auto images = numbers::images<C>(3);
  mv::Features<mv::ViT<C>> exact(model, {.max_batch = 3});
  mv::Features<mv::ViT<C>, mv::bf16> rounded(model, {.max_batch = 3});
  const auto a = all(exact, images.view()), b = all(rounded, images.view());
  double apart = 0, size = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    apart += (static_cast<double>(a[i]) - b[i]) * (static_cast<double>(a[i]) - b[i]);
    size += static_cast<double>(a[i]) * a[i];
  }
  CHECK(std::sqrt(apart / size) < 0.02);  // bf16 has 8 bits: 0.4 % for each rounding, a few in each of four layers
  CHECK(apart > 0);
}

TEST_CASE("features: token means", "[analysis]") {
  mv::Tensor<float, mv::Dyn, 3, 2> y(2);
  const float values[] = {1, 10, 2, 20, 6, 60, 0, 0, 0, 3, 3, 3};
  std::copy(std::begin(values), std::end(values), y.data());
  const mv::Matrix means = mv::token_means(mv::LayerFeatures<float>(y.data(), 2, 3, 2));
  CHECK(means.rows == 2);
  CHECK(means.values == std::vector<double>{3, 30, 1, 2});
}

TEST_CASE("features: wrong batches are refused, none gives none", "[analysis]") {
  constexpr auto C = fixtures::deit_a;
  const auto model = numbers::model<C>();
  using Reader = mv::Features<mv::ViT<C>>;
  CHECK_THROWS_WITH(Reader(model, {.max_batch = 0}), "Features: max_batch: expected at least 1, found 0");
  Reader reader(model, {.max_batch = 2});
  CHECK_THROWS_AS(reader(numbers::images<C>(3)), mv::Error);
  CHECK(reader(numbers::images<C>(0))[0].batch() == 0);
  reader.for_batches(numbers::images<C>(0), [](Index, const auto&) { FAIL("there is no batch"); });
}

}  // namespace features_test
