// SPDX-License-Identifier: MIT
// Element-wise kernels against their scalar definitions in double precision, for every register remainder.
#include "../catch.hpp"
#include "arches.hpp"
#include "guarded.hpp"

#include <minivit/kernels/pointwise.hpp>
#include <minivit/kernels/reference/pointwise.hpp>

namespace pointwise_test {

namespace kernels = minivit::kernels;
namespace reference = minivit::kernels::reference;
using namespace kernel_test;

namespace {

/// Units of epsilon<T> by which the vector erf may be wrong: 2.4 ulp in float, 7.6e-15 in double (both measured).
template <class T>
constexpr double erf_units = sizeof(T) == 4 ? 2.4 : 34;

}  // namespace

TEMPLATE_LIST_TEST_CASE("gelu: equals its definition for every length, also in place", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    Guarded<T> x(n), y(n);
    x.fill_random(n, -6, 6);
    const auto xd = x.doubles();
    std::vector<double> yd(xd.size());
    reference::gelu(yd.data(), xd.data(), n);
    kernels::gelu<Arch>(y.data(), x.data(), n);
    INFO("n = " << n);
    // x / 2 multiplies the error of erf; it is largest near |x| = 3.1. One more unit for the products.
    REQUIRE(worst_error(y, yd, 1) <= 1.6 * erf_units<T> + 1);
    REQUIRE((x.intact() && y.intact()));
    kernels::gelu<Arch>(x.data(), x.data(), n);
    REQUIRE(worst_error(x, y.doubles(), 0) == 0);
    REQUIRE(x.intact());
  });
}

TEMPLATE_LIST_TEST_CASE("gelu: is the exact form, not the tanh approximation", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const Index n = 6001;
  Guarded<T> x(n), y(n);
  x.fill_with([](Index, Index i) { return -6 + 0.002 * static_cast<double>(i); });
  kernels::gelu<Arch>(y.data(), x.data(), n);
  double worst = 0;
  for (Index i = 0; i < n; ++i)
    worst = std::fmax(worst, std::fabs(static_cast<double>(y(0, i)) - reference::gelu(static_cast<double>(x(0, i)))));
  REQUIRE(worst <= 4.5e-7);  // the documented bound; the tanh form is off by 4.7e-4
}

TEMPLATE_LIST_TEST_CASE("gelu: far from zero it is 0 or x, and NaN stays NaN", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  const T in[] = {T(0), T(-30), T(30), T(-1e4), T(1e4), inf, nan, -inf};
  const double out[] = {0, 0, 30, 0, 1e4, std::numeric_limits<double>::infinity(), NAN, NAN};
  for (int i = 0; i < 8; ++i) {
    Guarded<T> x(1), y(1);
    x(0, 0) = in[i];
    kernels::gelu<Arch>(y.data(), x.data(), 1);
    INFO("gelu(" << in[i] << ") = " << y(0, 0));
    REQUIRE(worst_error(y, {out[i]}, 0) == 0);
  }
}

TEMPLATE_LIST_TEST_CASE("gelu_backward: equals its definition for every length, also in place", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    Guarded<T> x(n), dx(n), dy(n);
    x.fill_random(n, -6, 6), dy.fill_random(n + 1);
    const auto xd = x.doubles(), dyd = dy.doubles();
    std::vector<double> dxd(xd.size());
    reference::gelu_backward(dxd.data(), dyd.data(), xd.data(), n);
    kernels::gelu_backward<Arch>(dx.data(), dy.data(), x.data(), n);
    INFO("n = " << n);
    // |dy| <= 2 times a slope of at most 1.13 whose error is half that of erf and a few roundings of x^2 inside exp.
    REQUIRE(worst_error(dx, dxd, 2) <= 0.5 * erf_units<T> + 3);
    REQUIRE((x.intact() && dx.intact() && dy.intact()));
    kernels::gelu_backward<Arch>(dy.data(), dy.data(), x.data(), n);
    REQUIRE(worst_error(dy, dx.doubles(), 0) == 0);
    REQUIRE(dy.intact());
  });
}

TEMPLATE_LIST_TEST_CASE("gelu_backward: is the slope of gelu", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const Index n = 201;
  Guarded<T> x(n), dx(n), dy(n);
  x.fill_with([](Index, Index i) { return -5 + 0.05 * static_cast<double>(i); }), dy.fill(T(1));
  kernels::gelu_backward<Arch>(dx.data(), dy.data(), x.data(), n);
  for (Index i = 0; i < n; ++i) {
    const double at = static_cast<double>(x(0, i)), h = 1e-4;
    const double slope = (reference::gelu(at + h) - reference::gelu(at - h)) /
                         (2 * h);  // off by h^2 / 6 times the third derivative
    REQUIRE(std::fabs(static_cast<double>(dx(0, i)) - slope) < 1e-6);
  }
}

TEMPLATE_LIST_TEST_CASE("add, scale, axpy: equal their definitions for every length", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    Guarded<T> a(n), b(n);
    a.fill_random(1), b.fill_random(2);
    auto ad = a.doubles();
    const auto bd = b.doubles();
    INFO("n = " << n);
    kernels::add<Arch>(a.data(), b.data(), n), reference::add(ad.data(), bd.data(), n);
    REQUIRE(worst_error(a, ad, 0) <= 0.5);  // one rounding
    kernels::scale<Arch>(a.data(), T(0.7), n);
    reference::scale(ad.data(), static_cast<double>(T(0.7)), n);
    REQUIRE(worst_error(a, ad, 0) <= 1.5);  // two
    kernels::axpy<Arch>(a.data(), T(-1.3), b.data(), n);
    reference::axpy(ad.data(), static_cast<double>(T(-1.3)), bd.data(), n);
    REQUIRE(worst_error(a, ad, 4) <= 2.5);  // three or four, of numbers below 4
    REQUIRE((a.intact() && b.intact()));
  });
}

TEMPLATE_LIST_TEST_CASE("sum_squares: equals its definition and does not overflow", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    Guarded<T> x(n);
    x.fill_random(3);
    const double want = reference::sum_squares(x.data(), n);
    REQUIRE(std::fabs(kernels::sum_squares<Arch>(x.data(), n) - want) <=
            1e-14 * want);  // n <= 200 roundings of 1.1e-16, mostly cancelling
    REQUIRE(x.intact());
  });
  Guarded<T> big(33);
  big.fill(T(1e30));  // 1e60 is no float
  REQUIRE(std::fabs(kernels::sum_squares<Arch>(big.data(), 33) / 33e60 - 1) < 1e-6);
}

TEMPLATE_LIST_TEST_CASE("sum_squares: is the same to the bit for every instruction set", "[kernel]", FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  Guarded<float> x(1013);
  x.fill_random(4);
  // The definition of the order: sixteen running sums, then halves.
  double sums[16] = {};
  for (Index i = 0; i < 1013; ++i) sums[i % 16] += static_cast<double>(x(0, i)) * static_cast<double>(x(0, i));
  for (int half = 8; half > 0; half /= 2)
    for (int k = 0; k < half; ++k) sums[k] += sums[k + half];
  REQUIRE(kernels::sum_squares<Arch>(x.data(), 1013) == sums[0]);
}

TEMPLATE_LIST_TEST_CASE("first_non_finite: finds the first at every place and no false one", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  constexpr Index lanes = minivit::simd::lanes<T, Arch>;
  for (const Index n : {Index{1}, lanes - 1, lanes + 1, 4 * lanes, 6 * lanes + 3}) {
    Guarded<T> x(n);
    x.fill_with([](Index, Index i) { return i % 2 ? std::numeric_limits<T>::max() : std::numeric_limits<T>::denorm_min(); });
    INFO("n = " << n);
    REQUIRE(kernels::first_non_finite<Arch>(x.data(), n) == -1);
    for (const T bad : {inf, -inf, nan})
      for (Index at = 0; at < n; ++at) {
        const T before = x(0, at), last = x(0, n - 1);
        x(0, n - 1) = nan, x(0, at) = bad;
        REQUIRE(kernels::first_non_finite<Arch>(x.data(), n) == at);
        x(0, n - 1) = last, x(0, at) = before;
      }
    REQUIRE(x.intact());
  }
  Guarded<T> longer(10000);
  longer.fill(T(1));
  REQUIRE(kernels::first_non_finite<Arch>(longer.data(), 10000) == -1);
  longer(0, 9999) = nan;
  REQUIRE(kernels::first_non_finite<Arch>(longer.data(), 10000) == 9999);
  longer(0, 5000) = -inf;
  REQUIRE(kernels::first_non_finite<Arch>(longer.data(), 10000) == 5000);
  REQUIRE(kernels::first_non_finite<Arch>(longer.data(), 0) == -1);
}

}  // namespace pointwise_test
