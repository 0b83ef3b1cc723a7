// SPDX-License-Identifier: MIT
// exp, log, sqrt and erf as the compiler evaluates them, against the C library. The functions in `detail` are the ones a
// constant expression uses; here they run over many points.
#include "../catch.hpp"

#include <minivit/kernels/reference/adamw.hpp>
#include <minivit/kernels/reference/pointwise.hpp>
#include <minivit/kernels/reference/rows.hpp>

#include <cmath>

namespace reference_math_test {

namespace reference = minivit::kernels::reference;

namespace {

double relative(double got, double want) { return got == want ? 0 : std::fabs(got - want) / std::fabs(want); }

constexpr double inf = reference::detail::infinity;

}  // namespace

TEST_CASE("reference exp: within 4e-16 of the C library, 0 and infinity outside", "[kernel]") {
  double worst = 0;
  for (int i = 0; i <= 200000; ++i) {
    const double x = -708 + 1417.0 * i / 200000;
    worst = std::fmax(worst, relative(reference::detail::exp_constant(x), std::exp(x)));
  }
  REQUIRE(worst <= 4e-16);  // two roundings of 1.1e-16 in the sum, one in the C library
  static_assert(reference::exp(0.0) == 1 && reference::exp(-inf) == 0 && reference::exp(inf) == inf &&
                reference::exp(1e4) == inf);
  REQUIRE(reference::detail::exp_constant(-744.5) == std::exp(-744.5));  // subnormal
  REQUIRE(std::isnan(reference::detail::exp_constant(NAN)));
}

TEST_CASE("reference log: within 5e-16 of the C library, also near 1 and for subnormal numbers", "[kernel]") {
  double worst = 0;
  for (int i = 0; i <= 200000; ++i) {
    const double x = std::ldexp(1 + i / 200001.0, i % 2000 - 1040), near = 1 + 1e-3 * (i - 100000.0) / 100000;
    worst = std::fmax(worst, relative(reference::detail::log_constant(x), std::log(x)));
    worst = std::fmax(worst, relative(reference::detail::log_constant(near), std::log(near)));
  }
  REQUIRE(worst <= 5e-16);  // (m - 1) / (m + 1) and the sum
  static_assert(reference::log(1.0) == 0 && reference::log(0.0) == -inf && reference::log(inf) == inf);
  REQUIRE(std::isnan(reference::detail::log_constant(-1.0)));
}

TEST_CASE("reference sqrt: within one unit of the C library from the smallest to the largest number", "[kernel]") {
  double worst = 0;
  for (int i = 0; i <= 200000; ++i) {
    const double x = std::ldexp(1 + i / 200001.0, i % 2090 - 1070);
    worst = std::fmax(worst, relative(reference::detail::sqrt_constant(x), std::sqrt(x)));
  }
  REQUIRE(worst <= 2.3e-16);
  static_assert(reference::sqrt(0.0) == 0 && reference::sqrt(9.0) == 3 && reference::sqrt(inf) == inf);
  REQUIRE(std::isnan(reference::detail::sqrt_constant(-1.0)));
}

TEST_CASE("reference erf: within 4e-16 of the C library, odd, and 1 far out", "[kernel]") {
  double worst = 0;
  for (int i = 1; i <= 200000; ++i) {
    const double x = 7.0 * i / 200000;
    worst = std::fmax(worst, relative(reference::detail::erf_constant(x), std::erf(x)));
    if (reference::detail::erf_constant(-x) != -reference::detail::erf_constant(x)) FAIL("not odd at " << x);
  }
  REQUIRE(worst <= 4e-16);
  static_assert(reference::erf(0.0) == 0 && reference::erf(7.0) == 1 && reference::erf(-inf) == -1);
  REQUIRE(std::isnan(reference::detail::erf_constant(NAN)));
}

TEST_CASE("reference kernels: the compiler and the machine agree on all of them", "[kernel]") {
  struct Out {
    double norm[12]{}, mean[3]{}, rstd[3]{}, dx[12]{}, dw[4]{}, db[4]{}, soft[12]{}, dsoft[12]{}, gelu[12]{}, dgelu[12]{},
        pool[4]{};
    double p[4]{1, 2, 3, 4}, m[4]{}, v[4]{};
  };
  constexpr auto run = [] {
    Out o;
    const double x[12] = {0.5, -1, 2, 0.25, 3, 1, -2, 0.1, -0.3, 0.7, 1.1, -1.9}, w[4] = {1, 0.5, 2, -1},
                 b[4] = {0, 1, -1, 0.5};
    reference::layer_norm(o.norm, 4, o.mean, o.rstd, x, 4, w, b, 3, 4, 1e-6);
    reference::layer_norm_backward(o.dx, o.dw, o.db, o.norm, x, o.mean, o.rstd, w, 3, 4, true);
    reference::softmax(o.soft, 4, x, 4, 3, 4);
    reference::softmax_backward(o.dsoft, 4, x, 4, o.soft, 4, 3, 4);
    reference::gelu(o.gelu, x, 12);
    reference::gelu_backward(o.dgelu, o.norm, x, 12);
    reference::mean_rows(o.pool, x, 4, 3, 4);
    reference::adamw(o.p, o.m, o.v, x, 4, {1e-3, 0.9, 0.999, 1e-8, 0.05, 0.1, 0.001}, 0.5);
    return o;
  };
  constexpr Out compiled = run();
  volatile bool at_run_time = true;  // keeps the compiler from doing both
  const Out here = at_run_time ? run() : Out{};
  const auto same = [](const auto& a, const auto& c) {
    for (std::size_t i = 0; i < std::size(a); ++i)
      if (!(std::fabs(a[i] - c[i]) <= 1e-13)) return false;  // a few units of results below 30
    return true;
  };
  REQUIRE(same(compiled.norm, here.norm));
  REQUIRE(same(compiled.rstd, here.rstd));
  REQUIRE(same(compiled.dx, here.dx));
  REQUIRE(same(compiled.dw, here.dw));
  REQUIRE(same(compiled.soft, here.soft));
  REQUIRE(same(compiled.dsoft, here.dsoft));
  REQUIRE(same(compiled.gelu, here.gelu));
  REQUIRE(same(compiled.dgelu, here.dgelu));
  REQUIRE(same(compiled.pool, here.pool));
  REQUIRE(same(compiled.p, here.p));
}

}  // namespace reference_math_test
