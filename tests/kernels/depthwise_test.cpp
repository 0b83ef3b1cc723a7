// SPDX-License-Identifier: MIT
// Depth-wise convolution against its scalar definition in double precision: maps smaller and larger than the kernel and the
// tiles, channels around the register width, dense tokens and tokens with gaps, also at the distance where the kernel copies
// them first.
#include "../catch.hpp"
#include "arches.hpp"
#include "guarded.hpp"

#include <minivit/kernels/depthwise_backward.hpp>
#include <minivit/kernels/reference/depthwise.hpp>

#include <array>

namespace depthwise_test {

namespace kernels = minivit::kernels;
namespace reference = minivit::kernels::reference;
using kernels::DepthwiseShape;
using namespace kernel_test;

namespace {

/// Calls f(shape, ld): all kinds of rows (a tile, two or more, evenly or overlapping), kernels with and without tiles of
/// their own.
template <class T, class F>
void for_shapes(F&& f) {
  const Index compete = 2048 / static_cast<Index>(sizeof(T));
  for (const Index side : {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 14, 17, 25, 57})
    for (const Index kernel : {1, 3, 5, 7, 9})
      for (const Index dim : {1, 3, 15, 16, 17, 33, 96}) {
        if (dim > 17 && side > 9 && kernel != 7) continue;  // time
        if (side > 14 && dim != 17) continue;
        if (side == 57 && kernel != 7)
          continue;  // eight tiles of eight: a tile that is not spread would reach over the border
        for (const Index ld : {dim, dim + 3, compete}) {
          INFO("side " << side << ", dim " << dim << ", kernel " << kernel << ", tokens " << ld << " apart");
          f(DepthwiseShape{side, dim, kernel}, ld);
        }
      }
}

/// Sums of n products of numbers in [-2, 2): a partial sum reaches about 4 sqrt(n), three times its spread.
double product_sum(Index n) { return 4 * std::sqrt(static_cast<double>(n)); }
/// Units that n additions in another order may lose, and a handful for the rest.
double sum_units(Index n) { return 6 + std::sqrt(static_cast<double>(n)); }

template <class T, class Arch>
struct Problem {
  DepthwiseShape shape;
  Guarded<T> x, dy, y, weight, bias, packed, scratch;

  Problem(const DepthwiseShape& s, Index ld)
      : shape(s),
        x(s.side * s.side, s.dim, ld),
        dy(s.side * s.side, s.dim, ld),
        y(s.side * s.side, s.dim, s.dim + 1),
        weight(s.dim, s.taps(), s.taps()),
        bias(s.dim),
        packed(kernels::depthwise_packed_size<Arch, T>(s)),
        scratch(std::max(kernels::depthwise_scratch<Arch, T>(s), kernels::depthwise_gradient_scratch<Arch, T>(s))) {
    x.fill_random(1), dy.fill_random(2), weight.fill_random(3), bias.fill_random(4);
  }
  /// Rows [first, first + rows) of the map.
  void forward(Index first, Index rows) {
    kernels::depthwise_pack<Arch>(packed.data(), weight.data(), bias.data(), shape);
    kernels::depthwise<Arch>(y.data(), y.ld(), x.data(), x.ld(), packed.data(), shape, first, rows, scratch.data());
  }
  bool intact() const {
    return x.intact() && dy.intact() && y.intact() && weight.intact() && bias.intact() && packed.intact() &&
           scratch.intact();
  }
};

}  // namespace

TEMPLATE_LIST_TEST_CASE("depthwise: equals its definition for every map, number of channels and distance of tokens",
                        "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_shapes<T>([&](const DepthwiseShape& s, Index ld) {
    Problem<T, Arch> p(s, ld);
    p.forward(0, s.side);
    const auto x = p.x.doubles(), weight = p.weight.doubles(), bias = p.bias.doubles();
    std::vector<double> y(x.size());
    reference::depthwise(y.data(), s.dim, x.data(), s.dim, weight.data(), bias.data(), s.side, s.dim, s.kernel);
    REQUIRE(worst_error(p.y, y, product_sum(s.taps())) <= sum_units(s.taps()));
    REQUIRE(p.intact());
  });
}

TEMPLATE_LIST_TEST_CASE("depthwise: rows do not depend on how the map is cut", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  const Index compete = 2048 / static_cast<Index>(sizeof(T));
  for (const Index side : {2, 7, 9, 14})
    for (const Index ld : {Index{19}, compete}) {
      Problem<T, Arch> whole({side, 19, 7}, ld), cut({side, 19, 7}, ld);
      whole.forward(0, side);
      for (const Index piece : {1, 2, 5}) {
        cut.y.fill(0);
        for (Index first = 0; first < side; first += piece) cut.forward(first, std::min(piece, side - first));
        REQUIRE(worst_error(cut.y, whole.y.doubles(), 0) == 0);
        REQUIRE(cut.intact());
      }
      cut.y.fill(0);
      cut.forward(1, 1);  // writes no other row
      for (Index t = 0; t < side * side; ++t)
        if (t / side != 1) REQUIRE((cut.y(t, 0) == T(0) && cut.y(t, 18) == T(0)));
    }
}

TEMPLATE_LIST_TEST_CASE("depthwise: with flipped taps and no bias it is the gradient of x", "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_shapes<T>([&](const DepthwiseShape& s, Index ld) {
    Problem<T, Arch> p(s, ld);
    kernels::depthwise_pack<Arch, T>(p.packed.data(), p.weight.data(), nullptr, s, true);
    kernels::depthwise<Arch>(p.y.data(), p.y.ld(), p.dy.data(), ld, p.packed.data(), s, 0, s.side, p.scratch.data());
    const auto x = p.x.doubles(), dy = p.dy.doubles(), weight = p.weight.doubles();
    std::vector<double> dx(x.size()), dweight(weight.size()), dbias(static_cast<std::size_t>(s.dim));
    reference::depthwise_backward(dx.data(), s.dim, dweight.data(), dbias.data(), dy.data(), s.dim, x.data(), s.dim,
                                  weight.data(), s.side, s.dim, s.kernel);
    REQUIRE(worst_error(p.y, dx, product_sum(s.taps())) <= sum_units(s.taps()));
    REQUIRE(p.intact());
  });
}

TEMPLATE_LIST_TEST_CASE("depthwise_gradient: equals its definition, adds, and does not depend on how channels are cut",
                        "[kernel]", KernelTypes) {
  using T = typename TestType::Scalar;
  using Arch = typename TestType::Arch;
  for_shapes<T>([&](const DepthwiseShape& s, Index ld) {
    Problem<T, Arch> p(s, ld);
    Guarded<T> sums(p.packed.n()), dweight(s.dim, s.taps(), s.taps()), dbias(s.dim), cut_weight(s.dim, s.taps(), s.taps()),
        cut_bias(s.dim);
    dweight.fill_random(5), dbias.fill_random(6), cut_weight.copy(dweight), cut_bias.copy(dbias);
    auto dwd = dweight.doubles(), dbd = dbias.doubles();
    const Index blocks = kernels::depthwise_blocks<Arch, T>(s);
    const auto run = [&](Index first, Index count) {
      kernels::depthwise_gradient<Arch>(sums.data(), p.dy.data(), ld, p.x.data(), ld, s, first, count, p.scratch.data());
    };
    sums.fill(0);
    run(0, blocks);
    run(0, blocks);  // two images
    kernels::depthwise_add<Arch>(dweight.data(), dbias.data(), sums.data(), s, 0, blocks);

    const auto x = p.x.doubles(), dy = p.dy.doubles(), weight = p.weight.doubles();
    std::vector<double> dx(x.size());
    for (int image = 0; image < 2; ++image)
      reference::depthwise_backward(dx.data(), s.dim, dwd.data(), dbd.data(), dy.data(), s.dim, x.data(), s.dim,
                                    weight.data(), s.side, s.dim, s.kernel);
    const Index n = 2 * s.side * s.side;
    REQUIRE(worst_error(dweight, dwd, product_sum(n)) <= sum_units(n));
    REQUIRE(worst_error(dbias, dbd, product_sum(n)) <= sum_units(n));

    sums.fill(0);
    for (Index b = 0; b < blocks; ++b) {
      run(b, 1);
      run(b, 1);
      kernels::depthwise_add<Arch>(cut_weight.data(), cut_bias.data(), sums.data(), s, b, 1);
    }
    REQUIRE(worst_error(cut_weight, dweight.doubles(), 0) == 0);
    REQUIRE(worst_error(cut_bias, dbias.doubles(), 0) == 0);
    REQUIRE((p.intact() && sums.intact() && dweight.intact() && dbias.intact()));
  });
}

TEST_CASE("depthwise: macs counts the pairs of a token and a tap that meet", "[kernel]") {
  for (const Index side : {1, 2, 3, 7, 14, 56})
    for (const Index kernel : {1, 3, 7}) {
      Index pairs = 0;
      for (Index t = 0; t < side * side; ++t)
        for (Index tap = 0; tap < kernel * kernel; ++tap)
          pairs += reference::detail::neighbour(t, tap / kernel - kernel / 2, tap % kernel - kernel / 2, side) >= 0;
      REQUIRE(DepthwiseShape{side, 5, kernel}.macs() == 5 * pairs);
    }
}

TEST_CASE("reference depthwise: the compiler computes a map that can be checked by hand", "[kernel]") {
  constexpr auto y = [] {
    const std::array<float, 4> x{1, 2, 3, 4};                         // 2 x 2 tokens of one channel
    const std::array<float, 9> weight{1, 0, 0, 0, 10, 0, 0, 0, 100};  // upper left, centre, lower right
    const std::array<float, 1> bias{1000};
    std::array<float, 4> out{};
    reference::depthwise<float>(out.data(), 1, x.data(), 1, weight.data(), bias.data(), 2, 1, 3);
    return out;
  }();
  static_assert(y == std::array<float, 4>{1 + 10 + 400 + 1000, 2 + 20 + 1000, 3 + 30 + 1000, 4 + 40 + 1 + 1000});
}

}  // namespace depthwise_test
