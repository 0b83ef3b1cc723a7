// SPDX-License-Identifier: MIT
// Where the tokens of windows stand, which of them must not see each other, and the position bias as planes and back.
#include "../catch.hpp"
#include "../naive_windows.hpp"
#include "guarded.hpp"

#include <minivit/kernels/position_bias.hpp>

namespace windows_test {

namespace kernels = minivit::kernels;
using kernels::WindowMap;
using namespace kernel_test;

namespace {

/// Side, window, shift: the zoo's sizes, an odd window, single windows, and windows of one token.
constexpr WindowMap maps[] = {{8, 4, 0},   {8, 4, 2}, {14, 7, 3}, {28, 7, 3}, {7, 7, 0}, {6, 3, 1},
                              {24, 12, 6}, {5, 1, 0}, {1, 1, 0},  {4, 4, 2},  {9, 3, 2}};

}  // namespace

TEST_CASE("WindowMap: window order is that of a map that is rolled and cut", "[kernel]") {
  for (const WindowMap& map : maps) {
    const naive::Windows want(map.side, map.window, map.shift);
    INFO(map.side << " " << map.window << " " << map.shift);
    REQUIRE(map.windows() == want.count());
    REQUIRE(map.tokens() == want.tokens());
    const Index rows = map.side * map.side;
    bool plain = true;
    for (Index r = 0; r < rows; ++r) {
      REQUIRE(map.token(r) == want.order[static_cast<std::size_t>(r)]);
      plain = plain && map.token(r) == r;
    }
    if (map.plain()) CHECK(plain);
    for (Index first = 0; first < rows; first += 3)
      for (const Index count : {Index{1}, Index{5}, rows - first}) {
        if (first + count > rows) continue;
        Index next = first;
        map.each_run(first, count, [&](Index row, Index token, Index n) {
          REQUIRE(row == next);
          REQUIRE(n >= 1);
          for (Index i = 0; i < n; ++i) REQUIRE(token + i == want.order[static_cast<std::size_t>(row + i)]);
          next += n;
        });
        REQUIRE(next == first + count);
      }
  }
}

TEST_CASE("window_mask: -100 between tokens of different regions of the rolled map, 0 elsewhere", "[kernel]") {
  for (const WindowMap& map : maps)
    for (const Index shift : {Index{1}, map.window / 2, map.window - 1}) {
      if (shift < 1 || shift >= map.window) continue;
      const naive::Windows want(map.side, map.window, map.shift);
      const Index N = map.tokens();
      bool right = true;
      for (Index w = 0; w < map.windows(); ++w) {
        Guarded<float> mask(N, N + 3, N + 3);
        kernels::window_mask(mask.data(), N + 3, map.window, shift, map.border(w));
        for (Index i = 0; i < N; ++i)
          for (Index j = 0; j < N + 3; ++j)
            right = right && mask(i, j) == (j < N && want.apart(w, i, j, shift) ? -100.f : 0.f);
        right = right && mask.intact();
      }
      INFO(map.side << " " << map.window << " " << map.shift << ", masked for " << shift);
      CHECK(right);
    }
}

TEST_CASE("position bias: planes hold the table's number for every query and key, and its gradient is their sum",
          "[kernel]") {
  for (const Index window : {1, 2, 3, 7, 12})
    for (const Index heads : {1, 3})
      for (const Index more : {0, 5}) {
        const naive::Windows want(window, window, 0);
        const Index N = window * window, stride = N + more, places = (2 * window - 1) * (2 * window - 1);
        Guarded<double> table(places, heads, heads), planes(heads * N, stride, stride), gradient(places, heads, heads);
        table.fill_random(1), gradient.fill_random(2);
        INFO("window " << window << " heads " << heads << " stride " << stride);
        kernels::spread_position_bias<minivit::simd::best>(planes.data(), stride, table.data(), window, heads);
        bool right = planes.intact();
        for (Index h = 0; h < heads; ++h)
          for (Index i = 0; i < N; ++i)
            for (Index j = 0; j < stride; ++j)
              right = right && planes(h * N + i, j) == (j < N ? table(want.table_row(i, j), h) : 0.);
        CHECK(right);

        planes.fill_random(3);
        auto sums = gradient.doubles();  // backward adds
        for (Index h = 0; h < heads; ++h)
          for (Index i = 0; i < N; ++i)
            for (Index j = 0; j < N; ++j)
              sums[static_cast<std::size_t>(want.table_row(i, j) * heads + h)] += planes(h * N + i, j);
        kernels::gather_position_bias(gradient.data(), planes.data(), stride, window, heads);
        // up to N numbers below 2 in another order
        CHECK(worst_error(gradient, sums, 2) <= 4 + static_cast<double>(N));
        CHECK((gradient.intact() && planes.intact()));
      }
}

TEST_CASE("position bias: gather is the adjoint of spread", "[kernel]") {
  constexpr bool same = [] {
    constexpr Index window = 3, heads = 2, N = 9, stride = 10, places = 25;
    int table[places * heads] = {}, planes[heads * N * stride] = {}, other[heads * N * stride] = {},
                       gathered[places * heads] = {};
    for (int i = 0; i < places * heads; ++i) table[i] = i * i % 13 - 6;
    for (int i = 0; i < heads * N * stride; ++i) other[i] = i * 7 % 11 - 5;
    kernels::spread_position_bias<minivit::simd::best>(planes, stride, table, window, heads);
    int left = 0, right = 0;
    for (int i = 0; i < heads * N * stride; ++i) left += planes[i] * other[i];
    kernels::gather_position_bias(gathered, other, stride, window, heads);
    for (int i = 0; i < places * heads; ++i) right += gathered[i] * table[i];
    return left == right && left != 0;
  }();
  STATIC_REQUIRE(same);
}

}  // namespace windows_test
