// SPDX-License-Identifier: MIT
// The small models of the reference fixtures as configs, and reading of their expected values.
#pragma once

#include "../fixtures.hpp"
#include "generated.hpp"

#include <minivit/io/safetensors.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

#include <string>
#include <vector>

namespace fixtures {

namespace mv = minivit;

constexpr mv::ViTConfig deit(int image, int patch, int dim, int depth, int heads) {
  mv::ViTConfig c;
  c.image = image;
  c.patch = patch;
  c.dim = dim;
  c.depth = depth;
  c.heads = heads;
  c.classes = 10;
  return c;
}
constexpr mv::ViTConfig mini(mv::ViTConfig c, int repeat, bool transformations = true) {
  c.pool = mv::Pool::mean;
  c.sharing = {.repeat = repeat, .mix_heads = transformations};
  c.position = {.keys = transformations};
  return c;
}
constexpr mv::ViTConfig distilled(mv::ViTConfig c) {
  c.distilled = true;
  return c;
}

inline constexpr auto deit_a = deit(32, 4, 48, 4, 3);
inline constexpr auto deit_distilled_a = distilled(deit_a);
inline constexpr auto mini_deit_a = mini(deit_a, 2);
inline constexpr auto deit_odd = deit(28, 4, 40, 2, 5);
inline constexpr auto mini_deit_odd = mini(deit(28, 4, 40, 6, 5), 3);
inline constexpr auto mini_deit_share_only = mini(deit(32, 8, 48, 4, 3), 2, false);
inline constexpr auto student = mini(deit(32, 4, 24, 4, 3), 2);
inline constexpr auto teacher = deit(32, 4, 40, 2, 5);

constexpr mv::SwinConfig swin(int image, int window, int dim, mv::PerStage depths, mv::PerStage heads) {
  mv::SwinConfig c;
  c.image = image;
  c.patch = 2;
  c.window = window;
  c.dim = dim;
  c.depths = c.blocks = depths;
  c.heads = heads;
  c.classes = 10;
  return c;
}
constexpr mv::SwinConfig mini(mv::SwinConfig c, mv::PerStage blocks, bool transformations = true) {
  c.blocks = blocks;
  c.transformations = {.separate_norms = transformations, .mix_heads = transformations, .local_conv = transformations};
  return c;
}

inline constexpr auto swin_a = swin(32, 4, 16, {2, 2, 2}, {2, 4, 8});
inline constexpr auto mini_swin_a = mini(swin(32, 4, 16, {2, 4, 2}, {2, 4, 8}), {1, 2, 1});
inline constexpr auto swin_odd = swin(28, 7, 20, {2, 2}, {5, 10});
inline constexpr auto mini_swin_odd = mini(swin(28, 7, 20, {6, 2}, {5, 10}), {2, 1});
inline constexpr auto mini_swin_share_only = mini(swin(16, 4, 16, {2, 2}, {2, 4}), {1, 1}, false);
inline constexpr auto swin_student = mini(swin(16, 4, 16, {4, 2}, {2, 4}), {2, 1});
inline constexpr auto swin_teacher = swin(16, 4, 24, {6, 2}, {3, 6});

static_assert(mv::Swin<swin_a>::parameters == 144950);
static_assert(mv::Swin<mini_swin_a>::parameters == 107220);
static_assert(mv::Swin<swin_odd>::parameters == 58780);
static_assert(mv::Swin<mini_swin_odd>::parameters == 49050);
static_assert(mv::Swin<mini_swin_share_only>::parameters == 19088);
static_assert(mv::Swin<swin_student>::parameters == 29506);

inline mv::SafeTensors open(const std::string& file) { return mv::SafeTensors::open(fixtures::path(file)); }

/// A tensor of the file as numbers.
template <class T>
std::vector<T> read(const mv::SafeTensors& file, const std::string& name) {
  const auto values = file.read<T>(name);
  return {values.begin(), values.end()};
}

/// Largest absolute difference to the first expected.size() numbers at `actual`.
template <class T, class U>
double difference(const std::vector<T>& expected, const U* actual) {
  double worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double d = std::abs(static_cast<double>(expected[i]) - static_cast<double>(actual[i]));
    worst = d >= 0 ? std::max(worst, d) : INFINITY;  // NaN is the worst
  }
  return expected.empty() ? INFINITY : worst;
}

}  // namespace fixtures
