// SPDX-License-Identifier: MIT
// Attention of one image on one thread, forward and backward, in float32 and bf16, plain and with MiniViT's transformations, on the
// sizes of DeiT-Ti, DeiT-S and DeiT-B (197 tokens, heads of width 64); and the steps that only narrow numbers need. GFLOP/s count
// the products with q, k, v and the table, and head mixing. Usage: attention_bench --benchmark_filter=bf16
#include <minivit/core/random.hpp>
#include <minivit/kernels/attention_backward.hpp>
#include <minivit/kernels/dot/attention_backward.hpp>
#include <minivit/kernels/dot/quantise.hpp>

#include <benchmark/benchmark.h>

namespace {

namespace kernels = minivit::kernels;
using minivit::bf16;
using minivit::Buffer;
using minivit::Index;
using Arch = minivit::simd::best;

constexpr kernels::RelativeOffsets<14> offsets{};

/// One image with `heads` heads; `full`: head mixing and relative position.
struct Image {
  kernels::AttentionShape shape;
  Buffer<float> qkv, out, dqkv, mixing, table, gradients;
  Buffer<bf16> narrow;
  kernels::AttentionWeights<float> weights;

  Image(Index heads, bool full)
      : shape{.tokens = 197, .heads = heads, .head_dim = 64, .side = 14, .extra_tokens = 1, .mix = full, .relative = full},
        qkv(197 * ldq()), out(197 * shape.dim()), dqkv(qkv.size()), mixing(heads * heads), table(64 * shape.columns()),
        gradients(std::max(mixing.size(), table.size())), narrow(qkv.size()) {
    const minivit::Random random(1);
    for (Buffer<float>* const buffer : {&qkv, &out, &mixing, &table})
      for (Index i = 0; i < buffer->size(); ++i) buffer->data()[i] = static_cast<float>(random.uniform(static_cast<std::uint64_t>(i)) - 0.5);
    for (Index i = 0; i < qkv.size(); ++i) narrow.data()[i] = bf16(qkv.data()[i]);
    if (full) weights = {mixing.data(), mixing.data(), table.data(), offsets.center()};
  }
  Index ldq() const { return 3 * shape.dim(); }
  double flop() const {
    const auto n = static_cast<double>(shape.tokens), dim = static_cast<double>(shape.dim()), heads = static_cast<double>(shape.heads);
    return 2 * (2 * n * n * dim + (shape.mix ? 2 * heads * heads * n * n + n * dim * static_cast<double>(shape.columns()) : 0));
  }
};

template <class F>
void measure(benchmark::State& state, double flop, F&& kernel) {
  for (auto _ : state) {
    kernel();
    benchmark::ClobberMemory();
  }
  state.counters["GFLOP/s"] = benchmark::Counter(flop * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

void forward_f32(benchmark::State& state) {
  Image image(state.range(0), state.range(1) != 0);
  Buffer<float> scratch(kernels::attention_scratch<Arch, float>(image.shape));
  measure(state, image.flop(), [&] {
    kernels::attention<Arch>(image.out.data(), image.shape.dim(), image.qkv.data(), image.ldq(), image.shape, image.weights, scratch.data());
  });
}

void forward_bf16(benchmark::State& state) {
  Image image(state.range(0), state.range(1) != 0);
  kernels::detail::Cutter<float> count(nullptr);
  (void)kernels::DotAttention<Arch>(count, image.shape);
  Buffer<float> scratch(count.used());
  kernels::detail::Cutter<float> cut(scratch.data());
  const kernels::DotAttention<Arch> attention(cut, image.shape);
  measure(state, image.flop(), [&] {
    attention.prepare(image.narrow.data(), image.ldq(), image.weights, 0, image.shape.heads);
    for (Index first = 0; first < image.shape.tokens; first += attention.block_rows)
      attention.rows(image.out.data() + first * image.shape.dim(), image.shape.dim(), image.narrow.data(), image.ldq(), first,
                     std::min(attention.block_rows, image.shape.tokens - first), image.weights);
  });
}

void backward_f32(benchmark::State& state) {
  Image image(state.range(0), state.range(1) != 0);
  Buffer<float> scratch(kernels::attention_backward_scratch<Arch, float>(image.shape));
  float* const g = image.gradients.data();
  measure(state, 2 * image.flop(), [&] {
    kernels::attention_backward<Arch>(image.dqkv.data(), {g, g, g}, image.out.data(), image.shape.dim(), image.qkv.data(), image.ldq(),
                                      image.shape, image.weights, scratch.data());
  });
}

void backward_bf16(benchmark::State& state) {
  Image image(state.range(0), state.range(1) != 0);
  kernels::detail::Cutter<float> count(nullptr);
  (void)kernels::DotAttentionBackward<Arch>(count, image.shape);
  Buffer<float> scratch(count.used());
  kernels::detail::Cutter<float> cut(scratch.data());
  const kernels::DotAttentionBackward<Arch> attention(cut, image.shape);
  float* const g = image.gradients.data();
  measure(state, 2 * image.flop(), [&] {
    attention.run(image.dqkv.data(), {g, g, g}, image.out.data(), image.shape.dim(), image.narrow.data(), image.ldq(), image.weights);
  });
}

/// Rows of one image to 8 bits, each with its own scale (0) or all with a given one (1).
void quantise(benchmark::State& state) {
  const Index dim = state.range(0), rows = 197;
  Buffer<float> x(rows * dim);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(minivit::Random(1).uniform(static_cast<std::uint64_t>(i)));
  Buffer<std::uint8_t> codes(rows * dim);
  const bool given = state.range(1) != 0;
  measure(state, 0, [&] {
    for (Index r = 0; r < rows; ++r) {
      if (given) kernels::quantise_row<Arch>(codes.data() + r * dim, x.data() + r * dim, dim, dim, {0.01f, 3.f});
      else benchmark::DoNotOptimize(kernels::quantise_row<Arch>(codes.data() + r * dim, x.data() + r * dim, dim, dim));
    }
  });
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * rows * dim);
}

void sizes(benchmark::internal::Benchmark* b) {
  for (const int full : {0, 1})
    for (const int heads : {3, 6, 12}) b->Args({heads, full});
  b->ArgNames({"heads", "full"});
}

BENCHMARK(forward_f32)->Apply(sizes);
BENCHMARK(forward_bf16)->Apply(sizes);
BENCHMARK(backward_f32)->Apply(sizes);
BENCHMARK(backward_bf16)->Apply(sizes);
BENCHMARK(quantise)->ArgsProduct({{192, 768, 1536}, {0, 1}})->ArgNames({"width", "given"});

}  // namespace

BENCHMARK_MAIN();
