// SPDX-License-Identifier: MIT
// Matrix products of DeiT-S in float32, bf16 and int8 on one thread, against the machine's peak and, where it is installed,
// against oneDNN with packed weights, all measured in turns. Prints a Markdown table; every product is checked before it is
// timed.
#include <minivit/kernels/dot/gemm.hpp>
#include <minivit/kernels/dot/quantise.hpp>
#include <minivit/kernels/gemm.hpp>
#include <minivit/testing/peak.hpp>

#include "onednn_peer.hpp"
#include "timing.hpp"

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace mv = minivit;
namespace kernels = mv::kernels;
using mv::bf16;
using mv::Index;
using mv::int8;
using Arch = mv::simd::best;

namespace {

struct Product {
  const char* name;
  Index n, k;
  bool gelu;
};

/// y = act(x W^T + b) in our kernels; W names what is multiplied. x [m, k], w [n, k].
template <class W>
struct Ours {
  Index m, n, k;
  bool gelu;
  mv::Buffer<float> x, bias, y;
  mv::Buffer<W> packed;
  mv::Buffer<W> left;              // bf16 rows
  mv::Buffer<std::uint8_t> codes;  // 8-bit rows
  mv::Buffer<float> scale, sum;    // of channels
  std::vector<kernels::RowScale> rows;
  mv::Buffer<bf16> narrow;  // what a bf16 product writes for the next one

  Ours(Index m_, const Product& p, const mv::Buffer<float>& input, const mv::Buffer<float>& w, const mv::Buffer<float>& b)
      : m(m_), n(p.n), k(p.k), gelu(p.gelu), x(m * k), bias(n), y(m * n) {
    std::copy_n(input.data(), m * k, x.data());
    std::copy_n(b.data(), n, bias.data());
    if constexpr (std::is_same_v<W, float>) {
      packed = mv::Buffer<W>(kernels::packed_size<Arch, float>(k, n));
      kernels::pack<Arch, float>(packed.data(), w.data(), k, kernels::Order::transposed, k, n);
    } else {
      packed = mv::Buffer<W>(kernels::dot_packed_size<W>(k, n));
      if constexpr (std::is_same_v<W, bf16>) {
        kernels::dot_pack(packed.data(), w.data(), k, kernels::Order::transposed, k, n);
        left = mv::Buffer<W>(m * k);
        for (Index i = 0; i < m * k; ++i) left.data()[i] = bf16(x.data()[i]);
        narrow = mv::Buffer<bf16>(m * n);
      } else {
        scale = mv::Buffer<float>(kernels::dot_columns(n));
        sum = mv::Buffer<float>(kernels::dot_columns(n));
        kernels::dot_pack_quantised(packed.data(), scale.data(), sum.data(), w.data(), k, n);
        codes = mv::Buffer<std::uint8_t>(m * k);
        rows.resize(static_cast<std::size_t>(m));
        for (Index r = 0; r < m; ++r)
          rows[static_cast<std::size_t>(r)] = kernels::quantise_row<Arch>(codes.data() + r * k, x.data() + r * k, k, k);
      }
    }
  }
  void run() {
    if constexpr (std::is_same_v<W, float>)
      kernels::gemm<Arch>(y.data(), n, x.data(), k, packed.data(), m, n, k,
                          kernels::Epilogue<float>{.bias = bias.data(), .gelu = gelu});
    else if constexpr (std::is_same_v<W, bf16>)
      kernels::dot_gemm<Arch>(narrow.data(), n, left.data(), k, packed.data(), m, n, k, {.bias = bias.data(), .gelu = gelu});
    else
      kernels::dot_gemm<Arch>(
          y.data(), n, codes.data(), k, packed.data(), m, n, k,
          {.bias = bias.data(), .gelu = gelu, .rows = rows.data(), .column_scale = scale.data(), .column_sum = sum.data()});
  }
  double result(Index i) const {
    return static_cast<double>(std::is_same_v<W, bf16> ? static_cast<float>(narrow.data()[i]) : y.data()[i]);
  }
};

/// Root of the mean square error of a sample, relative to that of the results.
template <class W>
double error_of(const Ours<W>& ours, const mv::Buffer<float>& w) {
  double wrong = 0, size = 0;
  for (Index i = 0; i < ours.m; i += 13)
    for (Index j = 0; j < ours.n; j += 7) {
      double sum = static_cast<double>(ours.bias.data()[j]);
      for (Index p = 0; p < ours.k; ++p)
        sum += static_cast<double>(ours.x.data()[i * ours.k + p]) * static_cast<double>(w.data()[j * ours.k + p]);
      if (ours.gelu) sum = 0.5 * sum * (1 + std::erf(sum * 0.70710678118654752));
      wrong += std::pow(ours.result(i * ours.n + j) - sum, 2);
      size += sum * sum;
    }
  return std::sqrt(wrong / size);
}

/// One line of the table; false when the result is wrong.
template <class W>
bool measure(const char* precision, double limit, Index m, const Product& p) {
  constexpr int runs = 25;
  mv::Buffer<float> x(m * p.k), w(p.n * p.k), b(p.n);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>((i * 7919) % 1009 - 504) / 504;
  for (Index i = 0; i < w.size(); ++i) w.data()[i] = static_cast<float>((i * 6133) % 911 - 455) / 4550;
  for (Index i = 0; i < p.n; ++i) b.data()[i] = static_cast<float>(i % 5) / 10;
  Ours<W> ours(m, p, x, w, b);
  ours.run();
  if (const double error = error_of(ours, w); !(error < limit)) {
    std::fprintf(stderr, "gemm_bench: %s %s is wrong by %g\n", precision, p.name, error);
    return false;
  }
  OneDnn<W> peer(m, p.n, p.k, p.gelu);
  std::vector<double> speed, ratio;
  double peak = 0;  // the best seen between the runs
  const double flop = 2e-9 * static_cast<double>(m * p.n) * static_cast<double>(p.k);
  for (int r = 0; r < runs; ++r) {
    const double our_seconds = seconds([&] { ours.run(); });
    speed.push_back(flop / our_seconds);
    if (OneDnn<W>::present) ratio.push_back(seconds([&] { peer.run(); }) / our_seconds);
    if (r % 5 == 0) peak = std::max(peak, mv::testing::peak_gflops<W>(1));
  }
  const double s = median(speed);
  std::printf("| %s | %s | %td | %td | %td | %.1f | %.1f | %.2f | ", precision, p.name, m, p.n, p.k, s, peak, s / peak);
  if (ratio.empty()) std::printf("n/a |\n");
  else std::printf("%.2f |\n", median(ratio));
  return true;
}

}  // namespace

int main() {
  if (!is_optimised_build("gemm_bench")) return 1;
  if (const char* const omp = std::getenv("OMP_NUM_THREADS"); OneDnn<float>::present && (!omp || std::string(omp) != "1")) {
    std::fprintf(stderr, "gemm_bench: oneDNN would use several threads; run OMP_NUM_THREADS=1 gemm_bench\n");
    return 1;
  }
  const Product products[] = {{"qkv", 1152, 384, false},
                              {"proj", 384, 384, false},
                              {"fc1", 1536, 384, false},
                              {"fc1 + GELU", 1536, 384, true},
                              {"fc2", 384, 1536, false}};
  std::printf("One thread, %s%s, median of 25 runs; oneDNN's time over ours: %s.\n\n", mv::instruction_set(),
              kernels::amx::available<bf16>() ? " + amx" : "", onednn_version());
  std::printf(
      "| precision | product | M | N | K | GFLOP/s | peak | share | times faster than oneDNN "
      "|\n|---|---|---:|---:|---:|---:|---:|---:|---:|\n");
  for (const Index m : {Index{197}, Index{1576}})
    for (const Product& p : products)
      if (!measure<float>("f32", 1e-6, m, p) || !measure<bf16>("bf16", 0.005, m, p) || !measure<int8>("int8", 0.02, m, p))
        return 1;
  return 0;
}
