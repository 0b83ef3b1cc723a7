// SPDX-License-Identifier: MIT
#include "../catch.hpp"

#include <minivit/models/init.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

#include <algorithm>
#include <cmath>

namespace init_test {

namespace mv = minivit;
using mv::Index;
using mv::InitRule;

TEST_CASE("initialise: fan-in is what one output of a convolution sums up, for its bias, too", "[model]") {
  const mv::ParameterTable table{{"patch_embed.proj.weight", {96, 3, 4, 4}, 0, 4608},
                                 {"patch_embed.proj.bias", {96}, 0, 96},
                                 {"x.local_conv_list.1.weight", {384, 1, 7, 7}, 0, 18816},
                                 {"x.local_conv_list.1.bias", {384}, 0, 384}};
  CHECK(mv::fan_in(table[0], table) == 48);
  CHECK(mv::fan_in(table[1], table) == 48);
  CHECK(mv::fan_in(table[2], table) == 49);
  CHECK(mv::fan_in(table[3], table) == 49);
}

TEST_CASE("initialise: every parameter follows its rule, and the seed decides all", "[model]") {
  using Model = mv::ViT<mv::presets::mini_vit_nano_patch4_32>;
  Model a, b, c;
  mv::initialise(a, 1);
  mv::initialise(b, 1);
  mv::initialise(c, 2);
  CHECK(std::equal(a.data(), a.data() + a.size(), b.data()));
  CHECK_FALSE(std::equal(a.data(), a.data() + a.size(), c.data()));
  for (const auto& p : Model::parameter_table()) {
    INFO(p.name);
    const float* const v = a.data() + p.offset;
    double sum = 0, squares = 0;
    for (mv::Index i = 0; i < p.size; ++i) {
      sum += static_cast<double>(v[i]);
      squares += static_cast<double>(v[i]) * static_cast<double>(v[i]);
    }
    const double n = static_cast<double>(p.size), mean = sum / n, rms = std::sqrt(squares / n);
    if (p.name.ends_with("lookup_table_weight") || (p.name.ends_with(".bias") && p.name != "patch_embed.proj.bias"))
      CHECK(rms == 0);
    else if (p.shape.size() == 1 && p.name != "patch_embed.proj.bias") CHECK((mean == 1 && rms == 1));
    else if (p.name.starts_with("patch_embed"))
      CHECK(rms == Approx(1 / std::sqrt(48.0) / std::sqrt(3.0)).epsilon(0.15));  // uniform +-b: b / sqrt(3); 96 numbers
    else if (p.size >= 500) CHECK(rms == Approx(0.02).epsilon(0.1));             // std of the estimate: 1 / sqrt(2 n) = 3 %
    else CHECK((rms > 0.005 && rms < 0.04));                                     // nine numbers of a head mixing
  }
}

TEST_CASE("initialise: every parameter of a Mini-Swin follows its rule", "[model]") {
  using Model = mv::Swin<mv::presets::mini_swin_lite_patch2_window4_32>;
  Model model;
  mv::initialise(model, 1);
  int convolutions = 0;
  for (const auto& p : Model::parameter_table()) {
    INFO(p.name);
    const float* const v = model.data() + p.offset;
    double squares = 0, largest = 0, sum = 0;
    for (Index i = 0; i < p.size; ++i) {
      const auto x = static_cast<double>(v[i]);
      sum += x;
      squares += x * x;
      largest = std::max(largest, std::abs(x));
    }
    const double n = static_cast<double>(p.size), rms = std::sqrt(squares / n);
    const bool local = p.name.find("local_conv_list") != p.name.npos, patch = p.name.starts_with("patch_embed.proj.");
    if (local || patch) {  // uniform +-b has rms b / sqrt(3); the estimate of 64 numbers strays by 6 %
      const double bound = 1 / std::sqrt(local ? 49.0 : 12.0);
      CHECK(largest <= bound);
      CHECK(largest > 0.9 * bound);
      CHECK(rms == Approx(bound / std::sqrt(3.0)).epsilon(0.2));
      ++convolutions;
    } else if (p.name.ends_with(".bias")) {
      CHECK(largest == 0);
    } else if (p.shape.size() == 1) {
      CHECK((sum == n && squares == n));
    } else if (p.size >= 500) {
      CHECK(rms == Approx(0.02).epsilon(0.1));  // bias tables of few heads stray more: 98 numbers
    } else {
      CHECK((rms > 0.005 && rms < 0.04));
    }
  }
  CHECK(convolutions == 2 + 2 * 10);
}

}  // namespace init_test
