// SPDX-License-Identifier: MIT
// Attention on one thread, forward and backward, in float32 and bf16, plain and with MiniViT's transformations: of one image
// on the sizes of DeiT-Ti, DeiT-S and DeiT-B (197 tokens, heads of width 64), of a 32 x 32 picture in patches of 4 (65
// tokens, heads of width 32) and of one 7 x 7 window (49 tokens, the same width); then all windows of one image on the four
// stages of Swin-T, as a layer calls it; and the steps that only narrow numbers need. GFLOP/s count the products with q, k,
// v and the table, and head mixing. Usage: attention_bench --benchmark_filter=bf16
#include <minivit/core/random.hpp>
#include <minivit/kernels/dot/quantise.hpp>
#include <minivit/ops/attention_dot.hpp>

#include <benchmark/benchmark.h>

namespace {

namespace kernels = minivit::kernels;
namespace ops = minivit::ops;
using minivit::bf16;
using minivit::Buffer;
using minivit::Dyn;
using minivit::Index;
using minivit::View;
using Arch = minivit::simd::best;

template <int Side>
constexpr kernels::RelativeOffsets<Side> relative_offsets{};

const std::int8_t* offsets_of(Index side) {
  return side == 14  ? relative_offsets<14>.center()
         : side == 8 ? relative_offsets<8>.center()
                     : relative_offsets<7>.center();
}

double multiplications(const kernels::AttentionShape& s) {
  const auto n = static_cast<double>(s.tokens), dim = static_cast<double>(s.dim()), heads = static_cast<double>(s.heads);
  return 2 * n * n * dim + (s.mix ? 2 * heads * heads * n * n : 0) +
         (s.relative ? n * dim * static_cast<double>(s.columns()) : 0);
}

void fill(Buffer<float>& buffer) {
  for (Index i = 0; i < buffer.size(); ++i)
    buffer.data()[i] = static_cast<float>(minivit::Random(1).uniform(static_cast<std::uint64_t>(i)) - 0.5);
}

/// One image with `heads` heads; `full`: head mixing and relative position.
struct Image {
  kernels::AttentionShape shape;
  Buffer<float> qkv, out, dqkv, mixing, table, gradients;
  Buffer<bf16> narrow;
  kernels::AttentionWeights<float> weights;

  Image(Index tokens, Index heads, bool full)
      : shape{.tokens = tokens,
              .heads = heads,
              .head_dim = tokens == 197 ? 64 : 32,
              .side = tokens == 197  ? 14
                      : tokens == 65 ? 8
                                     : 7,
              .extra_tokens = tokens == 49 ? 0 : 1,
              .mix = full,
              .relative = full},
        qkv(tokens * ldq()),
        out(tokens * shape.dim()),
        dqkv(qkv.size()),
        mixing(heads * heads),
        table(shape.head_dim * shape.columns()),
        gradients(std::max(mixing.size(), table.size())),
        narrow(qkv.size()) {
    for (Buffer<float>* const buffer : {&qkv, &out, &mixing, &table}) fill(*buffer);
    for (Index i = 0; i < qkv.size(); ++i) narrow.data()[i] = bf16(qkv.data()[i]);
    if (full)
      weights = {
          .mix_before = mixing.data(), .mix_after = mixing.data(), .table = table.data(), .offsets = offsets_of(shape.side)};
  }
  Index ldq() const { return 3 * shape.dim(); }
  double flop() const { return 2 * multiplications(shape); }
  kernels::AttentionGradients<float> to() {
    return {.mix_before = gradients.data(), .mix_after = gradients.data(), .table = gradients.data()};
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
  Image image(state.range(0), state.range(1), state.range(2) != 0);
  Buffer<float> scratch(kernels::attention_scratch<Arch, float>(image.shape));
  measure(state, image.flop(), [&] {
    kernels::attention<Arch>(image.out.data(), image.shape.dim(), image.qkv.data(), image.ldq(), image.shape, image.weights,
                             scratch.data());
  });
}

void forward_bf16(benchmark::State& state) {
  Image image(state.range(0), state.range(1), state.range(2) != 0);
  kernels::detail::Cutter<float> count(nullptr);
  (void)kernels::DotAttention<Arch>(count, image.shape);
  Buffer<float> scratch(count.used());
  kernels::detail::Cutter<float> cut(scratch.data());
  const kernels::DotAttention<Arch> attention(cut, image.shape);
  measure(state, image.flop(), [&] {
    attention.prepare(image.narrow.data(), image.ldq(), image.weights, 0, image.shape.heads);
    kernels::each_block(0, image.shape.tokens, attention.block_rows, [&](Index first, Index rows) {
      attention.rows(image.out.data() + first * image.shape.dim(), image.shape.dim(), image.narrow.data(), image.ldq(),
                     first, rows, image.weights);
    });
  });
}

void backward_f32(benchmark::State& state) {
  Image image(state.range(0), state.range(1), state.range(2) != 0);
  Buffer<float> scratch(kernels::attention_backward_scratch<Arch, float>(image.shape));
  measure(state, 2 * image.flop(), [&] {
    kernels::attention_backward<Arch>(image.dqkv.data(), image.to(), image.out.data(), image.shape.dim(), image.qkv.data(),
                                      image.ldq(), image.shape, image.weights, scratch.data());
  });
}

void backward_bf16(benchmark::State& state) {
  Image image(state.range(0), state.range(1), state.range(2) != 0);
  kernels::detail::Cutter<float> count(nullptr);
  (void)kernels::DotAttentionBackward<Arch>(count, image.shape);
  Buffer<float> scratch(count.used());
  kernels::detail::Cutter<float> cut(scratch.data());
  const kernels::DotAttentionBackward<Arch> attention(cut, image.shape);
  measure(state, 2 * image.flop(), [&] {
    attention.run(image.dqkv.data(), image.to(), image.out.data(), image.shape.dim(), image.narrow.data(), image.ldq(),
                  image.weights);
  });
}

/// What a layer of a stage of Swin-T asks of attention for one image: `Side` x `Side` tokens in 7 x 7 windows, heads of
/// width 32. Kind 0: not shifted; 1: shifted and masked; 2: Mini-Swin's, with head mixing.
template <class X, int Side, int Heads, bool Backward>
void stage(benchmark::State& state) {
  constexpr int N = 49, D = 32 * Heads;
  constexpr Index rows = Side * Side, windows = rows / N;
  const bool mini = state.range(0) == 2;
  const Index shift = state.range(0) > 0 && Side > 7 ? 3 : 0;
  const kernels::AttentionShape shape{.tokens = N, .heads = Heads, .head_dim = 32, .side = 7, .mix = mini, .bias = true};
  const ops::Windowing windowing{{Side, 7, shift}, shift};
  Buffer<float> qkv(rows * 3 * D), out(rows * D), dqkv(qkv.size()), table(169 * Heads), mixing(Heads * Heads), bias(Heads),
      gradients(std::max(table.size(), mixing.size()));
  for (Buffer<float>* const buffer : {&qkv, &out, &table, &mixing, &bias}) fill(*buffer);
  Buffer<X> input(qkv.size());
  for (Index i = 0; i < qkv.size(); ++i) input.data()[i] = X(qkv.data()[i]);
  Buffer<bf16> words(rows * D);
  kernels::AttentionWeights<float> w{.bias_table = table.data()};
  if (mini) w.mix_before = mixing.data(), w.mix_after = mixing.data(), w.mix_after_bias = bias.data();
  float* const g = gradients.data();
  const auto call = [&](minivit::Arena<float>& arena) {
    const View<const X, Dyn, N, 3 * D> in(input.data(), windows);
    const View<float, Dyn, D> plain(out.data(), rows);
    if constexpr (Backward)
      ops::attention_backward<Arch>(
          View<const float, Dyn, D>(plain), in, View<float, Dyn, N, 3 * D>(dqkv.data(), windows), shape, w,
          kernels::AttentionGradients<float>{.mix_before = g, .mix_after = g, .mix_after_bias = g, .bias_table = g}, arena,
          windowing);
    else if constexpr (std::is_same_v<X, float>) ops::attention<Arch, D>(in, plain, shape, w, arena, windowing);
    else ops::attention<Arch, D>(in, minivit::Bf16Rows<D>{words.data(), rows}, shape, w, arena, windowing);
  };
  minivit::Arena<float> plan(minivit::Memory::rewind);
  call(plan);
  Buffer<float> memory(plan.peak());
  minivit::Arena<float> arena(memory.data(), memory.size(), minivit::Memory::rewind);
  measure(state, (Backward ? 4 : 2) * multiplications(shape) * static_cast<double>(windows), [&] { call(arena); });
}

/// Rows of one image to 8 bits, each with its own scale (0) or all with a given one (1).
void quantise(benchmark::State& state) {
  const Index dim = state.range(0), rows = 197;
  Buffer<float> x(rows * dim);
  for (Index i = 0; i < x.size(); ++i)
    x.data()[i] = static_cast<float>(minivit::Random(1).uniform(static_cast<std::uint64_t>(i)));
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
  for (const int full : {0, 1}) {
    for (const int heads : {3, 6, 12}) b->Args({197, heads, full});
    for (const int tokens : {65, 49})
      for (const int heads : {3, 12}) b->Args({tokens, heads, full});
  }
  b->ArgNames({"tokens", "heads", "full"});
}

void kinds(benchmark::internal::Benchmark* b) { b->DenseRange(0, 2)->ArgName("kind"); }

BENCHMARK(forward_f32)->Apply(sizes);
BENCHMARK(forward_bf16)->Apply(sizes);
BENCHMARK(backward_f32)->Apply(sizes);
BENCHMARK(backward_bf16)->Apply(sizes);
#define MINIVIT_BENCH_STAGES(X, Backward)              \
  BENCHMARK(stage<X, 56, 3, Backward>)->Apply(kinds);  \
  BENCHMARK(stage<X, 28, 6, Backward>)->Apply(kinds);  \
  BENCHMARK(stage<X, 14, 12, Backward>)->Apply(kinds); \
  BENCHMARK(stage<X, 7, 24, Backward>)->Apply(kinds)
MINIVIT_BENCH_STAGES(float, false);
MINIVIT_BENCH_STAGES(bf16, false);
MINIVIT_BENCH_STAGES(float, true);
MINIVIT_BENCH_STAGES(bf16, true);
BENCHMARK(quantise)->ArgsProduct({{192, 768, 1536}, {0, 1}})->ArgNames({"width", "given"});

}  // namespace

BENCHMARK_MAIN();
