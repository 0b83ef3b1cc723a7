// SPDX-License-Identifier: MIT
// ops::attention over windows: rows land where their tokens stand in a map that is really rolled, cut and put together
// again; position bias, masks and gradients are those of the definition; every number of threads gives the same bits in the
// memory planned for it.
#include "../catch.hpp"
#include "../naive_windows.hpp"

#include <minivit/core/random.hpp>
#include <minivit/ops/attention_dot.hpp>

#include <array>
#include <limits>
#include <vector>

namespace attention_test {

namespace mv = minivit;
namespace kernels = minivit::kernels;
using mv::bf16;
using mv::Dyn;
using mv::Index;
using mv::View;
using Arch = mv::simd::best;

namespace {

constexpr Index images = 2;

std::vector<double> uniform(std::uint64_t stream, Index n, double low, double high) {
  std::vector<double> out(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i)
    out[static_cast<std::size_t>(i)] = static_cast<double>(
        static_cast<float>(low + (high - low) * mv::Random(stream).uniform(static_cast<std::uint64_t>(i))));
  return out;
}

template <class T>
std::vector<T> as(const std::vector<double>& x) {
  std::vector<T> out;
  for (const double v : x) out.push_back(T(static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(v)));
  return out;
}

/// A layer on `images` maps of side x side tokens in windows of Window x Window, width D.
template <int Window, int D>
struct Case {
  static constexpr int N = Window * Window, D3 = 3 * D;
  naive::Windows windows;
  Index mask_shift;
  kernels::AttentionShape shape;
  std::vector<double> qkv, dout, table, before, after, after_bias;  // qkv in window order, dout in map order

  Case(Index side, Index shift, Index mask, Index heads, bool mix)
      : windows(side, Window, shift),
        mask_shift(mask),
        shape{.tokens = N, .heads = heads, .head_dim = D / heads, .side = Window, .mix = mix, .bias = true},
        qkv(uniform(1, images * side * side * D3, -1, 1)),
        dout(uniform(2, images * side * side * D, -1, 1)),
        table(uniform(3, (2 * Window - 1) * (2 * Window - 1) * heads, -1, 1)),
        before(uniform(4, heads * heads, -1, 1)),
        after(uniform(5, heads * heads, -1, 1)),
        after_bias(uniform(6, heads, -0.1, 0.1)) {
    for (double& x : qkv) x = static_cast<double>(static_cast<float>(bf16(static_cast<float>(x))));
  }
  Index batch() const { return images * windows.count(); }
  Index rows() const { return batch() * N; }
  mv::ops::Windowing windowing() const { return {{windows.side, windows.window, windows.shift}, mask_shift}; }
  std::string text() const {
    return "side " + std::to_string(windows.side) + " window " + std::to_string(Window) + " shift " +
           std::to_string(windows.shift) + " mask " + std::to_string(mask_shift) + " heads " + std::to_string(shape.heads) +
           (shape.mix ? " mixed" : "");
  }

  /// Result and gradients by definition: the map's rows through an order that was really made.
  struct Result {
    std::vector<double> out, dqkv, before, after, after_bias, table;
  };
  Result definition() const {
    Result r{std::vector<double>(dout.size()),  std::vector<double>(qkv.size()),        std::vector<double>(before.size()),
             std::vector<double>(after.size()), std::vector<double>(after_bias.size()), std::vector<double>(table.size())};
    const Index H = shape.heads, map = windows.side * windows.side;
    std::vector<double> bias(static_cast<std::size_t>(H * N * N)), mask(static_cast<std::size_t>(N * N)), dbias(bias.size()),
        scratch(static_cast<std::size_t>(6 * H * N)), out(static_cast<std::size_t>(N * D)), d(out.size());
    for (Index h = 0; h < H; ++h)
      for (Index i = 0; i < N; ++i)
        for (Index j = 0; j < N; ++j)
          bias[static_cast<std::size_t>((h * N + i) * N + j)] =
              table[static_cast<std::size_t>(windows.table_row(i, j) * H + h)];
    kernels::AttentionWeights<double> w;
    if (shape.mix) w.mix_before = before.data(), w.mix_after = after.data(), w.mix_after_bias = after_bias.data();
    for (Index b = 0; b < batch(); ++b) {
      const Index image = b / windows.count(), window = b % windows.count();
      for (Index i = 0; i < N; ++i)
        for (Index j = 0; j < N; ++j)
          mask[static_cast<std::size_t>(i * N + j)] = mask_shift > 0 && windows.apart(window, i, j, mask_shift) ? -100 : 0;
      const kernels::ScorePlanes<double> planes{
          .stride = N, .bias = bias.data(), .mask = mask.data(), .dbias = dbias.data()};
      const double* const in = qkv.data() + b * N * D3;
      kernels::reference::attention(out.data(), D, in, D3, shape, w, scratch.data(), planes);
      const auto place = [&](Index i) {
        return (image * map + windows.order[static_cast<std::size_t>(window * N + i)]) * D;
      };
      for (Index i = 0; i < N; ++i) {
        std::copy_n(out.data() + i * D, D, r.out.data() + place(i));
        std::copy_n(dout.data() + place(i), D, d.data() + i * D);
      }
      kernels::reference::attention_backward<double>(
          r.dqkv.data() + b * N * D3,
          {.mix_before = r.before.data(), .mix_after = r.after.data(), .mix_after_bias = r.after_bias.data()}, d.data(), D,
          in, D3, shape, w, scratch.data(), planes);
    }
    for (Index h = 0; h < H; ++h)
      for (Index i = 0; i < N; ++i)
        for (Index j = 0; j < N; ++j)
          r.table[static_cast<std::size_t>(windows.table_row(i, j) * H + h)] +=
              dbias[static_cast<std::size_t>((h * N + i) * N + j)];
    return r;
  }
};

/// The parameters of a case in T.
template <class T>
struct Parameters {
  std::vector<T> table, before, after, after_bias;
  kernels::AttentionWeights<T> w;
  template <class C>
  explicit Parameters(const C& c)
      : table(as<T>(c.table)), before(as<T>(c.before)), after(as<T>(c.after)), after_bias(as<T>(c.after_bias)) {
    w.bias_table = table.data();
    if (c.shape.mix) w.mix_before = before.data(), w.mix_after = after.data(), w.mix_after_bias = after_bias.data();
  }
};

/// Calls op(arena) twice: once to learn how much memory it needs, and once in just that much, which starts as NaN.
template <class T, class Op>
void run(int workers, Op&& op) {
  static const mv::Threads team(3);
  mv::Arena<T> plan(mv::Memory::rewind);
  plan.share(nullptr, workers);
  op(plan);
  mv::Buffer<T> memory(plan.peak());
  std::fill_n(memory.data(), memory.size(), std::numeric_limits<T>::quiet_NaN());
  mv::Arena<T> arena(memory.data(), memory.size(), mv::Memory::rewind);
  arena.share(&team, workers);
  op(arena);
  CHECK(arena.peak() == plan.peak());
}

template <class T>
double largest_difference(const std::vector<T>& found, const std::vector<double>& want) {
  double worst = 0;
  for (std::size_t i = 0; i < want.size(); ++i) {
    const double d = std::abs(static_cast<double>(found[i]) - want[i]);
    if (!(d <= worst)) worst = std::isnan(d) ? std::numeric_limits<double>::infinity() : d;
  }
  return worst;
}

/// Forward on `workers` threads, from X = T or bf16; words are widened again.
template <class T, int Window, int D>
std::vector<T> forward(const Case<Window, D>& c, int workers) {
  constexpr int N = Window * Window;
  const Parameters<T> p(c);
  const auto qkv = as<T>(c.qkv);
  std::vector<T> out(c.dout.size(), std::numeric_limits<T>::quiet_NaN());
  run<T>(workers, [&](mv::Arena<T>& arena) {
    mv::ops::attention<Arch, D>(View<const T, Dyn, N, 3 * D>(qkv.data(), c.batch()), View<T, Dyn, D>(out.data(), c.rows()),
                                c.shape, p.w, arena, c.windowing());
  });
  return out;
}
template <class X, int Window, int D>
std::vector<float> forward_words(const Case<Window, D>& c, int workers) {
  constexpr int N = Window * Window;
  const Parameters<float> p(c);
  const auto qkv = as<X>(c.qkv);
  std::vector<bf16> words(static_cast<std::size_t>(c.rows() * mv::Bf16Rows<D>::stride));
  run<float>(workers, [&](mv::Arena<float>& arena) {
    mv::ops::attention<Arch, D>(View<const X, Dyn, N, 3 * D>(qkv.data(), c.batch()), mv::Bf16Rows<D>{words.data(), c.rows()},
                                c.shape, p.w, arena, c.windowing());
  });
  std::vector<float> out;
  for (Index r = 0; r < c.rows(); ++r)
    for (Index i = 0; i < D; ++i)
      out.push_back(static_cast<float>(words[static_cast<std::size_t>(r * mv::Bf16Rows<D>::stride + i)]));
  return out;
}
template <int Window, int D>
std::vector<float> forward_codes(const Case<Window, D>& c, int workers) {
  constexpr int N = Window * Window;
  using Rows = mv::QuantisedRows<D>;
  const Parameters<float> p(c);
  const auto qkv = as<bf16>(c.qkv);
  std::vector<std::uint8_t> codes(static_cast<std::size_t>(c.rows() * Rows::stride));
  std::vector<kernels::RowScale> scales(static_cast<std::size_t>(c.rows()));
  run<float>(workers, [&](mv::Arena<float>& arena) {
    mv::ops::attention<Arch, D>(View<const bf16, Dyn, N, 3 * D>(qkv.data(), c.batch()),
                                Rows{codes.data(), scales.data(), c.rows()}, c.shape, p.w, arena, c.windowing());
  });
  std::vector<float> out;
  for (Index r = 0; r < c.rows(); ++r)
    for (Index i = 0; i < D; ++i) {
      const auto& s = scales[static_cast<std::size_t>(r)];
      out.push_back(s.scale * (static_cast<float>(codes[static_cast<std::size_t>(r * Rows::stride + i)]) - s.zero));
    }
  return out;
}

template <class T>
struct Gradients {
  std::vector<T> dqkv, table, before, after, after_bias;
  bool operator==(const Gradients&) const = default;
};

/// Backward from queries, keys and values in X. Gradients start at 1, because backward adds to them.
template <class X, class T, int Window, int D>
Gradients<T> backward(const Case<Window, D>& c, int workers) {
  constexpr int N = Window * Window;
  const Parameters<T> p(c);
  const auto qkv = as<X>(c.qkv);
  const auto dout = as<T>(c.dout);
  Gradients<T> g{std::vector<T>(qkv.size(), std::numeric_limits<T>::quiet_NaN()), std::vector<T>(p.table.size(), T{1}),
                 std::vector<T>(p.before.size(), T{1}), std::vector<T>(p.after.size(), T{1}),
                 std::vector<T>(p.after_bias.size(), T{1})};
  const kernels::AttentionGradients<T> to{.mix_before = g.before.data(),
                                          .mix_after = g.after.data(),
                                          .mix_after_bias = g.after_bias.data(),
                                          .bias_table = g.table.data()};
  run<T>(workers, [&](mv::Arena<T>& arena) {
    mv::ops::attention_backward<Arch>(View<const T, Dyn, D>(dout.data(), c.rows()),
                                      View<const X, Dyn, N, 3 * D>(qkv.data(), c.batch()),
                                      View<T, Dyn, N, 3 * D>(g.dqkv.data(), c.batch()), c.shape, p.w,
                                      arena.counting() ? kernels::AttentionGradients<T>{} : to, arena, c.windowing());
  });
  return g;
}

/// Calls f(case) for maps of one and of several windows, shifted or not, masked or not (also unshifted: MiniViT's shared
/// blocks), with and without head mixing.
template <class F>
void each_case(F&& f) {
  const auto maps = [&]<int Window>(std::integral_constant<int, Window>, std::initializer_list<Index> sides) {
    for (const Index side : sides)
      for (const Index heads : {1, 2, 3, 5})
        for (const bool mix : {false, true})
          for (const Index shift : {Index{0}, Index{Window / 2}})
            for (const Index mask : {Index{0}, Index{Window / 2}})
              if (side > Window || (shift == 0 && mask == 0)) f(Case<Window, 60>(side, shift, mask, heads, mix));
  };
  maps(std::integral_constant<int, 1>{}, {3});
  maps(std::integral_constant<int, 2>{}, {2, 6});
  maps(std::integral_constant<int, 4>{}, {4, 8});
  maps(std::integral_constant<int, 7>{}, {7, 14});
}

}  // namespace

TEST_CASE("ops::attention: windows are read in window order and land in the map", "[op]") {
  each_case([]<int Window, int D>(const Case<Window, D>& c) {
    INFO(c.text());
    const auto want = c.definition().out;
    // v and the sums of probabilities are of order one: a few roundings, in bf16 one of each probability and one of the
    // result
    const double size = c.shape.mix ? 0.1 * Window * Window + static_cast<double>(c.shape.heads) : 1;
    CHECK(largest_difference(forward<float>(c, 1), want) <= 1e-6 * size);
    CHECK(largest_difference(forward<double>(c, 1), want) <= 4e-15 * size);
    CHECK(largest_difference(forward_words<bf16>(c, 1), want) <= size / 128);
    CHECK(largest_difference(forward_words<float>(c, 1), want) <= size / 256);
    CHECK(largest_difference(forward_codes(c, 1), want) <= size / 64);
  });
}

TEST_CASE("ops::attention_backward: gathers from the map and adds to the gradients of tables and mixings", "[op]") {
  each_case([]<int Window, int D>(const Case<Window, D>& c) {
    INFO(c.text());
    const auto want = c.definition();
    const auto plus_one = [](std::vector<double> x) {
      for (double& v : x) v += 1;
      return x;
    };
    const auto check = [&](const auto& g, double unit) {
      // sums over all windows of N^2 numbers of order one or less, of which most cancel; measured: up to half of each
      const double n = static_cast<double>(c.rows());
      CHECK(largest_difference(g.dqkv, want.dqkv) <= 10 * unit * static_cast<double>(c.shape.heads));
      CHECK(largest_difference(g.table, plus_one(want.table)) <= 2 * n * unit);
      CHECK(largest_difference(g.before, c.shape.mix ? plus_one(want.before) : std::vector<double>(want.before.size(), 1)) <=
            2 * n * unit);
      CHECK(largest_difference(g.after, c.shape.mix ? plus_one(want.after) : std::vector<double>(want.after.size(), 1)) <=
            3 * n * unit);
      CHECK(largest_difference(g.after_bias, c.shape.mix ? plus_one(want.after_bias)
                                                         : std::vector<double>(want.after_bias.size(), 1)) <= 20 * n * unit);
    };
    check(backward<float, float>(c, 1), 1e-7);
    check(backward<double, double>(c, 1), 1e-15);
    check(backward<bf16, float>(c, 1), 1e-3);
  });
}

TEST_CASE("ops::attention: whole images, with a batch of images as gradient", "[op]") {
  const Case<4, 24> c(4, 0, 0, 3, true);  // one window to a map is a whole image
  constexpr int N = 16, D = 24;
  const auto check = [&]<class X>(X) {
    const Parameters<float> p(c);
    const auto qkv = as<X>(c.qkv);
    const auto dout = as<float>(c.dout);
    std::vector<float> out(dout.size()), dqkv(qkv.size()), table(p.table.size()), before(p.before.size()),
        after(before.size()), bias(p.after_bias.size());
    const View<const X, Dyn, N, 3 * D> in(qkv.data(), images);
    run<float>(1, [&](mv::Arena<float>& arena) {
      mv::ops::attention_backward<Arch>(View<const float, Dyn, N, D>(dout.data(), images), in,
                                        View<float, Dyn, N, 3 * D>(dqkv.data(), images), c.shape, p.w,
                                        {.mix_before = before.data(),
                                         .mix_after = after.data(),
                                         .mix_after_bias = bias.data(),
                                         .bias_table = table.data()},
                                        arena);
    });
    const auto windowed = backward<X, float>(c, 1);
    CHECK(dqkv == windowed.dqkv);
    for (std::size_t i = 0; i < table.size(); ++i)
      CHECK(static_cast<double>(table[i] + 1) == Approx(static_cast<double>(windowed.table[i])).margin(1e-5));
    if constexpr (std::is_same_v<X, float>) {
      run<float>(1, [&](mv::Arena<float>& arena) {
        mv::ops::attention<Arch, D>(in, View<float, Dyn, D>(out.data(), c.rows()), c.shape, p.w, arena);
      });
      CHECK(out == forward<float>(c, 1));
    }
  };
  check(float{});
  check(bf16{});
}

TEST_CASE("ops::attention: every number of threads gives the same bits", "[op]") {
  // 16, 4 and 1 windows an image, large enough to be cut; with two images 3 threads share 2 windows, and 4 threads 8
  for (const Index side : {28, 14, 7})
    for (const bool mix : {false, true}) {
      const Case<7, 192> c(side, side > 7 ? 3 : 0, side > 7 ? 3 : 0, 6, mix);
      INFO(c.text());
      const auto plain = forward<float>(c, 1);
      const auto words = forward_words<bf16>(c, 1);
      const auto codes = forward_codes(c, 1);
      const auto gradients = backward<float, float>(c, 1);
      for (const int workers : {2, 3, 4}) {
        INFO(workers << " workers");
        CHECK(forward<float>(c, workers) == plain);
        CHECK(forward_words<bf16>(c, workers) == words);
        CHECK(forward_codes(c, workers) == codes);
        CHECK(backward<float, float>(c, workers) == gradients);
      }
    }
}

TEST_CASE("ops::attention: the compiler runs windows, too", "[op]") {
  static constexpr auto result = [] {
    constexpr Index heads = 2, D = 4, N = 4, side = 4;
    std::array<float, side * side * 3 * D> qkv{};
    std::array<float, 9 * heads> table{};
    std::array<float, heads * heads> mixing{0.5f, -0.25f, 0.75f, 1.f};
    std::array<float, heads> bias{0.125f, -0.5f};
    for (std::size_t i = 0; i < qkv.size(); ++i) qkv[i] = static_cast<float>(static_cast<int>(i * 7 % 23) - 11) / 16;
    for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(static_cast<int>(i * 5 % 7) - 3) / 8;
    const kernels::AttentionShape shape{
        .tokens = N, .heads = heads, .head_dim = D / heads, .side = 2, .mix = true, .bias = true};
    const kernels::AttentionWeights<float> w{
        .mix_before = mixing.data(), .mix_after = mixing.data(), .mix_after_bias = bias.data(), .bias_table = table.data()};
    std::array<float, side * side * D> out{};
    std::array<float, 2048> memory{};
    mv::Arena<float> arena(memory.data(), 2048, mv::Memory::rewind);
    mv::ops::attention<Arch, D>(View<const float, Dyn, N, 3 * D>(qkv.data(), 4),
                                View<float, Dyn, D>(out.data(), side * side), shape, w, arena, {{side, 2, 1}, 1});
    return out;
  };
  constexpr auto compiled = result();
  const auto ran = result();
  for (std::size_t i = 0; i < compiled.size(); ++i)
    CHECK(static_cast<double>(ran[i]) == Approx(static_cast<double>(compiled[i])).margin(1e-6));
}

}  // namespace attention_test
