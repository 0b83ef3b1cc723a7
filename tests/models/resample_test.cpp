// SPDX-License-Identifier: MIT
// A Swin at another resolution and with another window.
#include "../catch.hpp"
#include "generated.hpp"

#include <minivit/models/resample.hpp>
#include <minivit/models/swin.hpp>

#include <array>

namespace resample_test {

namespace mv = minivit;
using mv::Index;

namespace {

/// Two stages: 14 x 14 tokens in four windows of 7, and 7 x 7 tokens in one. At 48 pixels with window 12 the same in larger.
constexpr mv::SwinConfig small = [] {
  mv::SwinConfig c;
  c.image = 28;
  c.patch = 2;
  c.dim = 8;
  c.depths = {4, 2};
  c.blocks = {2, 1};
  c.heads = {2, 2};
  c.classes = 3;
  c.transformations = {.separate_norms = true, .mix_heads = true, .local_conv = true};
  return c;
}();
constexpr mv::SwinConfig large = [] {
  auto c = small;
  c.image = 48;
  c.window = 12;
  return c;
}();
using Small = mv::Swin<small, double>;
using Large = mv::Swin<large, double>;

/// ((7 i + 5 h + 3) mod 11) / 8 for row i and head h of every bias table; other weights from the generator.
Small trained() {
  Small model;
  generated::weights(model);
  for (const auto& p : Small::parameter_table())
    if (p.name.ends_with("bias_table"))
      for (Index i = 0; i < p.shape[0]; ++i)
        for (Index h = 0; h < 2; ++h) model.data()[p.offset + 2 * i + h] = static_cast<double>((7 * i + 5 * h + 3) % 11) / 8;
  return model;
}

}  // namespace

TEST_CASE("at_resolution: bias tables of windows equal PyTorch's bicubic interpolation, everything else is copied",
          "[model]") {
  // torch.nn.functional.interpolate(t.T.view(1, 2, 13, 13), (23, 23), mode="bicubic"), in float64: rows and both heads
  struct Row {
    Index row;
    std::array<double, 2> heads;
  };
  const Row expected[] = {
      {0, {0.2364630495109202, 1.1635020199392325}},    {1, {0.7099008774824869, 0.9187760087690636}},
      {11, {0.08755239582477144, 0.712552395824772}},   {22, {1.45094962411446, 0.3989106536861481}},
      {23, {0.4347827978389754, 0.6517833236371493}},   {100, {0.2755418138840654, 1.0959201061541233}},
      {264, {0.9999999999999999, 0.2499999999999991}},  {265, {0.835590120818607, 0.763597230212871}},
      {300, {0.5058068798776223, 0.7416902540775095}},  {411, {0.6650481627465359, 0.25197718524188417}},
      {506, {0.8510893463138521, -0.2009496241144599}}, {528, {0.08649798006076803, 1.0135369504890799}}};
  const Small before = trained();
  const Large after = mv::at_resolution<large>(before);
  const auto& from = Small::parameter_table();
  int tables = 0;
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto& to = Large::parameter_table()[i];
    INFO(to.name);
    REQUIRE(to.name == from[i].name);
    const double* const y = after.data() + to.offset;
    if (to.name.ends_with("bias_table")) {
      REQUIRE(to.shape == std::vector<Index>{23 * 23, 2});
      for (const Row& row : expected)
        for (std::size_t h = 0; h < 2; ++h)
          CHECK(std::abs(y[2 * row.row + static_cast<Index>(h)] - row.heads[h]) < 1e-13);  // 16 products of about 1
      ++tables;
    } else {
      REQUIRE(to.size == from[i].size);
      CHECK(std::equal(y, y + to.size, before.data() + from[i].offset));
    }
  }
  CHECK(tables == 3);
}

TEST_CASE("at_resolution: a Swin at its own resolution is the same to the bit", "[model]") {
  const Small before = trained(), after = mv::at_resolution<small>(before);
  CHECK(std::equal(before.data(), before.data() + before.size(), after.data()));
}

}  // namespace resample_test
