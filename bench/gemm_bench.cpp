// SPDX-License-Identifier: MIT
// Matrix products of DeiT-S against the machine's peak, measured in turns: one float32 thread. Prints a table; the result of
// each product is checked against double sums before it is timed.
#include <minivit/kernels/gemm.hpp>
#include <minivit/testing/peak.hpp>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <vector>

namespace mv = minivit;
namespace kernels = mv::kernels;
using mv::Index;

namespace {

struct Product {
  const char* name;
  Index n, k;
  bool gelu;
};

double median(std::vector<double>& x) {
  std::nth_element(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(x.size() / 2), x.end());
  return x[x.size() / 2];
}

/// Largest error of a sample of elements, relative to the sum of absolute products.
double worst_error(const mv::Buffer<float>& c, const mv::Buffer<float>& a, const mv::Buffer<float>& w, Index m, Index n, Index k) {
  double worst = 0;
  for (Index i = 0; i < m; i += 13)
    for (Index j = 0; j < n; j += 7) {
      double sum = 0, size = 0;
      for (Index p = 0; p < k; ++p) {
        const double term = static_cast<double>(a.data()[i * k + p]) * static_cast<double>(w.data()[j * k + p]);
        sum += term;
        size += std::abs(term);
      }
      worst = std::max(worst, std::abs(static_cast<double>(c.data()[i * n + j]) - sum) / size);
    }
  return worst;
}

}  // namespace

int main() {
#if !defined(NDEBUG) || !defined(__OPTIMIZE__)
  std::fprintf(stderr, "gemm_bench: this is not an optimised build, its times mean nothing; use cmake --preset release\n");
  return 1;
#else
  using Arch = mv::simd::best;
  constexpr int runs = 25;
  const Product products[] = {{"qkv", 1152, 384, false}, {"proj", 384, 384, false}, {"fc1", 1536, 384, false},
                              {"fc1 + GELU", 1536, 384, true}, {"fc2", 384, 1536, false}};
  std::printf("float32, one thread, %s, median of %d\n", mv::instruction_set(), runs);
  std::printf("%-12s%6s%6s%6s%12s%12s%8s\n", "product", "M", "N", "K", "GFLOP/s", "peak", "share");
  for (const Index m : {Index{197}, Index{1576}})
    for (const Product& p : products) {
      mv::Buffer<float> a(m * p.k), w(p.n * p.k), c(m * p.n), packed(kernels::packed_size<Arch, float>(p.k, p.n));
      for (Index i = 0; i < a.size(); ++i) a.data()[i] = static_cast<float>(i % 17 - 8) / 8;
      for (Index i = 0; i < w.size(); ++i) w.data()[i] = static_cast<float>(i % 13 - 6) / 16;
      kernels::pack<Arch, float>(packed.data(), w.data(), p.k, kernels::Order::transposed, p.k, p.n);
      kernels::gemm<Arch>(c.data(), p.n, a.data(), p.k, packed.data(), m, p.n, p.k);
      if (const double error = worst_error(c, a, w, m, p.n, p.k); !(error < 1e-6)) {
        std::fprintf(stderr, "gemm_bench: %s is wrong by %g\n", p.name, error);
        return 1;
      }
      std::vector<double> speed;
      double peak = 0;  // the best seen between the runs
      const double flop = 2.0 * static_cast<double>(m) * static_cast<double>(p.n) * static_cast<double>(p.k);
      for (int r = 0; r < runs; ++r) {
        const auto start = std::chrono::steady_clock::now();
        kernels::gemm<Arch>(c.data(), p.n, a.data(), p.k, packed.data(), m, p.n, p.k, {.gelu = p.gelu});
        speed.push_back(flop / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() * 1e-9);
        if (r % 5 == 0) peak = std::max(peak, mv::testing::peak_gflops(1));
      }
      const double s = median(speed);
      std::printf("%-12s%6td%6td%6td%12.1f%12.1f%8.2f\n", p.name, m, p.n, p.k, s, peak, s / peak);
    }
  return 0;
#endif
}
