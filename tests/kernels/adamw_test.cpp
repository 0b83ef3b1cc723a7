// SPDX-License-Identifier: MIT
// The AdamW update against its scalar definition and against steps worked out by hand.
#include "../catch.hpp"
#include "arches.hpp"
#include "guarded.hpp"

#include <minivit/kernels/adamw.hpp>
#include <minivit/kernels/reference/adamw.hpp>

namespace adamw_test {

namespace kernels = minivit::kernels;
namespace reference = minivit::kernels::reference;
using namespace kernel_test;

namespace {

kernels::AdamWStep step_at(int t, double weight_decay) {
  return {.lr = 1e-3,
          .beta1 = 0.9,
          .beta2 = 0.999,
          .eps = 1e-8,
          .weight_decay = weight_decay,
          .bias_correction1 = 1 - std::pow(0.9, t),
          .bias_correction2 = 1 - std::pow(0.999, t)};
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("adamw: equals its definition for every length over several steps", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_lengths<T, Arch>([&](Index n) {
    Guarded<T> p(n), m(n), v(n), g(n);
    p.fill_random(1), m.fill(T(0)), v.fill(T(0));
    auto pd = p.doubles(), md = m.doubles(), vd = v.doubles();
    for (int t = 1; t <= 4; ++t) {
      g.fill_random(10 + t, -0.1, 0.1);
      const auto gd = g.doubles();
      const double factor = static_cast<double>(T(0.3));
      reference::adamw(pd.data(), md.data(), vd.data(), gd.data(), n, step_at(t, 0.05), factor);
      kernels::adamw<Arch>(p.data(), m.data(), v.data(), g.data(), n, step_at(t, 0.05), T(0.3));
      INFO("n = " << n << ", t = " << t);
      REQUIRE(worst_error(g, gd, 0) == 0);
    }
    // Per step: beta * m, its sum with the gradient's share, and that share's own roundings (0.03 is the largest gradient).
    // The constants 1 - beta1 and 1 - beta2 lose another half unit each, and so does every factor.
    REQUIRE(worst_error(m, md, 0.03) <= 2 * 4);
    REQUIRE(worst_error(v, vd, 1e-3 * 0.03 * 0.03) <= 3 * 4);
    REQUIRE(worst_error(p, pd, 2) <= 1.5 * 4);  // p is below 2 and is rounded twice a step; the step itself is 1e-3
    REQUIRE((p.intact() && m.intact() && v.intact() && g.intact()));
  });
}

TEMPLATE_LIST_TEST_CASE("adamw: the first step moves by lr against the sign of the gradient", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  // At t = 1 the corrected moments are g and g^2, so the update is lr * g / (|g| + eps).
  for (const double g0 : {0.5, -0.01, 3.0}) {
    Guarded<T> p(1), m(1), v(1), g(1);
    p.fill(T(0)), m.fill(T(0)), v.fill(T(0)), g.fill(T(g0));
    kernels::adamw<Arch>(p.data(), m.data(), v.data(), g.data(), 1, step_at(1, 0.05), T(1));
    const double want = -1e-3 * g0 / (std::fabs(g0) + 1e-8);
    REQUIRE(worst_error(p, {want}, 0) <= 8);  // eight factors and roots, half a unit each, doubled for safety
  }
}

TEMPLATE_LIST_TEST_CASE("adamw: decay shrinks the parameter and never enters the moments", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  Guarded<T> p(3), m(3), v(3), g(3);
  p.fill(T(2)), m.fill(T(0)), v.fill(T(0)), g.fill(T(0));
  kernels::adamw<Arch>(p.data(), m.data(), v.data(), g.data(), 3, step_at(1, 0.5), T(1));
  const double kept = 2 * (1 - 1e-3 * 0.5);
  REQUIRE(worst_error(p, {kept, kept, kept}, 0) <= 1);  // the factor and the product
  REQUIRE(worst_error(m, {0, 0, 0}, 0) == 0);
  REQUIRE(worst_error(v, {0, 0, 0}, 0) == 0);
}

}  // namespace adamw_test
