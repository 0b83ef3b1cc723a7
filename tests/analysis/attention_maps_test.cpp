// SPDX-License-Identifier: MIT
// Attention maps: they are the model's own attention. Rollout: by hand.
#include <minivit/analysis/attention_maps.hpp>
#include <minivit/models/layer_geometry.hpp>

#include "../catch.hpp"
#include "numbers.hpp"

#include <numeric>

namespace attention_maps_test {

namespace mv = minivit;
using mv::Index;

namespace {

/// Where a token of the map stands in the window order of layer l.
struct Place {
  Index window = 0, token = 0;
};
Place place_of(const mv::LayerGeometry& g, Index j) {
  if (g.windows() == 1 && g.shift == 0) return {0, j};
  const Index row = (j / g.side - g.shift + g.side) % g.side, column = (j % g.side - g.shift + g.side) % g.side,
              side = g.window;
  return {row / side * (g.side / side) + column / side, row % side * side + column % side};
}

/// x + proj(maps v) must be what the layer put out before its MLP, for every layer. In double, so that only rounding is
/// left.
template <auto C>
void check_output() {
  const auto model = numbers::model<C, double>();
  const auto image = numbers::images<C, double>(1);
  const numbers::Kept kept(model, image.view());
  const auto maps = mv::attention_maps(model, image);
  REQUIRE(static_cast<int>(maps.size()) == mv::layer_count(C));
  kept.net.each_layer(kept.saved, [&](int l, const auto& layer, const auto& saved) {
    CAPTURE(l);
    const auto& layer_maps = maps[static_cast<std::size_t>(l)];
    const mv::LayerGeometry g = mv::layer_geometry(C, l);
    const Index N = layer_maps.tokens, D = g.width, width = D / layer_maps.heads;
    REQUIRE(N == g.map_tokens() + g.extra_tokens);
    REQUIRE(layer_maps.side == g.side);
    double worst = 0;
    for (Index i = 0; i < N; ++i) {
      std::vector<double> context(static_cast<std::size_t>(D));
      for (Index j = 0; j < N; ++j)
        for (Index c = 0; c < D; ++c)
          context[static_cast<std::size_t>(c)] += layer_maps.map(c / width)[i * N + j] *
                                                  saved.attn.qkv(place_of(g, j).window, place_of(g, j).token, 2 * D + c);
      for (Index o = 0; o < D; ++o) {
        double y = saved.x(0, i, o) + layer.shared.attn.proj.bias[o];
        for (Index c = 0; c < D; ++c) y += layer.shared.attn.proj.weight(o, c) * context[static_cast<std::size_t>(c)];
        worst = std::max(worst, std::abs(y - saved.middle(0, i, o)));
      }
    }
    CHECK(worst < 1e-12);
  });
}

template <auto C>
void check_against_reference(const std::string& name) {
  const auto file = fixtures::open(name + ".expected.safetensors");
  const auto maps = mv::attention_maps(numbers::model<C>(), numbers::images<C>(2).view().slice(0, 1));
  int seen = 0;
  for (int l = 0; l < mv::layer_count(C); ++l) {
    const std::string key = "layer." + std::to_string(l) + ".attn_probs";
    if (!file.find(key)) continue;
    ++seen;
    // [windows, heads, W, W] of one image or two; the first comes first
    const auto expected = fixtures::read<double>(file, key);
    const auto& found = maps[static_cast<std::size_t>(l)];
    const mv::LayerGeometry g = mv::layer_geometry(C, l);
    const Index N = found.tokens, W = g.window_tokens() + g.extra_tokens;
    double worst = 0, outside = 0;
    for (Index h = 0; h < found.heads; ++h)
      for (Index i = 0; i < N; ++i)
        for (Index j = 0; j < N; ++j) {
          const Place query = place_of(g, i), key_at = place_of(g, j);
          const double value = found.map(h)[i * N + j];
          if (query.window != key_at.window) outside = std::max(outside, std::abs(value));
          else
            worst = std::max(
                worst, std::abs(value - expected[static_cast<std::size_t>(
                                            ((query.window * found.heads + h) * W + query.token) * W + key_at.token)]));
        }
    CHECK(worst < 2e-5);  // as for intermediates in tests/models/fixtures_test.cpp
    CHECK(outside == 0);
  }
  CHECK(seen > 0);
}

/// One layer.
mv::LayerMaps<double> by_hand(Index heads, Index tokens, std::vector<double> values, Index side = 0) {
  return {heads, tokens, side, 0, std::move(values)};
}

void check_equal(const mv::Matrix& found, const std::vector<double>& expected) {
  REQUIRE(found.values.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(found.values[i] == Approx(expected[i]).margin(1e-14));
  }
}

}  // namespace

TEST_CASE("attention maps: with the values and the projection they give the layer's own output", "[analysis]") {
  check_output<fixtures::deit_a>();
  check_output<fixtures::deit_distilled_a>();
  check_output<fixtures::mini_deit_a>();
  check_output<fixtures::mini_deit_odd>();
  check_output<fixtures::swin_a>();
  check_output<fixtures::mini_swin_a>();
}

TEST_CASE("attention maps: they are those of the published implementation", "[analysis]") {
  check_against_reference<fixtures::deit_a>("deit_a");
  check_against_reference<fixtures::mini_deit_a>("mini_deit_a");
  check_against_reference<fixtures::swin_a>("swin_a");
  check_against_reference<fixtures::mini_swin_a>("mini_swin_a");
  check_against_reference<fixtures::mini_swin_odd>("mini_swin_odd");
}

TEST_CASE("attention maps: rows are distributions without head mixing, and not with it", "[analysis]") {
  const auto worst = [](const auto& maps) {
    double most = 0, least = 0;
    for (const auto& layer : maps)
      for (Index h = 0; h < layer.heads; ++h)
        for (Index i = 0; i < layer.tokens; ++i) {
          double sum = 0;
          for (Index j = 0; j < layer.tokens; ++j) {
            sum += layer.map(h)[i * layer.tokens + j];
            least = std::min(least, static_cast<double>(layer.map(h)[i * layer.tokens + j]));
          }
          most = std::max(most, std::abs(sum - 1));
        }
    return std::pair{most, least};
  };
  const auto plain = worst(mv::attention_maps(numbers::model<fixtures::deit_a>(), numbers::images<fixtures::deit_a>(1)));
  CHECK(plain.first < 1e-5);  // 65 float32 terms
  CHECK(plain.second == 0);
  const auto mixed = worst(
      mv::attention_maps(numbers::model<fixtures::mini_deit_a>(), numbers::images<fixtures::mini_deit_a>(1)));
  CHECK(mixed.first > 0.1);
  CHECK(mixed.second < 0);
}

TEST_CASE("attention maps: threads do not matter, two images are refused", "[analysis]") {
  constexpr auto C = fixtures::mini_deit_a;
  const auto model = numbers::model<C>();
  const auto images = numbers::images<C>(2);
  const auto first = images.view().slice(0, 1);
  const auto alone = mv::attention_maps(model, first, mv::Threads(1));
  const auto together = mv::attention_maps(model, first, mv::Threads(3));
  for (std::size_t l = 0; l < alone.size(); ++l)
    CHECK((alone[l].values == together[l].values));  // in brackets: see features_test.cpp
  CHECK_THROWS_WITH(mv::attention_maps(model, images), "attention_maps: number of images: expected 1, found 2");
}

TEST_CASE("rollout: three tokens and two layers by hand", "[analysis]") {
  // one head; 0.5 A + 0.5 I of the two layers are
  //   | .75 .25  0  |      | .5  0  .5 |
  //   |  0  .5  .5  |  and | .25 .75 0 |
  //   |  0   0   1  |      |  0  .5 .5 |
  const mv::AttentionMaps<double> maps{by_hand(1, 3, {.5, .5, 0, 0, 0, 1, 0, 0, 1}),
                                       by_hand(1, 3, {0, 0, 1, .5, .5, 0, 0, 1, 0})};
  check_equal(mv::attention_rollout(maps), {.375, .125, .5, .1875, .4375, .375, 0, .25, .75});
  // without a residual: the plain product
  check_equal(mv::attention_rollout(maps, 0), {0, 0, 1, .25, .25, .5, 0, 0, 1});
}

TEST_CASE("rollout: where four tokens are merged, the new one takes a quarter from each", "[analysis]") {
  // a map of 2 x 2 whose tokens look at themselves, but the first, which looks at the last; then one token
  const mv::AttentionMaps<double> maps{by_hand(1, 4, {0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1}, 2),
                                       by_hand(1, 1, {1}, 1)};
  check_equal(mv::attention_rollout(maps), {.125, .25, .25, .375});
  check_equal(mv::rollout_grid(maps), {.125, .25, .25, .375});
  // which four belong together in a map of 4 x 4
  mv::Matrix map(16, 1);
  for (std::size_t i = 0; i < 16; ++i) map.values[i] = static_cast<double>(i);
  check_equal(mv::detail::merged_rows(map, 4),
              {(0. + 1 + 4 + 5) / 4, (2. + 3 + 6 + 7) / 4, (8. + 9 + 12 + 13) / 4, (10. + 11 + 14 + 15) / 4});
  // of a whole model: rows of the last stage over the first map
  constexpr auto C = fixtures::mini_swin_a;
  const mv::Matrix rollout = mv::attention_rollout(mv::attention_maps(numbers::model<C>(), numbers::images<C>(1)));
  REQUIRE(rollout.rows == C.tokens(2));
  REQUIRE(rollout.columns == C.tokens(0));
  for (Index i = 0; i < rollout.rows; ++i)
    CHECK(std::accumulate(rollout.row(i), rollout.row(i) + rollout.columns, 0.0) == Approx(1).margin(1e-12));
}

TEST_CASE("rollout: heads are averaged", "[analysis]") {
  check_equal(mv::mean_attention(by_hand(2, 2, {1, 0, .5, .5, /**/ .5, .5, 0, 1})), {.75, .25, .25, .75});
}

TEST_CASE("rollout: sign and size of a mixed head do not count, only where it looks", "[analysis]") {
  const std::vector<double> plain{.9, .1, .2, .8, /**/ .5, .5, .3, .7};
  std::vector<double> mixed = plain;
  for (std::size_t i = 0; i < 4; ++i) mixed[i] *= -0.01;
  for (std::size_t i = 4; i < 8; ++i) mixed[i] *= 7;
  const mv::Matrix expected = mv::mean_attention(by_hand(2, 2, plain));
  check_equal(mv::mean_attention(by_hand(2, 2, mixed)), expected.values);
  // a head of zeros is left out; with nothing but zeros a token keeps to itself
  check_equal(mv::mean_attention(by_hand(2, 2, {.9, .1, 0, 0, /**/ 0, 0, 0, 0})), {.9, .1, 0, 1});
  // and of a whole model
  const auto maps = mv::attention_maps(numbers::model<fixtures::mini_deit_a>(), numbers::images<fixtures::mini_deit_a>(1));
  const mv::Matrix rollout = mv::attention_rollout(maps);
  for (Index i = 0; i < rollout.rows; ++i) {
    double sum = 0;
    for (Index j = 0; j < rollout.columns; ++j) {
      sum += rollout(i, j);
      CHECK(rollout(i, j) >= 0);
    }
    CHECK(sum == Approx(1).margin(1e-12));
  }
}

TEST_CASE("rollout: the class token's row over the patches, or the mean of all rows", "[analysis]") {
  mv::Matrix attention(6, 6);
  for (std::size_t i = 0; i < 36; ++i) attention.values[i] = static_cast<double>(i);
  check_equal(mv::patch_grid(attention, 2, 2), {2, 3, 4, 5});
  mv::Matrix four(4, 4);
  for (std::size_t i = 0; i < 16; ++i) four.values[i] = static_cast<double>(i * i);
  check_equal(mv::patch_grid(four, 2, 0),
              {(0. + 16 + 64 + 144) / 4, (1. + 25 + 81 + 169) / 4, (4. + 36 + 100 + 196) / 4, (9. + 49 + 121 + 225) / 4});
  CHECK_THROWS_WITH(mv::patch_grid(four, 2, 1), "patch_grid: size of the attention: expected 1 or more x 5, found 4 x 4");

  constexpr auto C = fixtures::deit_a;
  const auto maps = mv::attention_maps(numbers::model<C>(), numbers::images<C>(1));
  const mv::Matrix rollout = mv::attention_rollout(maps), grid = mv::rollout_grid(maps), head = mv::head_grid(maps[3], 1);
  REQUIRE(grid.rows == C.grid());
  CHECK(grid(2, 5) == rollout(0, 1 + 2 * C.grid() + 5));
  CHECK(head(2, 5) == maps[3].map(1)[1 + 2 * C.grid() + 5]);
}

}  // namespace attention_maps_test
