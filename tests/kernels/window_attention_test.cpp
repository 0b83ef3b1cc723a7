// SPDX-License-Identifier: MIT
// Attention of one window (Swin, Mini-Swin): position bias before the first mixing, mask after it, and the bias of the
// second mixing, forward and backward, in float, double and bf16, against the scalar definition in double precision; and the
// definition's gradients against differences.
#include "../catch.hpp"
#include "../naive_windows.hpp"
#include "arches.hpp"
#include "differences.hpp"
#include "guarded.hpp"

#include <minivit/kernels/attention_backward.hpp>
#include <minivit/kernels/dot/attention_backward.hpp>
#include <minivit/kernels/reference/attention.hpp>
#include <minivit/kernels/windows.hpp>

namespace window_attention_test {

namespace kernels = minivit::kernels;
namespace reference = minivit::kernels::reference;
using kernels::AttentionShape;
using minivit::bf16;
using namespace kernel_test;

namespace {

template <int Side>
constexpr kernels::RelativeOffsets<Side> relative_offsets{};

/// A window with its mask: 0 none, 1 right, 2 lower, 3 both borders.
struct Kind {
  AttentionShape s;
  int border;
};

/// Windows of 1, 2, 4, 7 and 12 tokens a side, with every part both ways. `even`: head widths that bf16 words allow.
std::vector<Kind> kinds(bool even) {
  std::vector<Kind> out;
  for (const Index side : {1, 2, 4, 7, 12})
    for (const Index heads : {1, 2, 3, 5})
      for (const bool mix : {false, true})
        for (const int border : {0, 1, 2, 3})
          if (border == 0 || side > 1) {
            const Index head_dim = even ? (heads == 3 ? 32 : 6) : heads == 3 ? 32 : 5;
            out.push_back(
                {{.tokens = side * side, .heads = heads, .head_dim = head_dim, .side = side, .mix = mix, .bias = true},
                 border});
          }
  // beside relative position on keys, which no published model does
  for (const bool mix : {false, true})
    out.push_back({{.tokens = 49, .heads = 2, .head_dim = 4, .side = 7, .mix = mix, .relative = true, .bias = true}, 3});
  return out;
}

/// All arrays of one case: queries, keys and values in X, the rest in T.
template <class T, class X = T>
struct Case {
  Kind kind;
  AttentionShape s;
  Index stride;  // row length of the planes
  Guarded<T> qkv, mix_before, mix_after, mix_after_bias, table, dout, bias, mask;
  std::vector<X> narrow;

  Case(const Kind& k, Index plane_stride)
      : kind(k),
        s(k.s),
        stride(plane_stride),
        qkv(s.tokens, 3 * s.dim(), 3 * s.dim() + 2),
        mix_before(s.heads, s.heads, s.heads),
        mix_after(s.heads, s.heads, s.heads),
        mix_after_bias(s.heads),
        table(s.head_dim, s.columns(), s.columns()),
        dout(s.tokens, s.dim(), s.dim() + 3),
        bias(s.heads * s.tokens, stride, stride),
        mask(s.tokens, stride, stride) {
    qkv.fill_random(1), dout.fill_random(2), table.fill_random(5, -1, 1), mix_after_bias.fill_random(9, -0.5, 0.5);
    mix_before.fill_random(3, -0.4, 0.4), mix_after.fill_random(4, -0.4, 0.4);
    for (Index h = 0; h < s.heads; ++h) mix_before(h, h) += 1, mix_after(h, h) += 1;
    bias.fill_random(10), mask.fill(T{0});
    for (Index r = 0; r < bias.rows(); ++r)
      for (Index j = s.tokens; j < stride; ++j) bias(r, j) = 0;
    if (kind.border) kernels::window_mask(mask.data(), stride, s.side, s.side / 2, kind.border);
    if constexpr (!std::is_same_v<T, X>) {  // rounded, so that the definition sees what the kernel sees
      narrow.resize(static_cast<std::size_t>((s.tokens - 1) * qkv.ld() + qkv.n()));
      for (Index r = 0; r < s.tokens; ++r)
        for (Index i = 0; i < qkv.n(); ++i) {
          const X x(qkv(r, i) / 2);
          narrow[static_cast<std::size_t>(r * qkv.ld() + i)] = x;
          qkv(r, i) = static_cast<T>(x);
        }
      table.fill_with([&](Index r, Index i) { return static_cast<T>(X(table(r, i))); });
    }
  }
  kernels::AttentionWeights<T> weights() const {
    kernels::AttentionWeights<T> w;
    if (s.mix) w.mix_before = mix_before.data(), w.mix_after = mix_after.data(), w.mix_after_bias = mix_after_bias.data();
    if (s.relative) w.table = table.data(), w.offsets = relative_offsets<7>.center();
    return w;
  }
  kernels::ScorePlanes<T> planes() const {
    return {.stride = stride, .bias = bias.data(), .mask = kind.border ? mask.data() : nullptr};
  }
  std::string text() const {
    return "tokens " + std::to_string(s.tokens) + ", heads " + std::to_string(s.heads) + ", border " +
           std::to_string(kind.border) + (s.mix ? ", mixed" : "") + (s.relative ? ", relative" : "");
  }
};

/// The same case in double, dense, and what the definition makes of it.
struct Exact {
  AttentionShape s;
  std::vector<double> qkv, mix_before, mix_after, mix_after_bias, table, dout, bias, mask, scratch;
  kernels::AttentionWeights<double> w;
  kernels::ScorePlanes<double> p;
  std::vector<double> out, dqkv, before, after, after_bias, dtable, dbias;  // results; gradients start from zero

  template <class C>
  explicit Exact(const C& c)
      : s(c.s),
        qkv(c.qkv.doubles()),
        mix_before(c.mix_before.doubles()),
        mix_after(c.mix_after.doubles()),
        mix_after_bias(c.mix_after_bias.doubles()),
        table(c.table.doubles()),
        dout(c.dout.doubles()),
        bias(c.bias.doubles()),
        mask(c.mask.doubles()),
        scratch(static_cast<std::size_t>(reference::attention_scratch(s))),
        p{.stride = c.stride, .bias = bias.data(), .mask = c.kind.border ? mask.data() : nullptr},
        out(dout.size()),
        dqkv(qkv.size()),
        before(mix_before.size()),
        after(mix_after.size()),
        after_bias(mix_after_bias.size()),
        dtable(table.size()),
        dbias(bias.size()) {
    if (s.mix) w.mix_before = mix_before.data(), w.mix_after = mix_after.data(), w.mix_after_bias = mix_after_bias.data();
    if (s.relative) w.table = table.data(), w.offsets = relative_offsets<7>.center();
    p.dbias = dbias.data();
  }
  void forward() { reference::attention(out.data(), s.dim(), qkv.data(), 3 * s.dim(), s, w, scratch.data(), p); }
  void backward() {
    reference::attention_backward<double>(dqkv.data(),
                                          {.mix_before = before.data(),
                                           .mix_after = after.data(),
                                           .mix_after_bias = after_bias.data(),
                                           .table = dtable.data()},
                                          dout.data(), s.dim(), qkv.data(), 3 * s.dim(), s, w, scratch.data(), p);
  }
};

/// What backward adds to; every element starts at 1.
template <class T>
struct Gradients {
  Guarded<T> before, after, after_bias, table, bias;
  template <class C>
  explicit Gradients(const C& c)
      : before(c.s.heads, c.s.heads, c.s.heads),
        after(c.s.heads, c.s.heads, c.s.heads),
        after_bias(c.s.heads),
        table(c.s.head_dim, c.s.columns(), c.s.columns()),
        bias(c.s.heads * c.s.tokens, c.stride, c.stride) {
    before.fill(1), after.fill(1), after_bias.fill(1), table.fill(1), bias.fill(1);
  }
  kernels::AttentionGradients<T> pointers() {
    return {
        .mix_before = before.data(), .mix_after = after.data(), .mix_after_bias = after_bias.data(), .table = table.data()};
  }
  bool intact() const { return before.intact() && after.intact() && after_bias.intact() && table.intact() && bias.intact(); }
};

/// |found - start - exact| / |exact|, both as Euclidean lengths, the second at least `least`; 0 where everything is as good
/// as zero.
template <class T>
double distance(const Guarded<T>& found, const std::vector<double>& exact, double start, double least = 0) {
  double wrong = 0, size = 0;
  std::size_t k = 0;
  for (Index r = 0; r < found.rows(); ++r)
    for (Index i = 0; i < found.n(); ++i, ++k) {
      const double d = static_cast<double>(found(r, i)) - start - exact[k];
      wrong += d * d, size += exact[k] * exact[k];
    }
  return wrong < 1e-10 ? 0 : std::sqrt(wrong) / std::max(std::sqrt(size), least);
}

std::vector<double> plus_one(std::vector<double> x) {
  for (double& v : x) v += 1;
  return x;
}

}  // namespace

TEMPLATE_LIST_TEST_CASE("attention: windows with bias and mask equal their definition", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for (const Kind& kind : kinds(false)) {
    const AttentionShape& s = kind.s;
    const Case<T> c(kind, kernels::AttentionForward<Arch, T>::stride(s));
    Guarded<T> out(s.tokens, s.dim(), s.dim() + 5), scratch(kernels::attention_scratch<Arch, T>(s));
    kernels::attention<Arch, T>(out.data(), out.ld(), c.qkv.data(), c.qkv.ld(), s, c.weights(), scratch.data(), c.planes());
    Exact e(c);
    e.forward();
    INFO(c.text());
    // as in attention_test.cpp; the bias of the mixing adds a sum over N values. Measured: 13.
    REQUIRE(worst_error(out, e.out, 2) <= 32);
    REQUIRE((out.intact() && c.qkv.intact() && scratch.intact() && c.bias.intact() && c.mask.intact()));
  }
}

TEMPLATE_LIST_TEST_CASE("attention_backward: windows with bias and mask equal their definition", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for (const Kind& kind : kinds(false)) {
    const AttentionShape& s = kind.s;
    const Case<T> c(kind, kernels::AttentionForward<Arch, T>::stride(s));
    Guarded<T> dqkv(s.tokens, 3 * s.dim(), c.qkv.ld()), scratch(kernels::attention_backward_scratch<Arch, T>(s));
    Gradients<T> g(c);
    auto planes = c.planes();
    planes.dbias = g.bias.data();
    kernels::attention_backward<Arch, T>(dqkv.data(), g.pointers(), c.dout.data(), c.dout.ld(), c.qkv.data(), c.qkv.ld(), s,
                                         c.weights(), scratch.data(), planes);
    Exact e(c);
    e.backward();
    INFO(c.text());
    const double n = static_cast<double>(s.tokens);  // reasons as in attention_test.cpp; measured 14 and 3 N
    REQUIRE(worst_error(dqkv, e.dqkv, 2) <= 48);
    REQUIRE(worst_error(g.before, plus_one(e.before), 2) <= 32 + 8 * n);
    REQUIRE(worst_error(g.after, plus_one(e.after), 2) <= 32 + 8 * n);
    REQUIRE(worst_error(g.after_bias, plus_one(e.after_bias), 2) <= 32 + 8 * n);
    REQUIRE(worst_error(g.table, plus_one(e.dtable), 2) <= 32 + 2 * n);
    REQUIRE(worst_error(g.bias, plus_one(e.dbias), 2) <= 48);
    REQUIRE((dqkv.intact() && c.qkv.intact() && scratch.intact() && g.intact()));
  }
}

TEMPLATE_LIST_TEST_CASE(
    "DotAttention: windows with bias and mask agree with the definition to the rounding of the probabilities", "[kernel]",
    FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  using Kernel = kernels::DotAttention<Arch>;
  for (const Kind& kind : kinds(true)) {
    const AttentionShape& s = kind.s;
    const Case<float, bf16> c(kind, Kernel::stride(s));
    kernels::detail::Cutter<float> size(nullptr);
    (void)Kernel(size, s);
    minivit::Buffer<float> scratch(size.used());
    std::fill_n(scratch.data(), scratch.size(), std::numeric_limits<float>::quiet_NaN());
    kernels::detail::Cutter<float> cut(scratch.data());
    const Kernel kernel(cut, s);
    Guarded<float> out(s.tokens, s.dim(), s.dim() + 5);
    kernel.prepare(c.narrow.data(), c.qkv.ld(), c.weights(), 0, s.heads);
    kernels::each_block(0, s.tokens, Kernel::block_rows, [&](Index first, Index count) {
      kernel.rows(out.data() + first * out.ld(), out.ld(), c.narrow.data(), c.qkv.ld(), first, count, c.weights(),
                  c.planes());
    });
    Exact e(c);
    e.forward();
    INFO(c.text());
    // sum of |W'| <= 1.4 + 0.4 (heads - 1) + 0.5 N, |v| <= 1, each probability rounded by at most 2^-8 of itself
    const double sum = s.mix ? 1.4 + 0.4 * static_cast<double>(s.heads - 1) + 0.5 * static_cast<double>(s.tokens) : 1;
    double worst = 0;
    for (Index i = 0; i < s.tokens; ++i)
      for (Index x = 0; x < s.dim(); ++x)
        worst = std::max(worst, std::abs(static_cast<double>(out(i, x)) - e.out[static_cast<std::size_t>(i * s.dim() + x)]));
    REQUIRE(worst <= sum / 256 + 2e-5);
    REQUIRE((out.intact() && c.bias.intact() && c.mask.intact()));
  }
}

TEMPLATE_LIST_TEST_CASE("DotAttentionBackward: every gradient of a window within 1 % of the definition's", "[kernel]",
                        FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  using Kernel = kernels::DotAttentionBackward<Arch>;
  for (const Kind& kind : kinds(true)) {
    const AttentionShape& s = kind.s;
    const Case<float, bf16> c(kind, kernels::DotAttention<Arch>::stride(s));
    kernels::detail::Cutter<float> size(nullptr);
    (void)Kernel(size, s);
    minivit::Buffer<float> scratch(size.used());
    std::fill_n(scratch.data(), scratch.size(), std::numeric_limits<float>::quiet_NaN());
    kernels::detail::Cutter<float> cut(scratch.data());
    const Kernel kernel(cut, s);
    Guarded<float> dqkv(s.tokens, 3 * s.dim(), c.qkv.ld());
    Gradients<float> g(c);
    auto planes = c.planes();
    planes.dbias = g.bias.data();
    kernel.run(dqkv.data(), g.pointers(), c.dout.data(), c.dout.ld(), c.narrow.data(), c.qkv.ld(), c.weights(), planes);
    Exact e(c);
    e.backward();
    INFO(c.text());
    CHECK(distance(dqkv, e.dqkv, 0) <= 0.01);
    // One head's mixing is one number, a sum of N^2 of order one that may nearly cancel.
    const double few = s.heads == 1 ? 0.1 * static_cast<double>(s.tokens) : 0;
    CHECK(distance(g.before, e.before, 1, few) <= 0.01);
    CHECK(distance(g.after, e.after, 1, few) <= 0.01);
    CHECK(distance(g.after_bias, e.after_bias, 1) <= 0.01);
    CHECK(distance(g.table, e.dtable, 1) <= 0.01);
    CHECK(distance(g.bias, e.dbias, 1) <= 0.01);
    CHECK((dqkv.intact() && g.intact()));
  }
}

TEST_CASE("reference attention_backward: is the gradient of windows with bias and mask by finite differences", "[kernel]") {
  for (const Kind& kind : {Kind{{.tokens = 4, .heads = 2, .head_dim = 3, .side = 2, .bias = true}, 1},
                           Kind{{.tokens = 9, .heads = 3, .head_dim = 2, .side = 3, .mix = true, .bias = true}, 3}}) {
    const Case<double> c(kind, kind.s.tokens + 2);
    Exact e(c);
    const auto loss = [&] {
      e.forward();
      double sum = 0;
      for (std::size_t i = 0; i < e.out.size(); ++i) sum += e.out[i] * e.dout[i];
      return sum;
    };
    e.backward();
    const auto check = [&](std::vector<double>& x, const std::vector<double>& gradient) {
      return differences::agree(loss, x, gradient);
    };
    INFO(c.text());
    REQUIRE(check(e.qkv, e.dqkv));
    REQUIRE(check(e.bias, e.dbias));
    if (kind.s.mix)
      REQUIRE((check(e.mix_before, e.before) && check(e.mix_after, e.after) && check(e.mix_after_bias, e.after_bias)));
  }
}

TEST_CASE("reference attention: tokens of different sides of the map do not see each other, with or without head mixing",
          "[kernel]") {
  for (const bool mix : {false, true}) {
    const Kind kind{{.tokens = 16, .heads = 3, .head_dim = 4, .side = 4, .mix = mix, .bias = true}, 3};
    const Case<double> c(kind, 16);
    Exact e(c);
    const naive::Windows windows(8, 4, 2);
    const std::size_t plane = 3 * 16;
    for (Index i = 0; i < 16; ++i) {
      reference::detail::attention_row(e.scratch.data(), e.scratch.data() + plane, e.scratch.data() + 2 * plane,
                                       e.qkv.data(), 3 * kind.s.dim(), i, e.s, e.w, e.p);
      for (Index h = 0; h < 3; ++h) {
        double sum = 0;
        for (Index j = 0; j < 16; ++j) {
          const double w = e.scratch[plane + static_cast<std::size_t>(h * 16 + j)];
          sum += w;
          CHECK((w < 1e-20) == windows.apart(3, i, j, 2));  // exp(-100) times at most exp of 30
        }
        CHECK(sum == Approx(1));
      }
    }
  }
}

}  // namespace window_attention_test
