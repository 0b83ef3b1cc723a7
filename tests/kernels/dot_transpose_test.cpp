// SPDX-License-Identifier: MIT
// X^T B, the product of weight gradients: X turned into rows for AMX, or taken in words of two rows.
#include "../catch.hpp"
#include "guarded.hpp"
#include "random_values.hpp"

#include <minivit/kernels/dot/gemm.hpp>

#include <array>
#include <cmath>
#include <cstring>

namespace dot_transpose_test {

namespace kernels = minivit::kernels;
using minivit::bf16;
using namespace kernel_test;

namespace {

template <class X>
std::vector<X> values(std::uint64_t stream, Index n) {
  std::vector<X> out(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) out[static_cast<std::size_t>(i)] = X(static_cast<float>(uniform(stream, i, -2, 2)));
  return out;
}

template <class X>
bf16 rounded(X x) {
  return bf16(static_cast<float>(x));
}
template <class X>
double exact(X x) {
  return static_cast<double>(static_cast<float>(rounded(x)));
}

}  // namespace

TEMPLATE_TEST_CASE("dot_transpose: rows are the columns of X, zero behind the last up to the whole word", "[kernel]", float,
                   bf16) {
  for (const Index k : {1, 2, 15, 16, 31, 32, 33, 63, 64, 77})
    for (const Index m : {1, 2, 15, 16, 17, 32, 40}) {
      const Index ldx = m + 3, stride = kernels::dot_stride<bf16>(k);
      const auto x = values<TestType>(1, k * ldx);
      Guarded<bf16> turned(m, stride, stride + 2);
      kernels::dot_transpose(turned.data(), turned.ld(), x.data(), ldx, k, m);
      Index wrong = 0;
      for (Index j = 0; j < m; ++j)
        for (Index p = 0; p < stride; ++p) {
          const bf16 expected = p < k ? rounded(x[static_cast<std::size_t>(p * ldx + j)]) : bf16{};
          wrong += std::memcmp(&expected, &turned(j, p), sizeof(bf16)) != 0;
        }
      INFO("k " << k << " m " << m);
      REQUIRE(wrong == 0);
      REQUIRE(turned.intact());
    }
}

TEMPLATE_TEST_CASE("dot_gemm_transposed: agrees with sums in double, with AMX where there is one and without", "[kernel]",
                   float, bf16) {
  for (const bool amx : {false, true})
    for (const auto& [m, n, k] : {std::array<Index, 3>{1, 1, 1},
                                  {16, 32, 32},
                                  {17, 33, 65},
                                  {40, 48, 33},
                                  {96, 16, 130},
                                  {70, 70, 455},
                                  {5, 3, 3000}}) {
      const Index ldx = m + 1;
      const auto x = values<TestType>(1, k * ldx);
      const auto b = values<float>(2, k * n), residual = values<float>(3, m * n);
      std::vector<bf16> packed(static_cast<std::size_t>(kernels::dot_packed_size<bf16>(k, n)));
      kernels::dot_pack(packed.data(), b.data(), n, kernels::Order::plain, k, n);
      Guarded<bf16> memory(1, m * kernels::dot_stride<bf16>(k), m * kernels::dot_stride<bf16>(k));
      Guarded<float> c(m, n, n + 2);
      kernels::amx::allowed() = amx;
      kernels::dot_gemm_transposed<minivit::simd::best>(c.data(), c.ld(), x.data(), ldx, memory.data(), packed.data(), m, n,
                                                        k, {.residual = residual.data(), .ldr = n, .scale = 0.5f});
      kernels::amx::allowed() = true;
      double worst = 0;
      for (Index i = 0; i < m; ++i)
        for (Index j = 0; j < n; ++j) {
          double sum = 0;
          for (Index p = 0; p < k; ++p)
            sum += exact(x[static_cast<std::size_t>(p * ldx + i)]) * exact(b[static_cast<std::size_t>(p * n + j)]);
          const double expected = sum / 2 + static_cast<double>(residual[static_cast<std::size_t>(i * n + j)]);
          worst = std::max(worst, std::abs(static_cast<double>(c(i, j)) - expected));
        }
      INFO("m " << m << " n " << n << " k " << k << " amx " << amx);
      REQUIRE(worst <= 4 * static_cast<double>(k) * std::sqrt(static_cast<double>(k)) * 6e-8 + 1e-6);
      REQUIRE(c.intact());
      REQUIRE(memory.intact());
    }
}

}  // namespace dot_transpose_test
