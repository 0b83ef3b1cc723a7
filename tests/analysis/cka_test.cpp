// SPDX-License-Identifier: MIT
// Kernel alignment: invariances, the definitions written out, estimates that add up, and models layer by layer.
#include <minivit/analysis/cka.hpp>
#include <minivit/models/vit.hpp>

#include "../catch.hpp"
#include "numbers.hpp"

namespace cka_test {

namespace mv = minivit;
using mv::Index;
using numbers::examples;
using numbers::normal;

namespace {

/// X Q s + c for an orthogonal Q, a product of reflections.
mv::Matrix rotated(mv::Matrix x, double scale, double shift, std::uint64_t seed) {
  for (std::uint64_t r = 0; r < 3; ++r) {
    const mv::Matrix v = normal(1, x.columns, seed + r);
    double vv = 0;
    for (const double c : v.values) vv += c * c;
    for (Index i = 0; i < x.rows; ++i) {
      double xv = 0;
      for (Index c = 0; c < x.columns; ++c) xv += x(i, c) * v(0, c);
      for (Index c = 0; c < x.columns; ++c) x(i, c) -= 2 * xv / vv * v(0, c);
    }
  }
  for (double& value : x.values) value = value * scale + shift;
  return x;
}

/// ||Y'X||^2 / (||X'X|| ||Y'Y||) in the space of the features, columns centred (Kornblith et al. 2019, section 3).
double written_out(const mv::Matrix& x, const mv::Matrix& y) {
  const auto centred = [](mv::Matrix m) {
    for (Index c = 0; c < m.columns; ++c) {
      double mean = 0;
      for (Index i = 0; i < m.rows; ++i) mean += m(i, c);
      for (Index i = 0; i < m.rows; ++i) m(i, c) -= mean / static_cast<double>(m.rows);
    }
    return m;
  };
  const auto squared_norm = [](const mv::Matrix& a, const mv::Matrix& b) {
    double sum = 0;
    for (Index i = 0; i < a.columns; ++i)
      for (Index j = 0; j < b.columns; ++j) {
        double product = 0;
        for (Index n = 0; n < a.rows; ++n) product += a(n, i) * b(n, j);
        sum += product * product;
      }
    return sum;
  };
  const auto xc = centred(x), yc = centred(y);
  return squared_norm(xc, yc) / (std::sqrt(squared_norm(xc, xc)) * std::sqrt(squared_norm(yc, yc)));
}

/// HSIC_1 as the mean over all ordered choices of four different examples of K_ij (L_ij + L_qr - 2 L_iq) (Song et al. 2012).
double mean_over_fours(const mv::Matrix& x, const mv::Matrix& y) {
  const auto dot = [](const mv::Matrix& m, Index i, Index j) {
    double sum = 0;
    for (Index c = 0; c < m.columns; ++c) sum += m(i, c) * m(j, c);
    return sum;
  };
  double sum = 0, count = 0;
  for (Index i = 0; i < x.rows; ++i)
    for (Index j = 0; j < x.rows; ++j)
      for (Index q = 0; q < x.rows; ++q)
        for (Index r = 0; r < x.rows; ++r) {
          if (i == j || i == q || i == r || j == q || j == r || q == r) continue;
          sum += dot(x, i, j) * (dot(y, i, j) + dot(y, q, r) - 2 * dot(y, i, q));
          ++count;
        }
  return sum / count;
}

constexpr double rounding = 1e-12;  // sums of some hundred thousand terms in double

}  // namespace

TEST_CASE("CKA: one with itself, rotated, scaled or moved", "[analysis]") {
  const mv::Matrix x = normal(20, 12, 1);
  for (const auto form : {mv::Hsic::biased, mv::Hsic::unbiased}) {
    CHECK(mv::cka(examples(x), examples(x), form) == Approx(1).margin(rounding));
    CHECK(mv::cka(examples(x), examples(rotated(x, 1, 0, 7)), form) == Approx(1).margin(rounding));
    CHECK(mv::cka(examples(x), examples(rotated(x, -0.01, 0, 8)), form) == Approx(1).margin(rounding));
    CHECK(mv::cka(examples(x), examples(rotated(x, 3, 100, 9)), form) == Approx(1).margin(rounding));
  }
  // not of every invertible map: one feature a thousand times as large drowns the others
  mv::Matrix stretched = x;
  for (Index i = 0; i < x.rows; ++i) stretched(i, 0) *= 1000;
  CHECK(mv::cka(examples(x), examples(stretched)) < 0.6);
}

TEST_CASE("CKA: the biased form equals the formula in the space of the features", "[analysis]") {
  // 1500 features take two strips of the Gram matrix
  const std::vector<std::array<Index, 3>> cases{{2, 1, 1}, {9, 4, 7}, {30, 1500, 3}, {13, 5, 40}};
  for (const auto& [n, p, q] : cases) {
    CAPTURE(n, p, q);
    const mv::Matrix x = normal(n, p, 2), noise = normal(n, q, 3);
    mv::Matrix y = noise;
    for (Index i = 0; i < n; ++i)
      for (Index c = 0; c < q; ++c) y(i, c) += 2 * x(i, c % p) + 5;  // related, with a mean
    CHECK(mv::cka(examples(x), examples(y)) == Approx(written_out(x, y)).margin(rounding));
  }
}

TEST_CASE("CKA: the unbiased form equals the mean over all choices of four examples", "[analysis]") {
  for (const Index n : {4, 5, 7}) {
    const mv::Matrix x = normal(n, 3, 4), y = normal(n, 6, 5);
    const mv::Matrix k = mv::centred_gram(examples(x)), l = mv::centred_gram(examples(y));
    CHECK(mv::hsic_unbiased(k, l) == Approx(mean_over_fours(x, y)).margin(rounding));
    CHECK(mv::hsic_unbiased(k, k) == Approx(mean_over_fours(x, x)).margin(rounding));
    const double expected = mean_over_fours(x, y) / std::sqrt(mean_over_fours(x, x) * mean_over_fours(y, y));
    CHECK(mv::cka(examples(x), examples(y), mv::Hsic::unbiased) == Approx(expected).margin(rounding));
  }
}

TEST_CASE("CKA: independent features have none, which only the unbiased form sees in small batches", "[analysis]") {
  mv::CkaSums sums(1, 1);
  double biased = 0;
  constexpr int batches = 60;
  for (std::uint64_t b = 0; b < batches; ++b) {
    const mv::Matrix x = normal(16, 64, 100 + b), y = normal(16, 64, 900 + b);
    const auto ex = examples(x), ey = examples(y);
    sums.add(std::span(&ex, 1), std::span(&ey, 1));
    biased += mv::cka(ex, ey) / batches;
  }
  // one batch scatters by about 1.4 / 16, their mean by 0.09 / sqrt(60) = 0.012
  CHECK(std::abs(sums.values()(0, 0)) < 0.05);
  CHECK(biased > 0.7);
  CHECK(sums.images() == 16 * batches);
}

TEST_CASE("CKA: batches add up, each with the weight of its images, and threads do not matter", "[analysis]") {
  const std::array<mv::Matrix, 2> x{normal(8, 10, 1), normal(5, 10, 2)}, y{normal(8, 4, 3), normal(5, 4, 4)},
      z{normal(8, 20, 5), normal(5, 20, 6)};
  const auto mean = [&](const auto& a, const auto& b) {
    return 8 * mean_over_fours(a[0], b[0]) + 5 * mean_over_fours(a[1], b[1]);
  };
  mv::CkaSums one(1, 2), three(1, 2);
  for (std::size_t b = 0; b < 2; ++b) {
    const std::array rows{examples(x[b])};
    const std::array columns{examples(y[b]), examples(z[b])};
    one.add(std::span<const mv::Examples<double>>(rows), std::span<const mv::Examples<double>>(columns));
    three.add(std::span<const mv::Examples<double>>(rows), std::span<const mv::Examples<double>>(columns), mv::Threads(3));
  }
  const mv::Matrix values = one.values();
  CHECK(values(0, 0) == Approx(mean(x, y) / std::sqrt(mean(x, x) * mean(y, y))).margin(rounding));
  CHECK(values(0, 1) == Approx(mean(x, z) / std::sqrt(mean(x, x) * mean(z, z))).margin(rounding));
  CHECK(values == three.values());
}

TEST_CASE("CKA: layers of two models of other depth and width, as their features say", "[analysis]") {
  constexpr auto A = fixtures::mini_deit_a, B = fixtures::teacher;
  const auto a = numbers::model<A>("a."), again = numbers::model<A>("a.");
  const auto b = numbers::model<B>("b.");
  const auto images = numbers::images<A>(13);
  const numbers::Kept kept_a(a, images.view());
  const numbers::Kept kept_b(b, images.view());
  for (const auto tokens : {mv::TokensAs::flattened, mv::TokensAs::mean}) {
    CAPTURE(static_cast<int>(tokens));
    mv::Features<mv::ViT<A>> fa(a, {.max_batch = 13}), self(again, {.max_batch = 13});
    mv::Features<mv::ViT<B>> fb(b, {.max_batch = 13});
    const mv::Matrix found = mv::cka(fa, fb, images, {tokens, mv::Hsic::biased});
    REQUIRE(found.rows == A.depth);
    REQUIRE(found.columns == B.depth);
    const auto as_matrix = [&]<class T, int N, int D>(const mv::View<T, mv::Dyn, N, D>& y) {
      mv::Matrix flat(y.batch(), y.size() / y.batch());
      std::copy(y.begin(), y.end(), flat.values.begin());
      return tokens == mv::TokensAs::mean ? mv::token_means(mv::LayerFeatures<float>(y.data(), y.batch(), N, D)) : flat;
    };
    for (Index i = 0; i < A.depth; ++i)
      for (Index j = 0; j < B.depth; ++j) {
        const auto x = as_matrix(kept_a.saved.layers[static_cast<std::size_t>(i)].y),
                   y = as_matrix(kept_b.saved.layers[static_cast<std::size_t>(j)].y);
        // packed and plain weights give the same float32 products up to the order of sums
        CHECK(found(i, j) == Approx(mv::cka(examples(x), examples(y))).margin(1e-5));
      }
    const mv::Matrix with_itself = mv::cka(fa, self, images, {tokens, mv::Hsic::unbiased});
    for (Index l = 0; l < A.depth; ++l) CHECK(with_itself(l, l) == Approx(1).margin(rounding));
    CHECK(with_itself(0, 3) == Approx(with_itself(3, 0)).margin(rounding));
    CHECK(with_itself(0, 3) < 0.999);
  }
}

TEST_CASE("CKA: a model's images are cut into equal minibatches, and threads do not change a bit", "[analysis]") {
  constexpr auto C = fixtures::deit_a;
  const auto a = numbers::model<C>("a."), b = numbers::model<C>("b.");
  const auto images = numbers::images<C>(17);
  const auto run = [&](Index batch, int threads) {
    mv::Features<mv::ViT<C>> fa(a, {.max_batch = batch, .threads = threads}), fb(b, {.max_batch = 20, .threads = 1});
    return mv::cka(fa, fb, images);
  };
  CHECK(run(9, 1) == run(9, 3));
  // 17 images in two batches of at most 16: 8 and 9, none of 1
  CHECK(run(16, 1) == run(9, 1));
  const mv::Matrix whole = run(17, 1), parts = run(9, 1);
  for (std::size_t i = 0; i < whole.values.size(); ++i) CHECK(std::isfinite(parts.values[i]));
  CHECK(whole != parts);
}

TEST_CASE("CKA: what cannot be computed is NaN or refused", "[analysis]") {
  const mv::Matrix x = normal(6, 3, 1), constant(6, 3), small = normal(3, 3, 2);
  CHECK(std::isnan(mv::cka(examples(x), examples(constant))));
  CHECK(std::isnan(mv::cka(examples(x), examples(constant), mv::Hsic::unbiased)));
  CHECK(std::isnan(mv::CkaSums(1, 1).values()(0, 0)));
  CHECK_THROWS_WITH(mv::cka(examples(small), examples(small), mv::Hsic::unbiased),
                    "CKA: images of a batch: expected at least 4, found 3");
  CHECK_THROWS_AS(mv::cka(examples(x), examples(small)), mv::Error);
  const auto ex = examples(x);
  mv::CkaSums once(1, 1, mv::Hsic::biased), two(2, 1);
  once.add(std::span(&ex, 1), std::span(&ex, 1));
  CHECK_THROWS_AS(once.add(std::span(&ex, 1), std::span(&ex, 1)), mv::Error);
  CHECK_THROWS_WITH(two.add(std::span(&ex, 1), std::span(&ex, 1)), "CKA: number of layers: expected 2, found 1");

  constexpr auto C = fixtures::deit_a;
  mv::Features<mv::ViT<C>> few(numbers::model<C>(), {.max_batch = 6});
  mv::Features<mv::ViT<C>> other(numbers::model<C>(), {.max_batch = 6});
  CHECK_THROWS_AS(mv::cka(few, other, numbers::images<C>(9)), mv::Error);
  CHECK_THROWS_AS(mv::cka(few, other, numbers::images<C>(3)), mv::Error);
  CHECK_THROWS_AS(mv::cka(few, other, numbers::images<C>(0)), mv::Error);
  CHECK_THROWS_AS(mv::cka(few, other, numbers::images<C>(9), {.form = mv::Hsic::biased}), mv::Error);
  CHECK(mv::cka(few, other, numbers::images<C>(6), {.form = mv::Hsic::biased})(0, 0) == Approx(1).margin(rounding));
}

}  // namespace cka_test
