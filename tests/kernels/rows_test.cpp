// SPDX-License-Identifier: MIT
// Row kernels against their scalar definitions in double precision, for every register remainder, dense and odd strides.
// Errors are counted in epsilon<T> of the largest magnitude that enters the sum behind an element.
#include "../catch.hpp"
#include "arches.hpp"
#include "differences.hpp"
#include "guarded.hpp"

#include <minivit/kernels/reference/rows.hpp>
#include <minivit/kernels/rows.hpp>

namespace rows_test {

namespace kernels = minivit::kernels;
namespace reference = minivit::kernels::reference;
using namespace kernel_test;

namespace {

/// A sum of n terms in two different orders: each order loses about sqrt(n) / 2 units, and a handful for the rest.
double sum_units(Index n) { return 6 + std::sqrt(static_cast<double>(n)); }

Index odd_stride(Index n) { return n % 2 ? n + 2 : n + 3; }

}  // namespace

TEMPLATE_LIST_TEST_CASE("layer_norm: equals its definition for every length and stride", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    for (const Index ld : {n, odd_stride(n)}) {
      const Index rows = 3;
      Guarded<T> x(rows, n, ld), y(rows, n, ld + 2), weight(n), bias(n), mean(rows), rstd(rows);
      x.fill_random(1), weight.fill_random(2), bias.fill_random(3);
      kernels::layer_norm<Arch>(y.data(), y.ld(), mean.data(), rstd.data(), x.data(), ld, weight.data(), bias.data(), rows,
                                n, T(1e-6));
      const auto xd = x.doubles(), wd = weight.doubles(), bd = bias.doubles();
      std::vector<double> yd(xd.size()), md(3), sd(3);
      reference::layer_norm(yd.data(), n, md.data(), sd.data(), xd.data(), n, wd.data(), bd.data(), rows, n,
                            static_cast<double>(T(1e-6)));
      // x - mean is off by units of |x| <= 2, and 1 / sqrt(variance) magnifies that.
      const double magnified = 4 * (1 + 2 * std::max({sd[0], sd[1], sd[2]}));
      INFO("n = " << n << ", ld = " << ld);
      REQUIRE(worst_error(mean, md, 2) <= sum_units(n));
      if (n > 1) REQUIRE(worst_error(rstd, sd, magnified) <= sum_units(n));
      REQUIRE(worst_error(y, yd, magnified) <= sum_units(n));
      REQUIRE((x.intact() && y.intact() && weight.intact() && bias.intact() && mean.intact() && rstd.intact()));

      Guarded<T> in_place(rows, n, ld);
      in_place.copy(x);
      kernels::layer_norm<Arch, T>(in_place.data(), ld, nullptr, nullptr, in_place.data(), ld, weight.data(), bias.data(),
                                   rows, n, T(1e-6));
      REQUIRE(worst_error(in_place, y.doubles(), 0) == 0);
      REQUIRE(in_place.intact());
    }
  });
}

TEMPLATE_LIST_TEST_CASE("layer_norm: a row without variance becomes the bias", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    Guarded<T> x(n), y(n), weight(n), bias(n);
    x.fill(T(0.1)), weight.fill_random(4), bias.fill_random(5);
    kernels::layer_norm<Arch, T>(y.data(), n, nullptr, nullptr, x.data(), n, weight.data(), bias.data(), 1, n, T(1e-6));
    // The mean of equal numbers may be off by units of 0.1; times 1 / sqrt(1e-6) and a weight of at most 2.
    REQUIRE(worst_error(y, bias.doubles(), 0.1 * 1e3 * 2) <= sum_units(n));
  });
}

TEMPLATE_LIST_TEST_CASE("layer_norm: a large offset does not destroy the variance", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const Index n = 192;
  Guarded<T> x(n), y(n), weight(n), bias(n);
  x.fill_with([](Index, Index i) { return 4096 + (i % 2 ? 0.5 : -0.5); }), weight.fill(1), bias.fill(0);
  kernels::layer_norm<Arch, T>(y.data(), n, nullptr, nullptr, x.data(), n, weight.data(), bias.data(), 1, n, T(1e-6));
  // One pass (mean of squares minus square of the mean) would lose 4096^2 / 0.25 = 7e7 units here and everything in float.
  // The values and their mean are exact in two passes, so only the last operations round.
  for (Index i = 0; i < n; ++i) REQUIRE(std::fabs(static_cast<double>(y(0, i)) - (i % 2 ? 1 : -1)) < 1e-5);
}

TEMPLATE_LIST_TEST_CASE("layer_norm_backward: equals its definition and adds to weight and bias gradients", "[kernel]",
                        KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    for (const Index rows : {1, 3, 4, 7, 9}) {
      for (const bool accumulate : {false, true}) {
        Guarded<T> dx(rows, n, n), dy(rows, n, n), x(rows, n, n), mean(rows), rstd(rows), weight(n), dweight(n), dbias(n);
        dx.fill_random(1), dy.fill_random(2), x.fill_random(3), weight.fill_random(4), dweight.fill_random(5),
            dbias.fill_random(6);
        mean.fill_random(7, -0.1, 0.1), rstd.fill_random(8, 0.5, 1.5);
        auto dxd = dx.doubles(), dwd = dweight.doubles(), dbd = dbias.doubles();
        const auto dyd = dy.doubles(), xd = x.doubles(), md = mean.doubles(), sd = rstd.doubles(), wd = weight.doubles();
        reference::layer_norm_backward(dxd.data(), dwd.data(), dbd.data(), dyd.data(), xd.data(), md.data(), sd.data(),
                                       wd.data(), rows, n, accumulate);
        kernels::layer_norm_backward<Arch>(dx.data(), dweight.data(), dbias.data(), dy.data(), x.data(), mean.data(),
                                           rstd.data(), weight.data(), rows, n, accumulate);
        INFO("n = " << n << ", rows = " << rows << ", accumulate = " << accumulate);
        // dy * weight * normalised: at most 2 * 2 * 3, then normalised again.
        REQUIRE(worst_error(dx, dxd, 36) <= sum_units(n));
        REQUIRE(worst_error(dweight, dwd, 6 * static_cast<double>(rows)) <= sum_units(rows));
        REQUIRE(worst_error(dbias, dbd, 2 * static_cast<double>(rows)) <= sum_units(rows));
        REQUIRE((dx.intact() && dy.intact() && x.intact() && mean.intact() && rstd.intact() && weight.intact() &&
                 dweight.intact() && dbias.intact()));
      }
    }
  });
}

TEMPLATE_LIST_TEST_CASE("layer_norm_backward: dx may be dy", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const Index rows = 6, n = 37;
  Guarded<T> dx(rows, n, n), dy(rows, n, n), x(rows, n, n), mean(rows), rstd(rows), weight(n), sums(n);
  dy.fill_random(2), x.fill_random(3), weight.fill_random(4), mean.fill(0), rstd.fill(1), sums.fill(0);
  kernels::layer_norm_backward<Arch>(dx.data(), sums.data(), sums.data(), dy.data(), x.data(), mean.data(), rstd.data(),
                                     weight.data(), rows, n, false);
  kernels::layer_norm_backward<Arch>(dy.data(), sums.data(), sums.data(), dy.data(), x.data(), mean.data(), rstd.data(),
                                     weight.data(), rows, n, false);
  REQUIRE(worst_error(dy, dx.doubles(), 0) == 0);
}

TEMPLATE_LIST_TEST_CASE("softmax: equals its definition for every length and stride, also in place", "[kernel]",
                        KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    for (const Index ld : {n, odd_stride(n)}) {
      const Index rows = 3;
      Guarded<T> x(rows, n, ld), y(rows, n, ld + 2);
      x.fill_random(n, -20, 20);
      const auto xd = x.doubles();
      std::vector<double> yd(xd.size());
      reference::softmax(yd.data(), n, xd.data(), n, rows, n);
      kernels::softmax<Arch>(y.data(), y.ld(), x.data(), ld, rows, n);
      INFO("n = " << n << ", ld = " << ld);
      // x - largest is rounded to half a unit of at most 40, that is up to 20 units of the result (relative);
      // exp 1.5, the sum and the division a few. Results are in [0, 1]; the absolute error shrinks with the result.
      REQUIRE(worst_error(y, yd, 0) <= 24 + sum_units(n));
      REQUIRE((x.intact() && y.intact()));
      kernels::softmax<Arch>(x.data(), ld, x.data(), ld, rows, n);
      REQUIRE(worst_error(x, y.doubles(), 0) == 0);
      REQUIRE(x.intact());
    }
  });
}

TEMPLATE_LIST_TEST_CASE("softmax: each row sums to one, whatever is added to it", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    for (const double offset : {0.0, 1e4, -1e4, 1e30}) {
      Guarded<T> x(n), y(n);
      x.fill_random(n).fill_with([&](Index, Index i) { return static_cast<double>(x(0, i)) + offset; });
      kernels::softmax<Arch>(y.data(), n, x.data(), n, 1, n);
      double sum = 0;
      for (Index i = 0; i < n; ++i) sum += static_cast<double>(y(0, i));
      // Each of n parts is off by at most one rounding of itself, the common factor by the sum's.
      REQUIRE(std::fabs(sum - 1) <= sum_units(n) * static_cast<double>(std::numeric_limits<T>::epsilon()));
    }
  });
}

TEMPLATE_LIST_TEST_CASE("softmax: extremes", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const T inf = std::numeric_limits<T>::infinity();
  for_lengths<T, Arch>([&](Index n) {
    INFO("n = " << n);
    Guarded<T> x(n), y(n);
    const auto run = [&] { kernels::softmax<Arch>(y.data(), n, x.data(), n, 1, n); };
    x.fill(T(-1e4)), run();  // all equal: 1 / n up to the division and the product
    REQUIRE(worst_error(y, std::vector<double>(static_cast<std::size_t>(n), 1.0 / static_cast<double>(n)), 0) <= 2);
    for (const Index at : {Index{0}, n / 2, n - 1}) {
      std::vector<double> one(static_cast<std::size_t>(n), 0.0);
      one[static_cast<std::size_t>(at)] = 1;
      x.fill(T(-1e4)), x(0, at) = T(1e4), run();  // exp(-20000) is 0 in both precisions: one exact 1, the rest exact 0
      REQUIRE(worst_error(y, one, 0) == 0);
      x.fill(-inf), x(0, at) = T(3), run();  // -infinity gives exactly 0
      REQUIRE(worst_error(y, one, 0) == 0);
      if (n > 1) {  // NaN anywhere is seen in the whole row
        x.fill(T(0)), x(0, at) = std::numeric_limits<T>::quiet_NaN(), run();
        REQUIRE(worst_error(y, std::vector<double>(static_cast<std::size_t>(n), NAN), 0) == 0);
      }
    }
    x.fill(-inf), run();
    REQUIRE(worst_error(y, std::vector<double>(static_cast<std::size_t>(n), NAN), 0) == 0);
  });
}

TEMPLATE_LIST_TEST_CASE("softmax_backward: equals its definition for every length and stride, also in place", "[kernel]",
                        KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    for (const Index ld : {n, odd_stride(n)}) {
      const Index rows = 3;
      Guarded<T> dx(rows, n, ld + 2), dy(rows, n, ld), y(rows, n, ld + 4);
      dy.fill_random(1), y.fill_random(2, 0, 2.0 / static_cast<double>(n));
      const auto dyd = dy.doubles(), yd = y.doubles();
      std::vector<double> dxd(dyd.size());
      reference::softmax_backward(dxd.data(), n, dyd.data(), n, yd.data(), n, rows, n);
      kernels::softmax_backward<Arch>(dx.data(), dx.ld(), dy.data(), ld, y.data(), y.ld(), rows, n);
      INFO("n = " << n << ", ld = " << ld);
      REQUIRE(worst_error(dx, dxd, 6 * 2.0 / static_cast<double>(n)) <= sum_units(n));  // |dy - dot| <= 6, y <= 2 / n
      REQUIRE((dx.intact() && dy.intact() && y.intact()));
      kernels::softmax_backward<Arch>(dy.data(), ld, dy.data(), ld, y.data(), y.ld(), rows, n);
      REQUIRE(worst_error(dy, dx.doubles(), 0) == 0);
      REQUIRE(dy.intact());
    }
  });
}

TEMPLATE_LIST_TEST_CASE("column_sum and mean_rows: equal their definitions for every length, row count and stride",
                        "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    for (const Index rows : {1, 2, 7, 8, 9, 17, 65}) {
      const Index ld = odd_stride(n);
      Guarded<T> x(rows, n, ld), sum(n), mean(n);
      x.fill_random(1), sum.fill_random(2);
      const auto xd = x.doubles();
      auto sd = sum.doubles();
      std::vector<double> md(sd.size());
      reference::column_sum(sd.data(), xd.data(), n, rows, n);
      reference::mean_rows(md.data(), xd.data(), n, rows, n);
      kernels::column_sum<Arch>(sum.data(), x.data(), ld, rows, n);
      kernels::mean_rows<Arch>(mean.data(), x.data(), ld, rows, n);
      INFO("n = " << n << ", rows = " << rows);
      REQUIRE(worst_error(sum, sd, 2 * std::sqrt(static_cast<double>(rows))) <=
              sum_units(rows));  // typical size of a partial sum
      REQUIRE(worst_error(mean, md, 2 / std::sqrt(static_cast<double>(rows))) <= sum_units(rows));
      REQUIRE((x.intact() && sum.intact() && mean.intact()));
    }
  });
}

TEMPLATE_LIST_TEST_CASE("mean_rows_backward: every row gets its share, set or added", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    for (const bool accumulate : {false, true}) {
      const Index rows = 7;
      Guarded<T> dx(rows, n, odd_stride(n)), dy(n);
      dx.fill_random(1), dy.fill_random(2);
      auto dxd = dx.doubles();
      const auto dyd = dy.doubles();
      reference::mean_rows_backward(dxd.data(), n, dyd.data(), rows, n, accumulate);
      kernels::mean_rows_backward<Arch>(dx.data(), dx.ld(), dy.data(), rows, n, accumulate);
      REQUIRE(worst_error(dx, dxd, 2) <= 1.5);  // a division and an addition, each half a unit
      REQUIRE((dx.intact() && dy.intact()));
    }
  });
}

namespace {

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

TEST_CASE("reference layer_norm_backward: is the gradient of layer_norm by finite differences", "[kernel]") {
  const Index rows = 3, n = 7;
  Guarded<double> random(5, rows * n, rows * n);
  random.fill_random(9);
  const auto take = [&](Index r, Index count) { return std::vector<double>(&random(r, 0), &random(r, 0) + count); };
  auto x = take(0, rows * n), weight = take(1, n), bias = take(2, n);
  const auto dy = take(3, rows * n);
  std::vector<double> y(x.size()), dx(x.size()), dw(weight.size()), db(bias.size()), mean(3), rstd(3);
  const auto loss = [&] {
    reference::layer_norm(y.data(), n, mean.data(), rstd.data(), x.data(), n, weight.data(), bias.data(), rows, n, 1e-6);
    return dot(y, dy);
  };
  loss();
  reference::layer_norm_backward(dx.data(), dw.data(), db.data(), dy.data(), x.data(), mean.data(), rstd.data(),
                                 weight.data(), rows, n, false);
  // Central differences with h = 1e-5: 1e-10 from the third derivative, 1e-10 from rounding, times numbers of order 10.
  REQUIRE(differences::worst(loss, x.data(), rows * n, dx.data()) < 1e-8);
  REQUIRE(differences::worst(loss, weight.data(), n, dw.data()) < 1e-8);
  REQUIRE(differences::worst(loss, bias.data(), n, db.data()) < 1e-8);
}

TEST_CASE("reference softmax_backward: is the gradient of softmax by finite differences", "[kernel]") {
  const Index rows = 2, n = 9;
  Guarded<double> random(2, rows * n, rows * n);
  random.fill_random(10);
  std::vector<double> x(&random(0, 0), &random(0, 0) + rows * n), y(x.size()), dx(x.size());
  const std::vector<double> dy(&random(1, 0), &random(1, 0) + rows * n);
  const auto loss = [&] {
    reference::softmax(y.data(), n, x.data(), n, rows, n);
    return dot(y, dy);
  };
  loss();
  reference::softmax_backward(dx.data(), n, dy.data(), n, y.data(), n, rows, n);
  REQUIRE(differences::worst(loss, x.data(), rows * n, dx.data()) < 1e-9);
}

}  // namespace rows_test
