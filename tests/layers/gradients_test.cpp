// SPDX-License-Identifier: MIT
// Backward of every layer against central differences in double, shared weights and odd sizes included.
#include <minivit/layers/patch_embed.hpp>
#include <minivit/layers/shared_group.hpp>
#include <minivit/testing/gradient_check.hpp>

#include "../catch.hpp"

namespace gradients_test {

namespace mv = minivit;
using mv::Dyn;

// Error of a central difference with step 1e-5 in double: about 1e-10 (third derivative) plus 1e-11 (rounding), times the
// curvature of softmax and GELU; a wrong term shows as 1e-2 or more.
constexpr double limit = 1e-7;

template <class S>
using LinearLayer = mv::Linear<S, 7, 5>;
template <class S>
using NormLayer = mv::LayerNorm<S, 9>;
template <class S>
using EmbedLayer = mv::PatchEmbed<S, 3, 6, 2, 5>;
template <class S>
using MlpLayer = mv::Mlp<S, 6, 11>;

/// Group of `Repeat` layers as one layer.
template <class S, mv::BlockConfig B, int Repeat>
struct Stack : mv::SharedGroup<S, B, Repeat> {};

/// Forward and backward through all layers of a group, with or without stochastic depth.
template <template <class> class Group, mv::BlockConfig B, int Repeat>
mv::testing::GradientReport check_group(bool drop) {
  constexpr int N = B.attention.tokens, D = B.attention.dim;
  constexpr mv::Index batch = 2;
  static constexpr double keep_attn[batch] = {0, 1.5}, keep_mlp[batch] = {1.25, 1};
  const mv::DropPath<double> path = drop ? mv::DropPath<double>{keep_attn, keep_mlp} : mv::DropPath<double>{};
  using Layer = mv::Block<mv::Dense<double>, B>;
  const auto forward = [&](const auto& group, const double* x, double* y, mv::Arena<double>& arena) {
    std::array<typename Layer::Saved, Repeat> saved;
    mv::View<const double, Dyn, N, D> in(x, batch);
    for (int r = 0; r < Repeat; ++r) {
      const auto out = r + 1 == Repeat ? mv::View<double, Dyn, N, D>(y, batch) : arena.template take<Dyn, N, D>(batch);
      saved[static_cast<std::size_t>(r)] = group.layer(r).forward(in, out, arena, path);
      in = out;
    }
    return saved;
  };
  const auto backward = [&](const auto& group, const auto& saved, const double*, const double* dy, double* dx, const auto& g,
                            mv::Arena<double>& arena) {
    const mv::View<double, Dyn, N, D> d(dx, batch);
    std::copy(dy, dy + d.size(), dx);
    for (int r = Repeat - 1; r >= 0; --r)
      group.layer(r).backward(saved[static_cast<std::size_t>(r)], d, g.shared, g.own[static_cast<std::size_t>(r)], arena,
                              path);
  };
  return mv::testing::gradient_check<Group>(batch * N * D, batch * N * D, forward, backward);
}

// 3x3 patches; 2 heads of width 3; a hidden width that is no multiple of any register
constexpr mv::BlockConfig plain{{9, 6, 2, 3, 0, false, false}, 11};
constexpr mv::BlockConfig mixed{{9, 6, 2, 3, 0, true, true}, 11};
constexpr mv::BlockConfig with_token{{10, 6, 2, 3, 1, true, true}, 11};
// 37 tokens: a full block of 32 query rows and a short one
constexpr mv::BlockConfig two_blocks{{37, 6, 3, 6, 1, true, true}, 5};

template <class S>
using Plain = Stack<S, plain, 1>;
template <class S>
using Mixed = Stack<S, mixed, 1>;
template <class S>
using WithToken = Stack<S, with_token, 1>;
template <class S>
using TwoBlocks = Stack<S, two_blocks, 1>;
template <class S>
using Shared3 = Stack<S, mixed, 3>;

TEST_CASE("Linear: backward equals central differences", "[layer]") {
  const auto report = mv::testing::gradient_check<LinearLayer>(
      3 * 7, 3 * 5,
      [](const auto& l, const double* x, double* y, auto& arena) {
        l.forward({x, 3}, {y, 3}, arena);
        return 0;
      },
      [](const auto& l, int, const double* x, const double* dy, double* dx, const auto& g, auto& arena) {
        l.backward({dy, 3}, {x, 3}, {dx, 3}, g, arena);
      });
  INFO(report.text());
  CHECK(report.checked == 21 + 35 + 5);
  CHECK(report.worst < limit);
}

TEST_CASE("LayerNorm: backward equals central differences", "[layer]") {
  const auto report = mv::testing::gradient_check<NormLayer>(
      4 * 9, 4 * 9,
      [](const auto& l, const double* x, double* y, auto& arena) {
        const auto saved = l.forward({x, 4}, arena);
        std::copy(saved.y.begin(), saved.y.end(), y);
        return saved;
      },
      [](const auto& l, const auto& saved, const double* x, const double* dy, double* dx, const auto& g, auto& arena) {
        l.backward({dy, 4}, {x, 4}, saved, {dx, 4}, g, arena);
      });
  INFO(report.text());
  CHECK(report.worst < limit);
}

TEST_CASE("PatchEmbed: weight gradients equal central differences", "[layer]") {
  const auto report = mv::testing::gradient_check<EmbedLayer>(
      2 * 3 * 6 * 6, 2 * 9 * 5,
      [](const auto& l, const double* x, double* y, auto& arena) {
        l.forward({x, 2}, y, 9 * 5, nullptr, arena);
        return 0;
      },
      [](const auto& l, int, const double* x, const double* dy, double*, const auto& g, auto& arena) {
        l.backward({x, 2}, dy, 9 * 5, g, arena);
      },
      false);
  INFO(report.text());
  CHECK(report.worst < limit);
}

TEST_CASE("Mlp: backward equals central differences", "[layer]") {
  const auto report = mv::testing::gradient_check<MlpLayer>(
      5 * 6, 5 * 6,
      [](const auto& l, const double* x, double* y, auto& arena) {
        return l.forward({x, 5}, nullptr, {y, 5}, arena);
      },
      [](const auto& l, const auto& saved, const double* x, const double* dy, double* dx, const auto& g, auto& arena) {
        l.backward({dy, 5}, {x, 5}, saved, {dx, 5}, g, arena);
      });
  INFO(report.text());
  CHECK(report.worst < limit);
}

#define CHECK_GROUP(Group, config, repeat, drop)                          \
  {                                                                       \
    const auto report = check_group<Group, config, repeat>(drop);         \
    INFO(#Group << (drop ? " with drop path: " : ": ") << report.text()); \
    CHECK(report.worst < limit);                                          \
  }

TEST_CASE("Block: backward equals central differences, with and without transformations", "[layer]") {
  CHECK_GROUP(Plain, plain, 1, false);
  CHECK_GROUP(Mixed, mixed, 1, false);
  CHECK_GROUP(WithToken, with_token, 1, false);
  CHECK_GROUP(TwoBlocks, two_blocks, 1, false);
}

TEST_CASE("Block: a dropped branch passes no gradient", "[layer]") { CHECK_GROUP(Mixed, mixed, 1, true); }

TEST_CASE("SharedGroup: gradients of shared weights add up over three layers", "[layer]") {
  CHECK_GROUP(Shared3, mixed, 3, false);
}

TEST_CASE("gradient_check: a wrong gradient is found", "[layer]") {
  const auto report = mv::testing::gradient_check<LinearLayer>(
      3 * 7, 3 * 5,
      [](const auto& l, const double* x, double* y, auto& arena) {
        l.forward({x, 3}, {y, 3}, arena);
        return 0;
      },
      [](const auto& l, int, const double* x, const double* dy, double* dx, const auto& g, auto& arena) {
        l.backward({dy, 3}, {x, 3}, {dx, 3}, g, arena);
        g.weight(4, 2) *= 1.001;
      });
  CHECK(report.where == "weight");
  CHECK(report.index == 4 * 7 + 2);
  CHECK(report.worst > limit);
}

}  // namespace gradients_test
