// SPDX-License-Identifier: MIT
// Row and element-wise kernels on the sizes of DeiT-S (197 tokens, width 384), one thread. Bytes are those a kernel must
// read and write at least once; the working set of one image fits in L2. Usage: kernels_bench --benchmark_filter=softmax
#include <minivit/core/buffer.hpp>
#include <minivit/core/random.hpp>
#include <minivit/kernels/adamw.hpp>
#include <minivit/kernels/pointwise.hpp>
#include <minivit/kernels/rows.hpp>

#include <benchmark/benchmark.h>

namespace {

namespace kernels = minivit::kernels;
using minivit::Buffer;
using minivit::Index;
using Arch = minivit::simd::best;

Buffer<float> random_buffer(Index size, std::uint64_t seed = 1) {
  Buffer<float> out(size);
  const minivit::Random random(seed);
  for (Index i = 0; i < size; ++i) out.data()[i] = static_cast<float>(4 * random.uniform(static_cast<std::uint64_t>(i)) - 2);
  return out;
}

/// Runs `kernel` repeatedly and reports bytes per second, `arrays` times `size` floats per call.
template <class F>
void measure(benchmark::State& state, Index size, Index arrays, F&& kernel) {
  for (auto _ : state) {
    kernel();
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * size * arrays * static_cast<Index>(sizeof(float)));
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * size);
}

constexpr Index tokens = 197;

void layer_norm(benchmark::State& state) {
  const Index dim = state.range(0), size = tokens * dim;
  auto x = random_buffer(size), y = random_buffer(size), w = random_buffer(dim), b = random_buffer(dim),
       stats = random_buffer(2 * tokens);
  measure(state, size, 2, [&] {
    kernels::layer_norm<Arch>(y.data(), dim, stats.data(), stats.data() + tokens, x.data(), dim, w.data(), b.data(), tokens,
                              dim, 1e-6f);
  });
}

void layer_norm_backward(benchmark::State& state) {
  const Index dim = state.range(0), size = tokens * dim;
  auto x = random_buffer(size), dy = random_buffer(size), dx = random_buffer(size), w = random_buffer(dim),
       dw = random_buffer(2 * dim);
  Buffer<float> mean(tokens), rstd(tokens);
  for (float& r : rstd) r = 1;
  measure(state, size, 3, [&] {
    kernels::layer_norm_backward<Arch>(dx.data(), dw.data(), dw.data() + dim, dy.data(), x.data(), mean.data(), rstd.data(),
                                       w.data(), tokens, dim, false);
  });
}

void softmax(benchmark::State& state) {
  const Index n = state.range(0), ld = minivit::round_up(n, 16), size = tokens * ld;
  auto x = random_buffer(size), y = random_buffer(size);
  measure(state, tokens * n, 2, [&] { kernels::softmax<Arch>(y.data(), ld, x.data(), ld, tokens, n); });
}

void softmax_backward(benchmark::State& state) {
  const Index n = state.range(0), ld = minivit::round_up(n, 16), size = tokens * ld;
  auto dx = random_buffer(size), dy = random_buffer(size), y = random_buffer(size);
  measure(state, tokens * n, 3,
          [&] { kernels::softmax_backward<Arch>(dx.data(), ld, dy.data(), ld, y.data(), ld, tokens, n); });
}

void column_sum(benchmark::State& state) {
  const Index dim = state.range(0), size = tokens * dim;
  auto x = random_buffer(size), sum = random_buffer(dim);
  measure(state, size, 1, [&] { kernels::column_sum<Arch>(sum.data(), x.data(), dim, tokens, dim); });
}

void gelu(benchmark::State& state) {
  const Index size = state.range(0);
  auto x = random_buffer(size), y = random_buffer(size);
  measure(state, size, 2, [&] { kernels::gelu<Arch>(y.data(), x.data(), size); });
}

void gelu_backward(benchmark::State& state) {
  const Index size = state.range(0);
  auto x = random_buffer(size), dy = random_buffer(size), dx = random_buffer(size);
  measure(state, size, 3, [&] { kernels::gelu_backward<Arch>(dx.data(), dy.data(), x.data(), size); });
}

void sum_squares(benchmark::State& state) {
  const Index size = state.range(0);
  const auto x = random_buffer(size);
  measure(state, size, 1, [&] { benchmark::DoNotOptimize(kernels::sum_squares<Arch>(x.data(), size)); });
}

void first_non_finite(benchmark::State& state) {
  const Index size = state.range(0);
  const auto x = random_buffer(size);
  measure(state, size, 1, [&] { benchmark::DoNotOptimize(kernels::first_non_finite<Arch>(x.data(), size)); });
}

void adamw(benchmark::State& state) {
  const Index size = state.range(0);
  auto p = random_buffer(size), g = random_buffer(size, 2);
  Buffer<float> m(size), v(size);
  const kernels::AdamWStep step{1e-3, 0.9, 0.999, 1e-8, 0.05, 0.1, 0.001};
  measure(state, size, 7, [&] { kernels::adamw<Arch>(p.data(), m.data(), v.data(), g.data(), size, step, 1.0f); });
}

BENCHMARK(layer_norm)->Arg(192)->Arg(384)->Arg(768);
BENCHMARK(layer_norm_backward)->Arg(192)->Arg(384)->Arg(768);
BENCHMARK(softmax)->Arg(64)->Arg(197)->Arg(577);
BENCHMARK(softmax_backward)->Arg(197);
BENCHMARK(column_sum)->Arg(384)->Arg(1536);
BENCHMARK(gelu)->Arg(16384)->Arg(tokens * 1536);
BENCHMARK(gelu_backward)->Arg(16384);
BENCHMARK(sum_squares)->Arg(16384)->Arg(4 << 20);
BENCHMARK(first_non_finite)->Arg(16384)->Arg(4 << 20);
BENCHMARK(adamw)->Arg(16384)->Arg(4 << 20);

}  // namespace

BENCHMARK_MAIN();
