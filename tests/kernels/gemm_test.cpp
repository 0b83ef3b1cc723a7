// SPDX-License-Identifier: MIT
// The packed matrix product against its scalar definition in double precision: sizes around every edge of the register
// tile and of the blocks of K, odd strides, both orders of A and B, every epilogue, and weights stored as bf16.
#include "../catch.hpp"
#include "arches.hpp"
#include "guarded.hpp"

#include <minivit/kernels/gemm.hpp>
#include <minivit/kernels/reference/gemm.hpp>

namespace gemm_test {

namespace kernels = minivit::kernels;
namespace reference = minivit::kernels::reference;
using kernels::Order;
using minivit::bf16;
using namespace kernel_test;

namespace {

struct Size {
  Index m, n, k;
};

/// Samples of 1 .. 2 * lanes + 1 for each of the three sizes, every edge of the tile, and blocks of K.
template <class Arch, class T>
std::vector<Size> sizes() {
  using Tile = kernels::Tile<Arch, T>;
  const Index lanes = Tile::lanes, top = 2 * lanes + 1;
  std::vector<Size> out{
      {1, 1, 1}, {top, top, top}, {Tile::rows, Tile::width, 64}, {2 * Tile::rows + 7, 2 * Tile::width + 1, 65}};
  for (Index n = 1; n <= Tile::width + 1; ++n) out.push_back({3, n, 5});
  for (Index m = 1; m <= 2 * Tile::rows + 1; ++m) out.push_back({m, lanes + 1, 4});
  for (const Index k : {511, 512, 513, 1024, 1025}) out.push_back({3, lanes + 3, k});
  out.push_back({129, 2 * lanes - 1, 7});                                    // more rows than one block
  out.push_back({9, 4 * lanes, 513}), out.push_back({5, 7 * lanes - 1, 6});  // the last two panels are two registers wide
  const minivit::Random random(1);
  const auto pick = [&](Index i) { return 1 + random.below(static_cast<std::uint64_t>(i), top); };
  for (Index i = 0; i < 60; ++i) out.push_back({pick(3 * i), pick(3 * i + 1), pick(3 * i + 2)});
  return out;
}

/// Factors lie in [-2, 2], so a product is at most 4 = the scale of worst_error. A sum of k of them grows like sqrt(k), and
/// so does the number of units its k roundings add up to; their product is k.
double product_units(Index k) { return 2 + static_cast<double>(k); }

/// B [k, n] in double as the kernel sees it, and C by the definition.
template <class T>
std::vector<double> expected(const Guarded<T>& a, Order a_order, const std::vector<double>& b, Order b_order, Size s,
                             const Guarded<T>* bias, const Guarded<T>* residual, bool gelu) {
  const auto ad = a.doubles();
  const auto bias_d = bias ? bias->doubles() : std::vector<double>{};
  const auto residual_d = residual ? residual->doubles() : std::vector<double>{};
  std::vector<double> c(static_cast<std::size_t>(s.m * s.n));
  kernels::Epilogue<double> e{
      .bias = bias ? bias_d.data() : nullptr, .residual = residual ? residual_d.data() : nullptr, .ldr = s.n, .gelu = gelu};
  reference::gemm(c.data(), s.n, ad.data(), a.n(), a_order, b.data(), b_order == Order::plain ? s.n : s.k, b_order, s.m, s.n,
                  s.k, e);
  return c;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("gemm: equals its definition for sizes around every edge, with odd strides", "[kernel]",
                        KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for (const Size s : sizes<Arch, T>()) {
    for (const Order order : {Order::plain, Order::transposed}) {
      const bool plain = order == Order::plain;
      Guarded<T> a(s.m, s.k, s.k + 3), c(s.m, s.n, s.n + 5), packed(kernels::packed_size<Arch, T>(s.k, s.n));
      Guarded<T> b(plain ? s.k : s.n, plain ? s.n : s.k, (plain ? s.n : s.k) + 1);
      a.fill_random(1), b.fill_random(2);
      kernels::pack<Arch, T>(packed.data(), b.data(), b.ld(), order, s.k, s.n);
      kernels::gemm<Arch, T>(c.data(), c.ld(), a.data(), a.ld(), packed.data(), s.m, s.n, s.k);
      INFO("m = " << s.m << ", n = " << s.n << ", k = " << s.k << ", B transposed: " << !plain);
      REQUIRE(worst_error(c, expected<T>(a, Order::plain, b.doubles(), order, s, nullptr, nullptr, false), 4) <=
              product_units(s.k));
      REQUIRE((a.intact() && b.intact() && c.intact() && packed.intact()));
    }
  }
}

TEMPLATE_LIST_TEST_CASE("gemm: every epilogue, with the residual apart and in place", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const Index lanes = kernels::Tile<Arch, T>::lanes;
  for (const Size s : {Size{1, 1, 1}, Size{9, lanes - 1, 7}, Size{11, 4 * lanes + 3, 33}, Size{5, 3 * lanes, 520},
                       Size{131, lanes + 1, 3}}) {
    for (const bool with_bias : {false, true})
      for (const int residual : {0, 1, 2})  // none, apart, in place
        for (const bool gelu : {false, true}) {
          Guarded<T> a(s.m, s.k, s.k + 1), b(s.k, s.n, s.n), c(s.m, s.n, s.n + 3), old(s.m, s.n, s.n + 7), bias(s.n);
          Guarded<T> packed(kernels::packed_size<Arch, T>(s.k, s.n));
          a.fill_random(1), b.fill_random(2), old.fill_random(3), bias.fill_random(4);
          if (residual == 2) c.copy(old);
          kernels::pack<Arch, T>(packed.data(), b.data(), b.ld(), Order::plain, s.k, s.n);
          const kernels::Epilogue<T> e{.bias = with_bias ? bias.data() : nullptr,
                                       .residual = residual == 0   ? nullptr
                                                   : residual == 1 ? old.data()
                                                                   : c.data(),
                                       .ldr = residual == 1 ? old.ld() : c.ld(),
                                       .gelu = gelu};
          kernels::gemm<Arch, T>(c.data(), c.ld(), a.data(), a.ld(), packed.data(), s.m, s.n, s.k, e);
          INFO("m = " << s.m << ", n = " << s.n << ", k = " << s.k << ", bias " << with_bias << ", residual " << residual
                      << ", gelu " << gelu);
          const auto want = expected<T>(a, Order::plain, b.doubles(), Order::plain, s, with_bias ? &bias : nullptr,
                                        residual ? &old : nullptr, gelu);
          // Two more terms in the sum; GELU stretches an error by at most 1.13 and adds 1.6 times that of erf (34 ulp in
          // double).
          const double units = 1.13 * product_units(s.k + 2) + (gelu ? 1.6 * (sizeof(T) == 4 ? 2.4 : 34.0) : 0.0);
          REQUIRE(worst_error(c, want, 4) <= units);
          REQUIRE((c.intact() && old.intact() && bias.intact()));
        }
  }
}

TEMPLATE_LIST_TEST_CASE("gemm_unpacked: equals its definition for both orders of both matrices", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for (const Size s : sizes<Arch, T>()) {
    for (const Order a_order : {Order::plain, Order::transposed})
      for (const Order b_order : {Order::plain, Order::transposed}) {
        const bool ap = a_order == Order::plain, bp = b_order == Order::plain;
        Guarded<T> a(ap ? s.m : s.k, ap ? s.k : s.m, (ap ? s.k : s.m) + 3),
            b(bp ? s.k : s.n, bp ? s.n : s.k, (bp ? s.n : s.k) + 1);
        Guarded<T> c(s.m, s.n, s.n + 5), old(s.m, s.n, s.n), scratch(kernels::unpacked_scratch<Arch, T>(s.k));
        a.fill_random(1), b.fill_random(2), old.fill_random(3), c.copy(old);
        kernels::gemm_unpacked<Arch, T>(c.data(), c.ld(), a.data(), a.ld(), a_order, b.data(), b.ld(), b_order, s.m, s.n,
                                        s.k, scratch.data(),
                                        {.residual = c.data(), .ldr = c.ld()});  // C += A B, as gradients are summed
        INFO("m = " << s.m << ", n = " << s.n << ", k = " << s.k << ", A plain: " << ap << ", B plain: " << bp);
        const auto want = expected<T>(a, a_order, b.doubles(), b_order, s, nullptr, &old, false);
        REQUIRE(worst_error(c, want, 4) <= product_units(s.k + 1));
        REQUIRE((a.intact() && b.intact() && c.intact() && scratch.intact()));
      }
  }
}

TEMPLATE_LIST_TEST_CASE("gemm: a row's result does not depend on the rows computed with it", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const Index m = 2 * kernels::Tile<Arch, T>::rows + 7, n = 4 * kernels::Tile<Arch, T>::lanes + 3, k = 517;
  Guarded<T> a(m, k, k), b(k, n, n), all(m, n, n), one(m, n, n), bias(n), packed(kernels::packed_size<Arch, T>(k, n));
  a.fill_random(1), b.fill_random(2), bias.fill_random(3);
  kernels::pack<Arch, T>(packed.data(), b.data(), n, Order::plain, k, n);
  const kernels::Epilogue<T> e{.bias = bias.data(), .gelu = true};
  kernels::gemm<Arch, T>(all.data(), n, a.data(), k, packed.data(), m, n, k, e);
  for (Index i = 0; i < m; ++i) kernels::gemm<Arch, T>(&one(i, 0), n, &a(i, 0), k, packed.data(), 1, n, k, e);
  REQUIRE(worst_error(one, all.doubles(), 0) == 0);
}

TEMPLATE_LIST_TEST_CASE("gemm: a bf16 weight counts as its rounded value", "[kernel]", FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  for (const Size s : sizes<Arch, float>()) {
    Guarded<float> a(s.m, s.k, s.k + 3), b(s.n, s.k, s.k + 1), c(s.m, s.n, s.n + 5);
    Guarded<bf16> packed(kernels::packed_size<Arch, float>(s.k, s.n));
    a.fill_random(1), b.fill_random(2);
    kernels::pack<Arch, float>(packed.data(), b.data(), b.ld(), Order::transposed, s.k, s.n);
    kernels::gemm<Arch, float>(c.data(), c.ld(), a.data(), a.ld(), packed.data(), s.m, s.n, s.k);
    auto rounded = b.doubles();
    for (double& value : rounded) value = static_cast<double>(static_cast<float>(bf16(static_cast<float>(value))));
    INFO("m = " << s.m << ", n = " << s.n << ", k = " << s.k);
    // Arithmetic is float32, so the error is that of float weights; rounding itself would be 2^-8 = 32768 units.
    REQUIRE(worst_error(c, expected<float>(a, Order::plain, rounded, Order::transposed, s, nullptr, nullptr, false), 4) <=
            product_units(s.k));
    REQUIRE((a.intact() && b.intact() && c.intact() && packed.intact()));
  }
}

}  // namespace gemm_test
