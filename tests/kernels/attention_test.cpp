// SPDX-License-Identifier: MIT
// Attention of one image, forward and backward, against its scalar definition in double precision: with and without head
// mixing and relative position, 0 to 2 extra tokens, odd sizes and strides, and scratch that starts as NaN.
#include "../catch.hpp"
#include "arches.hpp"
#include "differences.hpp"
#include "guarded.hpp"

#include <minivit/kernels/attention_backward.hpp>
#include <minivit/kernels/reference/attention.hpp>

namespace attention_test {

namespace kernels = minivit::kernels;
namespace reference = minivit::kernels::reference;
using kernels::AttentionShape;
using namespace kernel_test;

namespace {

template <int Side>
constexpr kernels::RelativeOffsets<Side> relative_offsets{};

/// The offsets of an image with `side` patches per side, one of those used below.
const std::int8_t* offsets_of(Index side) {
  switch (side) {
    case 1: return relative_offsets<1>.center();
    case 3: return relative_offsets<3>.center();
    case 5: return relative_offsets<5>.center();
    case 8: return relative_offsets<8>.center();
    case 18: return relative_offsets<18>.center();
    default: return nullptr;
  }
}

/// Odd token counts and head sizes, one block of query rows that is short or full, and several, with every switch both ways.
std::vector<AttentionShape> shapes() {
  std::vector<AttentionShape> out;
  for (const bool mix : {false, true}) {
    for (const Index tokens : {1, 2, 7, 17, 33, 52, 53, 65})
      for (const auto& [heads, head_dim] : {std::pair<Index, Index>{1, 16}, {3, 5}, {5, 17}})
        out.push_back({.tokens = tokens, .heads = heads, .head_dim = head_dim, .mix = mix});
    for (const Index side : {1, 3, 5, 8, 18})  // 18: wider than any register
      for (const Index extra : {0, 1, 2})
        for (const auto& [heads, head_dim] : {std::pair<Index, Index>{1, 7}, {4, 8}})
          out.push_back({.tokens = side * side + extra,
                         .heads = heads,
                         .head_dim = head_dim,
                         .side = side,
                         .extra_tokens = extra,
                         .mix = mix,
                         .relative = true});
  }
  return out;
}

/// All arrays of one case in T; `reference` results are computed from their exact values in double.
template <class T>
struct Case {
  AttentionShape s;
  Guarded<T> qkv, mix_before, mix_after, table, dout;

  explicit Case(const AttentionShape& shape)
      : s(shape),
        qkv(s.tokens, 3 * s.dim(), 3 * s.dim() + 1),
        mix_before(s.heads, s.heads, s.heads),
        mix_after(s.heads, s.heads, s.heads),
        table(s.head_dim, s.columns(), s.columns()),
        dout(s.tokens, s.dim(), s.dim() + 3) {
    qkv.fill_random(1), dout.fill_random(2), table.fill_random(5, -1, 1);
    mix_before.fill_random(3, -0.4, 0.4), mix_after.fill_random(4, -0.4, 0.4);
    for (Index h = 0; h < s.heads; ++h)
      mix_before(h, h) += 1, mix_after(h, h) += 1;  // near the identity, where training starts
  }
  kernels::AttentionWeights<T> weights() const {
    return {s.mix ? mix_before.data() : nullptr, s.mix ? mix_after.data() : nullptr, s.relative ? table.data() : nullptr,
            s.relative ? offsets_of(s.side) : nullptr};
  }
  std::string text() const {
    return "tokens " + std::to_string(s.tokens) + ", heads " + std::to_string(s.heads) + ", head_dim " +
           std::to_string(s.head_dim) + ", extra " + std::to_string(s.extra_tokens) + (s.mix ? ", mixed" : "") +
           (s.relative ? ", relative" : "");
  }
};

/// The same case in double, dense.
struct Exact {
  std::vector<double> qkv, mix_before, mix_after, table, dout, scratch;
  kernels::AttentionWeights<double> w;
  template <class T>
  explicit Exact(const Case<T>& c)
      : qkv(c.qkv.doubles()),
        mix_before(c.mix_before.doubles()),
        mix_after(c.mix_after.doubles()),
        table(c.table.doubles()),
        dout(c.dout.doubles()) {
    scratch.resize(static_cast<std::size_t>(reference::attention_scratch(c.s)));
    w = {c.s.mix ? mix_before.data() : nullptr, c.s.mix ? mix_after.data() : nullptr, c.s.relative ? table.data() : nullptr,
         c.s.relative ? offsets_of(c.s.side) : nullptr};
  }
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("attention: equals its definition for every kind of transformation", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for (const AttentionShape& s : shapes()) {
    const Case<T> c(s);
    Guarded<T> out(s.tokens, s.dim(), s.dim() + 5), scratch(kernels::attention_scratch<Arch, T>(s));
    kernels::attention<Arch, T>(out.data(), out.ld(), c.qkv.data(), c.qkv.ld(), s, c.weights(), scratch.data());
    Exact e(c);
    std::vector<double> want(e.dout.size());
    reference::attention(want.data(), s.dim(), e.qkv.data(), 3 * s.dim(), s, e.w, e.scratch.data());
    INFO(c.text());
    // Scores reach about 10, so exp turns their roundings into about 10 units of a probability; v <= 2 and the averages
    // over keys keep that from growing. Measured: 4.1.
    REQUIRE(worst_error(out, want, 2) <= 12);
    REQUIRE((out.intact() && c.qkv.intact() && scratch.intact()));
  }
}

TEMPLATE_LIST_TEST_CASE("attention_backward: equals its definition and adds to the gradients of the transformations",
                        "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for (const AttentionShape& s : shapes()) {
    const Case<T> c(s);
    Guarded<T> dqkv(s.tokens, 3 * s.dim(), 3 * s.dim() + 1), scratch(kernels::attention_backward_scratch<Arch, T>(s));
    Guarded<T> dbefore(s.heads, s.heads, s.heads), dafter(s.heads, s.heads, s.heads),
        dtable(s.head_dim, s.columns(), s.columns());
    dbefore.fill_random(6), dafter.fill_random(7), dtable.fill_random(8);
    Exact e(c);
    auto before = dbefore.doubles(), after = dafter.doubles(), table = dtable.doubles();
    std::vector<double> want(e.qkv.size());
    reference::attention_backward(want.data(),
                                  {.mix_before = before.data(), .mix_after = after.data(), .table = table.data()},
                                  e.dout.data(), s.dim(), e.qkv.data(), 3 * s.dim(), s, e.w, e.scratch.data());
    kernels::attention_backward<Arch, T>(
        dqkv.data(), {.mix_before = dbefore.data(), .mix_after = dafter.data(), .table = dtable.data()}, c.dout.data(),
        c.dout.ld(), c.qkv.data(), c.qkv.ld(), s, c.weights(), scratch.data());
    INFO(c.text());
    // Measured 11.1 for dqkv. A mixing weight sums N^2 products of scores (about 10) and gradients, in another order than
    // the definition: about N roundings, measured 1.4 N. The table sums N^2 products as well, spread over its buckets.
    const double n = static_cast<double>(s.tokens);
    REQUIRE(worst_error(dqkv, want, 2) <= 32);
    REQUIRE(worst_error(dbefore, before, 2) <= 16 + 4 * n);
    REQUIRE(worst_error(dafter, after, 2) <= 16 + 4 * n);
    REQUIRE(worst_error(dtable, table, 2) <= 16 + n);
    REQUIRE((dqkv.intact() && c.qkv.intact() && scratch.intact() && dbefore.intact() && dafter.intact() && dtable.intact()));
  }
}

TEST_CASE("reference attention_backward: is the gradient of attention by finite differences", "[kernel]") {
  for (const AttentionShape& s :
       {AttentionShape{.tokens = 5, .heads = 3, .head_dim = 4},
        AttentionShape{
            .tokens = 11, .heads = 2, .head_dim = 3, .side = 3, .extra_tokens = 2, .mix = true, .relative = true}}) {
    const Case<double> c(s);
    Exact e(c);
    std::vector<double> out(e.dout.size()), dqkv(e.qkv.size()), before(e.mix_before.size()), after(e.mix_after.size()),
        table(e.table.size());
    const auto loss = [&] {
      reference::attention(out.data(), s.dim(), e.qkv.data(), 3 * s.dim(), s, e.w, e.scratch.data());
      double sum = 0;
      for (std::size_t i = 0; i < out.size(); ++i) sum += out[i] * e.dout[i];
      return sum;
    };
    reference::attention_backward(dqkv.data(),
                                  {.mix_before = before.data(), .mix_after = after.data(), .table = table.data()},
                                  e.dout.data(), s.dim(), e.qkv.data(), 3 * s.dim(), s, e.w, e.scratch.data());
    const auto check = [&](std::vector<double>& x, const std::vector<double>& gradient) {
      return differences::agree(loss, x, gradient);
    };
    INFO(c.text());
    REQUIRE(check(e.qkv, dqkv));
    if (s.mix) REQUIRE((check(e.mix_before, before) && check(e.mix_after, after)));
    if (s.relative) REQUIRE(check(e.table, table));
  }
}

}  // namespace attention_test
