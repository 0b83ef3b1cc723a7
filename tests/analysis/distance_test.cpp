// SPDX-License-Identifier: MIT
// Distances of features: by hand, and between models.
#include <minivit/analysis/distance.hpp>
#include <minivit/models/vit.hpp>

#include "../catch.hpp"
#include "numbers.hpp"

namespace distance_test {

namespace mv = minivit;
using mv::Index;

TEST_CASE("distance: two tokens by hand", "[analysis]") {
  // (3, 4) and (4, 3): cos 24/25, apart by sqrt 2; (0, 2) and (0, -1): cos -1, apart by 3
  const double a[] = {3, 4, 0, 2};
  const float b[] = {4, 3, 0, -1};
  mv::DistanceSums sums;
  sums.add(a, b, 1, 2);
  sums.add(a + 2, b + 2, 1, 2);
  CHECK(sums.value().relative == Approx(std::sqrt(11.0 / 26)).epsilon(1e-14));
  CHECK(sums.value().cosine == Approx((24.0 / 25 - 1) / 2).epsilon(1e-14));
  const double zero[] = {0, 0};
  mv::DistanceSums nothing;
  nothing.add(zero, a, 1, 2);
  CHECK(nothing.value().relative == 1);
  CHECK(nothing.value().cosine == 0);
  mv::DistanceSums from_nothing;
  from_nothing.add(a, zero, 1, 2);
  CHECK(std::isinf(from_nothing.value().relative));
  CHECK(std::isnan(mv::DistanceSums().value().cosine));
}

TEST_CASE("distance: a shared model from its unshared twin, layer by layer", "[analysis]") {
  constexpr auto A = fixtures::mini_deit_a;
  constexpr auto B = numbers::unshared(A);
  const auto a = numbers::model<A>("a.");
  const auto b = numbers::model<B>("b.");
  const auto images = numbers::images<A>(5);
  mv::Features<mv::ViT<A>> fa(a, {.max_batch = 2, .threads = 3});
  mv::Features<mv::ViT<B>> fb(b, {.max_batch = 5, .threads = 1});
  const auto found = mv::feature_distance(fa, fb, images);
  REQUIRE(found.size() == 4);
  const numbers::Kept kept_a(a, images.view());
  const numbers::Kept kept_b(b, images.view());
  for (std::size_t l = 0; l < 4; ++l) {
    const auto x = kept_a.saved.layers[l].y, y = kept_b.saved.layers[l].y;
    double apart = 0, size = 0, cosine = 0;
    for (Index t = 0; t < 5 * A.tokens(); ++t) {
      double xx = 0, yy = 0, xy = 0;
      for (Index c = 0; c < A.dim; ++c) {
        const double p = x.data()[t * A.dim + c], q = y.data()[t * A.dim + c];
        apart += (p - q) * (p - q), size += q * q, xx += p * p, yy += q * q, xy += p * q;
      }
      cosine += xy / std::sqrt(xx * yy) / static_cast<double>(5 * A.tokens());
    }
    CHECK(found[l].relative == Approx(std::sqrt(apart / size)).epsilon(1e-5));  // packed against plain weights in float32
    CHECK(found[l].cosine == Approx(cosine).margin(1e-5));
  }
  mv::Features<mv::ViT<A>> again(a, {.max_batch = 5});
  for (const auto& d : mv::feature_distance(fa, again, images)) {
    CHECK(d.relative == 0);
    CHECK(d.cosine == Approx(1).epsilon(1e-12));
  }
}

}  // namespace distance_test
