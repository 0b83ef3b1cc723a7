// SPDX-License-Identifier: MIT
// Products of bf16 and 8-bit words against sums in double and in exact integers, with and without the instructions; packing,
// quantisation and the quick GELU. Attention from bf16: dot_attention_test.cpp.
#include "../catch.hpp"
#include "arches.hpp"
#include "emulated_tiles.hpp"
#include "guarded.hpp"
#include "random_values.hpp"

#include <minivit/kernels/dot/gemm.hpp>
#include <minivit/kernels/dot/quantise.hpp>
#include <minivit/kernels/reference/pointwise.hpp>

namespace dot_test {

namespace kernels = minivit::kernels;
using kernels::Order;
using minivit::bf16;
using minivit::int8;
using namespace kernel_test;

namespace {

struct Size {
  Index m, n, k;
};

/// Every number of rows up to two tiles and a bit, every edge of a panel, K with and without a part of a word, and more rows
/// than one block of A holds.
std::vector<Size> sizes() {
  std::vector<Size> out{{1, 1, 1}, {2, 33, 3}, {90, 64, 1536}, {90, 5, 3000}, {3, 31, 65}};
  for (Index m = 1; m <= 2 * kernels::dot_rows + 1; ++m) out.push_back({m, 17, 6});
  for (Index n = 1; n <= 2 * kernels::dot_width + 1; ++n) out.push_back({3, n, 7});
  for (Index k = 1; k <= 17; ++k) out.push_back({5, 40, k});
  return out;
}

/// Rows of A, zero between k and the stride, and a row stride that is one word larger.
template <class E>
std::vector<typename kernels::Dot<E>::Left> left(Size s, Index lda) {
  std::vector<typename kernels::Dot<E>::Left> a(static_cast<std::size_t>(s.m * lda));
  for (Index i = 0; i < s.m; ++i)
    for (Index p = 0; p < s.k; ++p) {
      auto& at = a[static_cast<std::size_t>(i * lda + p)];
      if constexpr (std::is_same_v<E, bf16>) at = bf16(static_cast<float>(uniform(1, i * 4096 + p, -2, 2)));
      else at = static_cast<std::uint8_t>(uniform(1, i * 4096 + p, 0, 256));
    }
  return a;
}

/// Products through register tiles, through AMX where this machine has it, and through a model of AMX.
enum class Path { registers, amx, emulated };
constexpr Path paths[] = {Path::registers, Path::amx, Path::emulated};

template <class Arch, class E, class Y>
void multiply(Path path, Y* c, Index ldc, const typename kernels::Dot<E>::Left* a, Index lda, const E* packed, Size s,
              const kernels::DotEpilogue& e) {
  kernels::amx::allowed() = path == Path::amx;
  if (path == Path::emulated) kernels::detail::amx_gemm<Arch, EmulatedTiles>(c, ldc, a, lda, packed, s.m, s.n, s.k, e);
  else kernels::dot_gemm<Arch>(c, ldc, a, lda, packed, s.m, s.n, s.k, e);
  kernels::amx::allowed() = true;
}

double exact_gelu(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }

}  // namespace

TEMPLATE_LIST_TEST_CASE("dot_gemm: bf16 products agree with sums in double, for every tail and epilogue", "[kernel]",
                        FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  for (const Size s : sizes())
    for (int variant = 0; variant < 4; ++variant) {
      const Index lda = kernels::dot_stride<bf16>(s.k) + 2;
      const auto a = left<bf16>(s, lda);
      const auto b = floats(2, s.k * s.n, -2, 2), bias = floats(3, s.n, -2, 2), residual = floats(4, s.m * s.n, -2, 2);
      std::vector<bf16> packed(static_cast<std::size_t>(kernels::dot_packed_size<bf16>(s.k, s.n)));
      const auto value = [&](Index p, Index j) { return bf16(b[static_cast<std::size_t>(p * s.n + j)]); };
      kernels::dot_pack_values(packed.data(), s.k, s.n, value);
      const bool has_bias = variant & 1, has_residual = variant & 2, gelu = variant == 3;
      const kernels::DotEpilogue e{.bias = has_bias ? bias.data() : nullptr,
                                   .residual = has_residual ? residual.data() : nullptr,
                                   .ldr = s.n,
                                   .gelu = gelu,
                                   .scale = 0.5f};
      for (const Path path : paths) {
        Guarded<float> c(s.m, s.n, s.n + 3);
        multiply<Arch>(path, c.data(), c.ld(), a.data(), lda, packed.data(), s, e);
        std::vector<bf16> narrow(static_cast<std::size_t>(s.m * s.n));
        multiply<Arch>(path, narrow.data(), s.n, a.data(), lda, packed.data(), s, e);
        double worst = 0, worst_narrow = 0;
        for (Index i = 0; i < s.m; ++i)
          for (Index j = 0; j < s.n; ++j) {
            double sum = 0;
            for (Index p = 0; p < s.k; ++p)
              sum += static_cast<double>(static_cast<float>(a[static_cast<std::size_t>(i * lda + p)])) *
                     static_cast<double>(static_cast<float>(value(p, j)));
            sum *= 0.5;
            if (has_bias) sum += static_cast<double>(bias[static_cast<std::size_t>(j)]);
            if (has_residual) sum += static_cast<double>(residual[static_cast<std::size_t>(i * s.n + j)]);
            if (gelu) sum = exact_gelu(sum);
            const double found = static_cast<double>(c(i, j));
            worst = std::max(worst, std::abs(found - sum));
            // one rounding to 8 bits on top
            const double half = static_cast<double>(static_cast<float>(narrow[static_cast<std::size_t>(i * s.n + j)]));
            worst_narrow = std::max(worst_narrow, std::abs(half - found) - std::abs(found) / 256);
          }
        INFO("m " << s.m << " n " << s.n << " k " << s.k << " variant " << variant);
        // products are at most 4 and k roundings of a sum that grows like sqrt(k): k * sqrt(k) units of 4 * 2^-24; 1.7e-5 is
        // gelu_near
        REQUIRE(worst <=
                4 * (2 + static_cast<double>(s.k)) * std::sqrt(static_cast<double>(s.k)) * 6e-8 + (gelu ? 1.7e-5 : 0));
        REQUIRE(worst_narrow <= 0);
        REQUIRE(c.intact());
      }
    }
}

TEMPLATE_LIST_TEST_CASE("dot_gemm: 8-bit products are exact before the scales", "[kernel]", FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  for (const Size s : sizes()) {
    const Index lda = kernels::dot_stride<int8>(s.k) + 4;
    const auto a = left<int8>(s, lda);
    const auto value = [&](Index p, Index j) { return static_cast<int8>(uniform(2, p * s.n + j, -128, 128)); };
    std::vector<int8> packed(static_cast<std::size_t>(kernels::dot_packed_size<int8>(s.k, s.n)));
    kernels::dot_pack_values(packed.data(), s.k, s.n, value);
    const std::vector<kernels::RowScale> rows(static_cast<std::size_t>(s.m), {1.f, 0.f});
    const std::vector<float> ones(static_cast<std::size_t>(s.n), 1.f);
    for (const Path path : paths) {
      Guarded<float> c(s.m, s.n, s.n + 1);
      multiply<Arch>(path, c.data(), c.ld(), a.data(), lda, packed.data(), s,
                     {.rows = rows.data(), .column_scale = ones.data(), .column_sum = ones.data()});
      Index wrong = 0;
      for (Index i = 0; i < s.m; ++i)
        for (Index j = 0; j < s.n; ++j) {
          std::int64_t sum = 0;
          for (Index p = 0; p < s.k; ++p)
            sum += static_cast<std::int64_t>(a[static_cast<std::size_t>(i * lda + p)]) * value(p, j);
          wrong += c(i, j) != static_cast<float>(sum);
        }
      INFO("m " << s.m << " n " << s.n << " k " << s.k);
      REQUIRE(wrong == 0);
      REQUIRE(c.intact());
    }
  }
}

TEST_CASE("dot_gemm: one tile of AMX left over, of rows, columns and words", "[kernel]") {
  using minivit::simd::best;
  // rows and columns around one and two tiles, K around one tile of words
  for (const Index m : {15, 16, 17, 31, 32, 33, 48, 65})
    for (const Index n : {15, 16, 17, 32, 48, 49})
      for (const Index k : {30, 31, 32, 33, 63, 64, 65, 130}) {
        const Size s{m, n, k};
        const Index lda = kernels::dot_stride<bf16>(k);
        const auto a = left<bf16>(s, lda);
        const auto b = floats(2, k * n, -2, 2);
        std::vector<bf16> packed(static_cast<std::size_t>(kernels::dot_packed_size<bf16>(k, n)));
        kernels::dot_pack(packed.data(), b.data(), n, Order::plain, k, n);
        Guarded<float> expected(m, n, n), c(m, n, n + 2);
        multiply<best>(Path::registers, expected.data(), n, a.data(), lda, packed.data(), s, {});
        multiply<best>(Path::emulated, c.data(), c.ld(), a.data(), lda, packed.data(), s, {});
        double worst = 0;
        for (Index i = 0; i < m; ++i)
          for (Index j = 0; j < n; ++j)
            worst = std::max(worst, std::abs(static_cast<double>(c(i, j)) - static_cast<double>(expected(i, j))));
        INFO("m " << m << " n " << n << " k " << k);
        REQUIRE(worst <= 4 * static_cast<double>(k) * std::sqrt(static_cast<double>(k)) * 6e-8);
        REQUIRE(c.intact());
      }
}

TEMPLATE_LIST_TEST_CASE("dot_gemm: A in words of two rows gives the same bits as A in rows", "[kernel]", FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  for (const Size s : sizes()) {
    const Index lda = kernels::dot_stride<bf16>(s.k), ld = s.m + 3;
    const auto a = left<bf16>(s, lda);
    const auto b = floats(2, s.k * s.n, -2, 2), residual = floats(4, s.m * s.n, -2, 2);
    std::vector<bf16> packed(static_cast<std::size_t>(kernels::dot_packed_size<bf16>(s.k, s.n)));
    kernels::dot_pack(packed.data(), b.data(), s.n, Order::plain, s.k, s.n);
    std::vector<bf16> turned(static_cast<std::size_t>(s.k * s.m)),
        pairs(static_cast<std::size_t>(kernels::dot_stride<bf16>(s.k) * ld));
    for (Index i = 0; i < s.m; ++i)
      for (Index p = 0; p < s.k; ++p)
        turned[static_cast<std::size_t>(p * s.m + i)] = a[static_cast<std::size_t>(i * lda + p)];
    kernels::dot_pair_rows(pairs.data(), ld, turned.data(), s.m, s.k, s.m, ld);
    const kernels::DotEpilogue e{.residual = residual.data(), .ldr = s.n};
    Guarded<float> expected(s.m, s.n, s.n), c(s.m, s.n, s.n + 1);
    // AMX may add in another order
    multiply<Arch>(Path::registers, expected.data(), s.n, a.data(), lda, packed.data(), s, e);
    kernels::dot_gemm<Arch, Order::transposed>(c.data(), c.ld(), pairs.data(), ld, packed.data(), s.m, s.n, s.k, e);
    Index wrong = 0;
    for (Index i = 0; i < s.m; ++i)
      for (Index j = 0; j < s.n; ++j) wrong += c(i, j) != expected(i, j);
    INFO("m " << s.m << " n " << s.n << " k " << s.k);
    REQUIRE(wrong == 0);
    REQUIRE(c.intact());
  }
}

TEMPLATE_TEST_CASE("dot_pack: both orders give what packing value by value gives", "[kernel]", float, bf16) {
  for (const auto& [k, n] : {std::pair<Index, Index>{1, 1}, {2, 32}, {7, 33}, {64, 197}, {197, 64}, {50, 20}, {3, 16}}) {
    const Index ld = std::max(k, n) + 3;
    std::vector<TestType> b(static_cast<std::size_t>(ld * ld));
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = TestType(static_cast<float>(uniform(5, static_cast<Index>(i), -2, 2)));
    for (const Order order : {Order::plain, Order::transposed}) {
      std::vector<bf16> quick(static_cast<std::size_t>(kernels::dot_packed_size<bf16>(k, n)), bf16(9.f)), slow = quick;
      kernels::dot_pack(quick.data(), b.data(), ld, order, k, n);
      kernels::dot_pack_values(slow.data(), k, n, [&](Index p, Index j) {
        return bf16(static_cast<float>(b[static_cast<std::size_t>(order == Order::plain ? p * ld + j : j * ld + p)]));
      });
      REQUIRE(std::memcmp(quick.data(), slow.data(), quick.size() * sizeof(bf16)) == 0);
    }
  }
}

TEMPLATE_LIST_TEST_CASE("quantise_row: every value within half a step, zero exact, the rest of the stride empty", "[kernel]",
                        FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  for (Index n = 1; n <= 70; ++n)
    for (const auto& [low, high] : {std::pair{-2.0, 2.0}, {-0.17, 5.0}, {3.0, 4.0}, {-4.0, -3.0}, {0.0, 0.0}}) {
      auto x = floats(static_cast<std::uint64_t>(n), n, low, high);
      if (n > 3) x[2] = 0;
      const Index stride = n + 5;
      std::vector<std::uint8_t> codes(static_cast<std::size_t>(stride), 99);
      const auto row = kernels::quantise_row<Arch>(codes.data(), x.data(), n, stride);
      CHECK(row.zero == std::nearbyint(row.zero));
      for (Index i = 0; i < n; ++i) {
        const float back = row.scale * (static_cast<float>(codes[static_cast<std::size_t>(i)]) - row.zero);
        const float exact = x[static_cast<std::size_t>(i)];
        // the zero point is rounded too, so at the ends of the range it is up to one step instead of half
        REQUIRE(std::abs(back - exact) <= 1.001f * row.scale);
        if (exact == 0) REQUIRE(back == 0);
      }
      for (Index i = n; i < stride; ++i) REQUIRE(codes[static_cast<std::size_t>(i)] == 0);
    }
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()})
    for (const Index at : {0, 15, 16, 39}) {
      auto x = floats(1, 40, -1, 1);
      x[static_cast<std::size_t>(at)] = bad;
      std::vector<std::uint8_t> codes(40);
      CHECK_FALSE(std::isfinite(kernels::quantise_row<Arch>(codes.data(), x.data(), 40, 40).scale));
    }
}

TEMPLATE_LIST_TEST_CASE("dot_gemm: 8-bit codes at once are those that the same numbers would be rounded to", "[kernel]",
                        FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  for (const Size s : {Size{1, 1, 4}, {5, 33, 7}, {13, 64, 64}, {3, 50, 130}}) {
    const Index lda = kernels::dot_stride<int8>(s.k);
    const auto a = left<int8>(s, lda);
    const auto w = floats(7, s.n * s.k, -1, 1), bias = floats(8, s.n, -2, 2);
    std::vector<int8> packed(static_cast<std::size_t>(kernels::dot_packed_size<int8>(s.k, s.n)));
    std::vector<float> scale(static_cast<std::size_t>(kernels::dot_columns(s.n))), sum = scale;
    kernels::dot_pack_quantised(packed.data(), scale.data(), sum.data(), w.data(), s.k, s.n);
    const std::vector<kernels::RowScale> rows(static_cast<std::size_t>(s.m), {0.01f, 7.f});
    kernels::DotEpilogue e{
        .bias = bias.data(), .gelu = true, .rows = rows.data(), .column_scale = scale.data(), .column_sum = sum.data()};
    Guarded<float> exact(s.m, s.n, s.n);
    kernels::dot_gemm<Arch>(exact.data(), s.n, a.data(), lda, packed.data(), s.m, s.n, s.k, e);
    e.out = {0.02f, 9.f};  // what lies outside is cut at both ends
    Guarded<std::uint8_t> codes(s.m, s.n, s.n + 3);
    kernels::dot_gemm<Arch>(codes.data(), codes.ld(), a.data(), lda, packed.data(), s.m, s.n, s.k, e);
    std::vector<std::uint8_t> expected(static_cast<std::size_t>(s.n));
    for (Index i = 0; i < s.m; ++i) {
      kernels::quantise_row<Arch>(expected.data(), exact.data() + i * s.n, s.n, s.n, e.out);
      for (Index j = 0; j < s.n; ++j) REQUIRE(codes(i, j) == expected[static_cast<std::size_t>(j)]);
    }
    REQUIRE(codes.intact());
  }
  std::vector<float> x{-5, -0.01f, 0, 0.3f, 2.5f, 3.5f, 300, std::numeric_limits<float>::quiet_NaN()};
  std::vector<std::uint8_t> codes(12, 99);
  kernels::quantise_row<Arch>(codes.data(), x.data(), 8, 12, {1.f, 2.f});
  CHECK(codes == std::vector<std::uint8_t>{0, 2, 2, 2, 4, 6, 255, 0, 0, 0, 0, 0});
}

TEST_CASE("dot_pack_quantised: each weight within half a step of its channel, sums of codes exact", "[kernel]") {
  const Index k = 37, n = 45;
  auto w = floats(7, n * k, -3, 3);
  std::fill_n(w.begin() + 4 * k, k, 0.f);  // a dead channel
  std::vector<int8> packed(static_cast<std::size_t>(kernels::dot_packed_size<int8>(k, n)));
  std::vector<float> scale(48), sum(48);
  kernels::dot_pack_quantised(packed.data(), scale.data(), sum.data(), w.data(), k, n);
  for (Index j = 0; j < n; ++j) {
    float codes = 0;
    for (Index p = 0; p < k; ++p) {
      const Index panel = j / 32, words = kernels::dot_words<int8>(k);
      const Index width = panel == 1 ? 16 : 32;  // 45 columns: a panel of 32 and one of 16
      const int8 code = packed[static_cast<std::size_t>((panel * words * 32 + p / 4 * width + j % 32) * 4 + p % 4)];
      codes += static_cast<float>(code);
      REQUIRE(std::abs(static_cast<float>(code) * scale[static_cast<std::size_t>(j)] -
                       w[static_cast<std::size_t>(j * k + p)]) <= 0.501f * scale[static_cast<std::size_t>(j)]);
    }
    REQUIRE(codes == sum[static_cast<std::size_t>(j)]);
  }
  CHECK(scale[4] == 0);
}

TEMPLATE_LIST_TEST_CASE("gelu_near: within 1.7e-5 of the exact value up to 100, NaN stays NaN", "[kernel]",
                        FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  double worst = 0;
  const auto near = [](float x) {
    alignas(64) float lane[16];
    kernels::gelu_near<Arch>(minivit::simd::Batch<float, Arch>(x)).store_aligned(lane);
    return static_cast<double>(lane[0]);
  };
  for (int i = -60000; i <= 60000; ++i) {
    const float x = static_cast<float>(i) * 1e-4f;
    worst = std::max(worst, std::abs(near(x) - exact_gelu(static_cast<double>(x))));
  }
  for (int i = -100; i <= 100; ++i)
    worst = std::max(worst, std::abs(near(static_cast<float>(i)) - exact_gelu(i)) - std::max(0, i) * 1.2e-7);
  CHECK(worst <= 1.7e-5);
  CHECK(std::isnan(near(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace dot_test
