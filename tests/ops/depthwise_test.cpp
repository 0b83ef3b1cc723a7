// SPDX-License-Identifier: MIT
// ops::depthwise: several images, class and distillation tokens in front of the map, threads, gradients against differences,
// and the compiler as a machine to run on.
#include <minivit/ops/depthwise.hpp>
#include <minivit/testing/gradient_check.hpp>

#include <array>

#include "../catch.hpp"

namespace depthwise_test {

namespace mv = minivit;
using mv::Dyn;
using mv::Index;
using mv::View;
using Arch = mv::simd::best;

namespace {

/// One layer with its input, output and gradients, on any number of threads.
template <class T, int Side, int D, int K, int Extra>
struct Layer {
  static constexpr int N = Extra + Side * Side;
  static constexpr Index batch = 3;
  mv::Buffer<T> x{batch * N * D}, y{batch * N * D}, dy{batch * N * D}, dx{batch * N * D};
  mv::Buffer<T> weight{D * K * K}, bias{D}, dweight{D * K * K}, dbias{D};
  mv::Buffer<T> memory;
  const mv::Threads* team;
  int workers;

  explicit Layer(const mv::Threads* threads = nullptr, int count = 1) : team(threads), workers(count) {
    const mv::Random random(1);
    int stream = 0;
    for (mv::Buffer<T>* const b : {&x, &dy, &weight, &bias, &dweight, &dbias}) {
      const mv::Random own = random.fork("buffer" + std::to_string(stream++));
      for (Index i = 0; i < b->size(); ++i)
        b->data()[i] = static_cast<T>(2 * own.uniform(static_cast<std::uint64_t>(i)) - 1);
    }
    mv::Arena<T> plan(mv::Memory::rewind);
    plan.share(nullptr, workers);
    run_forward(plan);
    run_backward(plan);
    memory = mv::Buffer<T>(plan.peak());
  }
  View<const T, Dyn, N, D> in(const mv::Buffer<T>& b) const { return {b.data(), batch}; }
  View<T, Dyn, N, D> out(mv::Buffer<T>& b) { return {b.data(), batch}; }
  void run_forward(mv::Arena<T>& arena) {
    mv::ops::depthwise<Arch, T, Side, D, K>(in(x), View<const T, D, 1, K, K>(weight.data()), View<const T, D>(bias.data()),
                                            out(y), Extra, arena);
  }
  void run_backward(mv::Arena<T>& arena) {
    mv::ops::depthwise_backward<Arch, T, Side, D, K>(in(dy), in(x), View<const T, D, 1, K, K>(weight.data()), out(dx),
                                                     View<T, D, 1, K, K>(dweight.data()), View<T, D>(dbias.data()), Extra,
                                                     arena);
  }
  mv::Arena<T> arena() {
    mv::Arena<T> a(memory.data(), memory.size(), mv::Memory::rewind);
    a.share(team, workers);
    return a;
  }
  void forward() {
    auto a = arena();
    run_forward(a);
  }
  void backward() {
    auto a = arena();
    run_backward(a);
  }
};

/// Two images of an extra token and 2 x 2 tokens of one channel, forward and backward; gives some of the results.
constexpr std::array<double, 7> tiny(double* memory, Index size) {
  const std::array<double, 10> x{5, 1, 2, 3, 4, 6, -1, -2, -3, -4};
  const std::array<double, 9> weight{1, 2, 3, 4, 5, 6, 7, 8, 9};
  const std::array<double, 1> bias{0.5};
  std::array<double, 10> y{}, dx{};
  std::array<double, 9> dweight{};
  std::array<double, 1> dbias{};
  mv::Arena<double> arena(memory, size, mv::Memory::rewind);
  const View<const double, Dyn, 5, 1> in(x.data(), 2);
  const View<const double, 1, 1, 3, 3> taps(weight.data());
  mv::ops::depthwise<Arch, double, 2, 1, 3>(in, taps, View<const double, 1>(bias.data()),
                                            View<double, Dyn, 5, 1>(y.data(), 2), 1, arena);
  mv::ops::depthwise_backward<Arch, double, 2, 1, 3>(
      View<const double, Dyn, 5, 1>(y.data(), 2), in, taps, View<double, Dyn, 5, 1>(dx.data(), 2),
      View<double, 1, 1, 3, 3>(dweight.data()), View<double, 1>(dbias.data()), 1, arena);
  return {y[0], y[1], y[9], dx[0], dx[1], dweight[4], dbias[0]};
}

template <class T>
bool same(const mv::Buffer<T>& a, const mv::Buffer<T>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

TEST_CASE("ops::depthwise: equals the definition on the map of each image; extra tokens pass through", "[ops]") {
  Layer<double, 5, 6, 3, 2> layer;
  layer.forward();
  layer.backward();
  auto expected_dweight = Layer<double, 5, 6, 3, 2>().dweight, expected_dbias = Layer<double, 5, 6, 3, 2>().dbias;
  constexpr Index image = (2 + 25) * 6, map = 25 * 6, skip = 2 * 6;
  mv::Buffer<double> y(map), dx(map);
  for (Index b = 0; b < layer.batch; ++b) {
    const double* const x = layer.x.data() + b * image;
    const double* const dy = layer.dy.data() + b * image;
    mv::kernels::reference::depthwise<double>(y.data(), 6, x + skip, 6, layer.weight.data(), layer.bias.data(), 5, 6, 3);
    mv::kernels::reference::depthwise_backward<double>(dx.data(), 6, expected_dweight.data(), expected_dbias.data(),
                                                       dy + skip, 6, x + skip, 6, layer.weight.data(), 5, 6, 3);
    for (Index i = 0; i < skip; ++i) {
      CHECK(layer.y.data()[b * image + i] == x[i]);
      CHECK(layer.dx.data()[b * image + i] == dy[i]);
    }
    // sums of at most 75 products of numbers below 1, in another order
    for (Index i = 0; i < map; ++i) {
      CHECK(std::abs(layer.y.data()[b * image + skip + i] - y.data()[i]) < 1e-14);
      CHECK(std::abs(layer.dx.data()[b * image + skip + i] - dx.data()[i]) < 1e-14);
    }
  }
  for (Index i = 0; i < layer.dweight.size(); ++i)
    CHECK(std::abs(layer.dweight.data()[i] - expected_dweight.data()[i]) < 1e-14);
  for (Index i = 0; i < layer.dbias.size(); ++i) CHECK(std::abs(layer.dbias.data()[i] - expected_dbias.data()[i]) < 1e-14);
}

TEST_CASE("ops::depthwise: backward is the gradient by finite differences", "[ops]") {
  const auto check = [](auto layer) {
    const auto value = [&] {
      layer.forward();
      double sum = 0;
      for (Index i = 0; i < layer.y.size(); ++i) sum += layer.y.data()[i] * layer.dy.data()[i];
      return sum;
    };
    layer.dweight = mv::Buffer<double>(layer.weight.size());
    layer.dbias = mv::Buffer<double>(layer.bias.size());
    layer.backward();
    const auto report = mv::testing::compare_gradients(
        {{"x", layer.x.data(), layer.dx.data(), layer.x.size()},
         {"weight", layer.weight.data(), layer.dweight.data(), layer.weight.size()},
         {"bias", layer.bias.data(), layer.dbias.data(), layer.bias.size()}},
        value, {.samples = 200});
    INFO(report.text());
    CHECK(report.checked > 200);
    // The loss is linear in each number, so only rounding is left: 1e-16 of a sum of hundreds, over a step of 1e-5.
    CHECK(report.worst < 1e-8);
  };
  check(Layer<double, 4, 11, 7, 1>());   // one tile; channels end in an overlapping block
  check(Layer<double, 9, 3, 7, 0>());    // fewer channels than a register holds
  check(Layer<double, 9, 8, 7, 2>());    // two overlapping tiles
  check(Layer<double, 6, 8, 3, 0>());    // a kernel without tiles of its own
  check(Layer<double, 5, 256, 7, 1>());  // tokens that are copied first
}

TEMPLATE_TEST_CASE("ops::depthwise: every number of threads gives the same bits", "[ops]", float, double) {
  const mv::Threads team(3);
  const auto check = [&](auto alone) {
    alone.forward();
    alone.backward();
    for (const int workers : {2, 3, 5}) {
      decltype(alone) shared(&team, workers);
      shared.forward();
      shared.backward();
      CHECK(same(shared.y, alone.y));
      CHECK(same(shared.dx, alone.dx));
      CHECK(same(shared.dweight, alone.dweight));
      CHECK(same(shared.dbias, alone.dbias));
    }
  };
  check(Layer<TestType, 14, 72, 7, 1>());  // 2 million multiply-adds: cut
  check(Layer<TestType, 7, 512, 7, 0>());  // through the ring
}

TEST_CASE("ops::depthwise: the compiler and the kernel agree", "[ops]") {
  constexpr auto compiled = [] {
    std::array<double, 4096> memory{};
    return tiny(memory.data(), 4096);
  }();
  // an extra token; 1 + bias + 5 * 1 + 6 * 2 + 8 * 3 + 9 * 4; -4 + bias - 1 * 1 - 2 * 2 - 4 * 3 - 5 * 4
  static_assert(compiled[0] == 5 && compiled[1] == 78.5 && compiled[2] == -40.5);
  mv::Buffer<double> memory(4096);
  CHECK(compiled == tiny(memory.data(), memory.size()));  // whole and half numbers: exact
}

}  // namespace depthwise_test
