// SPDX-License-Identifier: MIT
// The 7 x 7 depth-wise convolution of Mini-Swin on one image and one thread, forward and backward, on the maps of
// Mini-Swin-T (first four) and of the 384 x 384 base model (last four). GFLOP/s count multiply-adds with tokens of the map,
// not with the zeros around it; "of_peak" is their share of the peak measured just before. Bytes are those of the maps, each
// read or written once. Usage: depthwise_bench --benchmark_filter=backward
#include <minivit/core/random.hpp>
#include <minivit/kernels/depthwise_backward.hpp>
#include <minivit/testing/peak.hpp>

#include <benchmark/benchmark.h>

namespace {

namespace kernels = minivit::kernels;
using minivit::Buffer;
using minivit::Index;
using Arch = minivit::simd::best;

/// A map of side x side tokens, the taps, and memory to work in.
struct Map {
  kernels::DepthwiseShape shape;
  Buffer<float> x, y, dy, weight, bias, packed, sums, scratch;

  explicit Map(const benchmark::State& state)
      : shape{state.range(0), state.range(1), 7},
        x(shape.side * shape.side * shape.dim),
        y(x.size()),
        dy(x.size()),
        weight(shape.dim * shape.taps()),
        bias(shape.dim),
        packed(kernels::depthwise_packed_size<Arch, float>(shape)),
        sums(packed.size()),
        scratch(std::max(kernels::depthwise_scratch<Arch, float>(shape),
                         kernels::depthwise_gradient_scratch<Arch, float>(shape))) {
    const minivit::Random random(1);
    for (Buffer<float>* const b : {&x, &dy, &weight, &bias})
      for (Index i = 0; i < b->size(); ++i)
        b->data()[i] = static_cast<float>(2 * random.uniform(static_cast<std::uint64_t>(i)) - 1);
    kernels::depthwise_pack<Arch>(packed.data(), weight.data(), bias.data(), shape);
  }
  void convolve(float* to, const float* from) {
    kernels::depthwise<Arch>(to, shape.dim, from, shape.dim, packed.data(), shape, 0, shape.side, scratch.data());
  }
};

/// `passes` times the multiply-adds of a forward, over `arrays` maps.
template <class F>
void measure(benchmark::State& state, const Map& map, int passes, Index arrays, F&& kernel) {
  const double peak = minivit::testing::peak_gflops(1);
  for (auto _ : state) {
    kernel();
    benchmark::ClobberMemory();
  }
  const double gflop = 2e-9 * passes * static_cast<double>(map.shape.macs());
  state.counters["GFLOP/s"] = benchmark::Counter(gflop, benchmark::Counter::kIsIterationInvariantRate);
  state.counters["of_peak"] = benchmark::Counter(gflop / peak, benchmark::Counter::kIsIterationInvariantRate);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * arrays * map.x.size() *
                          static_cast<Index>(sizeof(float)));
}

void forward(benchmark::State& state) {
  Map map(state);
  measure(state, map, 1, 2, [&] { map.convolve(map.y.data(), map.x.data()); });
}

/// Gradients of taps and bias alone.
void gradient(benchmark::State& state) {
  Map map(state);
  measure(state, map, 1, 2, [&] {
    kernels::depthwise_gradient<Arch>(map.sums.data(), map.dy.data(), map.shape.dim, map.x.data(), map.shape.dim, map.shape,
                                      0, kernels::depthwise_blocks<Arch, float>(map.shape), map.scratch.data());
  });
}

/// All gradients: that of x is the forward with other taps.
void backward(benchmark::State& state) {
  Map map(state);
  measure(state, map, 2, 3, [&] {
    map.convolve(map.y.data(), map.dy.data());
    kernels::depthwise_gradient<Arch>(map.sums.data(), map.dy.data(), map.shape.dim, map.x.data(), map.shape.dim, map.shape,
                                      0, kernels::depthwise_blocks<Arch, float>(map.shape), map.scratch.data());
  });
}

/// Laying the taps out for the kernel, once per call with any number of images.
void pack(benchmark::State& state) {
  Map map(state);
  for (auto _ : state) {
    kernels::depthwise_pack<Arch>(map.packed.data(), map.weight.data(), map.bias.data(), map.shape);
    benchmark::ClobberMemory();
  }
}

void maps(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"side", "dim"})->UseRealTime();  // as the peak is measured
  for (const auto& [side, dim] :
       {std::pair{56, 96}, {28, 192}, {14, 384}, {7, 768}, {96, 128}, {48, 256}, {24, 512}, {12, 1024}})
    bench->Args({side, dim});
}

BENCHMARK(forward)->Apply(maps);
BENCHMARK(gradient)->Apply(maps);
BENCHMARK(backward)->Apply(maps);
BENCHMARK(pack)->Apply(maps);

}  // namespace

BENCHMARK_MAIN();
