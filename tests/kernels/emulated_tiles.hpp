// SPDX-License-Identifier: MIT
// A model of the AMX tile instructions, for machines without them: the same shapes, faults and sums as the manual's
// pseudocode (Intel SDM volume 2, LDTILECFG, TILELOADD, TDPBF16PS, TDPBUSD), but for the order of the two products inside a
// bf16 word.
#pragma once

#include <minivit/kernels/dot/amx.hpp>

#include <array>
#include <stdexcept>

namespace kernel_test {

struct EmulatedTiles {
  using Index = minivit::Index;
  struct State {
    minivit::kernels::amx::TileConfig config;
    bool configured = false;
    std::array<std::array<std::array<std::byte, 64>, 16>, 8> tile{};
  };
  static State& state() {
    static thread_local State s;
    return s;
  }
  static void require(bool fine, const char* fault) {
    if (!fine) throw std::runtime_error(fault);
  }

  static void configure(const minivit::kernels::amx::TileConfig& config) {
    require(config.palette == 1 && config.start_row == 0, "LDTILECFG: palette");
    for (const auto r : config.reserved) require(r == 0, "LDTILECFG: reserved bytes");
    for (int t = 0; t < 16; ++t) {
      const int rows = config.rows[t], bytes = config.row_bytes[t];
      require(rows <= 16 && bytes <= 64 && (rows == 0) == (bytes == 0) && (t < 8 || rows == 0), "LDTILECFG: shape");
    }
    state() = {config, true, {}};
  }
  static void release() { state() = {}; }

  static int rows(int t) { return state().config.rows[t]; }
  static int bytes(int t) { return state().config.row_bytes[t]; }
  static void use(int t) { require(state().configured && rows(t) > 0, "tile used without a shape"); }

  template <int T>
  static void zero() {
    use(T);
    state().tile[T] = {};
  }
  template <int T>
  static void load(const void* at, Index stride) {
    use(T);
    state().tile[T] = {};
    for (int r = 0; r < rows(T); ++r)
      std::memcpy(state().tile[T][static_cast<std::size_t>(r)].data(), static_cast<const std::byte*>(at) + r * stride,
                  static_cast<std::size_t>(bytes(T)));
  }
  template <int T>
  static void store(void* at, Index stride) {
    use(T);
    for (int r = 0; r < rows(T); ++r)
      std::memcpy(static_cast<std::byte*>(at) + r * stride, state().tile[T][static_cast<std::size_t>(r)].data(),
                  static_cast<std::size_t>(bytes(T)));
  }
  template <class E, int C, int A, int B>
  static void dot() {
    using Dot = minivit::kernels::Dot<E>;
    constexpr int group = static_cast<int>(Dot::group);
    use(C), use(A), use(B);
    require(rows(C) == rows(A) && bytes(C) == bytes(B) && bytes(A) == 4 * rows(B), "shapes do not fit");
    for (int m = 0; m < rows(C); ++m)
      for (int k = 0; k < rows(B); ++k)
        for (int n = 0; n < bytes(C) / 4; ++n) {
          auto sum = element<typename Dot::Sum>(C, m, n);
          for (int g = 0; g < group; ++g) {
            const auto a = element<typename Dot::Left>(A, m, k * group + g);
            const auto b = element<E>(B, k, n * group + g);
            sum += static_cast<typename Dot::Sum>(a) * static_cast<typename Dot::Sum>(b);
          }
          std::memcpy(at<typename Dot::Sum>(C, m, n), &sum, sizeof sum);
        }
  }

 private:
  template <class X>
  static std::byte* at(int t, int row, int column) {
    return state().tile[static_cast<std::size_t>(t)][static_cast<std::size_t>(row)].data() +
           static_cast<std::size_t>(column) * sizeof(X);
  }
  template <class X>
  static X element(int t, int row, int column) {
    X x;
    std::memcpy(&x, at<X>(t, row, column), sizeof x);
    return x;
  }
};

}  // namespace kernel_test
