// SPDX-License-Identifier: MIT
// Products of words on AMX (Intel SDM volume 1 chapter 18): eight tile registers of 16 rows by 64 bytes, and one instruction
// that multiplies a tile of A (16 rows by 16 words) with a tile of packed B (16 words by 16 columns). The panels of pack.hpp
// are in the order that tiles want. Whether the processor has AMX and the kernel grants it (arch_prctl) is asked once at run
// time; the instructions are written out, so no compiler flag is needed.
#pragma once

#include <minivit/kernels/dot/element.hpp>

#include <algorithm>
#include <atomic>

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(MINIVIT_FIXED_ORDER)
#define MINIVIT_HAS_AMX 1  ///< this compiler and system can run AMX; whether the processor can is asked at run time
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#define MINIVIT_HAS_AMX 0  ///< no code for it is made
#endif

namespace minivit::inline MINIVIT_ISA::kernels::amx {

/// What LDTILECFG reads: the shape of every tile register.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;          ///< the only one there is
  std::uint8_t start_row = 0;        ///< where an interrupted load goes on
  std::uint8_t reserved[14] = {};    ///< zero
  std::uint16_t row_bytes[16] = {};  ///< of a row of tile i, at most 64
  std::uint8_t rows[16] = {};        ///< of tile i, at most 16
};
static_assert(sizeof(TileConfig) == 64);

/// The instructions. Tests put a model of them in its place.
struct Hardware {
#if MINIVIT_HAS_AMX
  /// LDTILECFG: gives the tile registers their shapes and zeroes them.
  static void configure(const TileConfig& config) { asm volatile("ldtilecfg %0" : : "m"(config) : "memory"); }
  /// TILERELEASE: back to the initial state, which costs less to switch.
  static void release() { asm volatile("tilerelease" : : : "memory"); }
  /// TILEZERO of tile T.
  template <int T>
  static void zero() {
    asm volatile("tilezero %%tmm%c0" : : "i"(T));
  }
  /// TILELOADD of tile T: rows `stride` bytes apart.
  template <int T>
  static void load(const void* at, Index stride) {
    asm volatile("tileloadd (%0,%1,1), %%tmm%c2" : : "r"(at), "r"(stride), "i"(T) : "memory");
  }
  /// TILESTORED of tile T: rows `stride` bytes apart.
  template <int T>
  static void store(void* at, Index stride) {
    asm volatile("tilestored %%tmm%c2, (%0,%1,1)" : : "r"(at), "r"(stride), "i"(T) : "memory");
  }
  /// C += A B in words of E.
  template <class E, int C, int A, int B>
  static void dot() {
    if constexpr (std::is_same_v<E, bf16>) asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
    else asm volatile("tdpbusd %%tmm%c2, %%tmm%c1, %%tmm%c0" : : "i"(C), "i"(A), "i"(B));
  }
#endif
};

/// Lets this process use AMX, or not, from now on. For tests and comparisons.
inline std::atomic<bool>& allowed() {
  static std::atomic<bool> value{true};
  return value;
}

/// Whether products of E may use AMX: the processor has it, the kernel granted it, and allowed() is true.
template <class E>
bool available() {
#if MINIVIT_HAS_AMX
  static const bool present = [] {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
    constexpr unsigned tile = 1u << 24, bf16_bit = 1u << 22, int8_bit = 1u << 25;
    const unsigned needed = tile | (std::is_same_v<E, bf16> ? bf16_bit : int8_bit);
    constexpr long request_permission = 0x1023, tile_data = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA
    return (edx & needed) == needed && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return present && allowed().load(std::memory_order_relaxed);
#else
  return false;
#endif
}

inline constexpr Index tile_rows = 16;              ///< rows of A and C in a tile
inline constexpr Index tile_words = 16;             ///< words of K in a tile of A or B
inline constexpr Index block_rows = 2 * tile_rows;  ///< of A that `block` takes at most

/// The words of a panel behind the last whole tile of them, filled up with zeros.
template <int V, class E>
struct PanelRest {
  alignas(64) std::byte data[tile_words * V * dot_half * 4];  ///< one tile of words; not set when there is no rest
  /// Takes them from `panel`, which has `words`; nothing when they fill whole tiles.
  PanelRest(const E* panel, Index words) {
    const Index rest = words % tile_words, bytes = rest * V * dot_half * 4;
    if (rest == 0) return;
    std::memcpy(data, panel + (words - rest) * V * dot_half * Dot<E>::group, static_cast<std::size_t>(bytes));
    std::memset(data + bytes, 0, sizeof data - static_cast<std::size_t>(bytes));
  }
};

/// sums [count, 32] = A [count, words] . panel [words, 16 V] for count <= 32 rows, `lda` values apart. The rows of `tiles`
/// were configured for `count`. Words that fill only a part of a tile are multiplied from padded copies.
template <class Tiles, int V, class E>
void block(typename Dot<E>::Sum* sums, const typename Dot<E>::Left* a, Index lda, const E* panel,
           const PanelRest<V, E>& panel_rest, Index words, Index count) {
  constexpr Index group = Dot<E>::group, panel_row = V * dot_half * 4, sums_row = dot_width * 4;  // bytes
  const bool lower = count > tile_rows;  // tiles 0 to 3: C, two by two; 4, 5: A; 6, 7: B
  const auto step = [&](const void* left, Index left_row, const void* right) {
    const auto* const l = static_cast<const std::byte*>(left);
    const auto* const r = static_cast<const std::byte*>(right);
    Tiles::template load<6>(r, panel_row);
    if constexpr (V == 2) Tiles::template load<7>(r + 64, panel_row);
    Tiles::template load<4>(l, left_row);
    Tiles::template dot<E, 0, 4, 6>();
    if constexpr (V == 2) Tiles::template dot<E, 1, 4, 7>();
    if (lower) {
      Tiles::template load<5>(l + tile_rows * left_row, left_row);
      Tiles::template dot<E, 2, 5, 6>();
      if constexpr (V == 2) Tiles::template dot<E, 3, 5, 7>();
    }
  };
  Tiles::template zero<0>();
  if constexpr (V == 2) Tiles::template zero<1>();
  if (lower) {
    Tiles::template zero<2>();
    if constexpr (V == 2) Tiles::template zero<3>();
  }
  const Index row_bytes = lda * static_cast<Index>(sizeof(*a));
  Index w = 0;
  for (; w + tile_words <= words; w += tile_words) step(a + w * group, row_bytes, panel + w * V * dot_half * group);
  if (const Index rest = words - w; rest > 0) {
    alignas(64) std::byte left[block_rows * 64];
    for (Index r = 0; r < count; ++r) {
      std::memset(left + r * 64, 0, 64);
      std::memcpy(left + r * 64, a + r * lda + w * group, static_cast<std::size_t>(rest * 4));
    }
    step(left, 64, panel_rest.data);
  }
  Tiles::template store<0>(sums, sums_row);
  if constexpr (V == 2) Tiles::template store<1>(sums + dot_half, sums_row);
  if (lower) {
    Tiles::template store<2>(sums + tile_rows * dot_width, sums_row);
    if constexpr (V == 2) Tiles::template store<3>(sums + tile_rows * dot_width + dot_half, sums_row);
  }
}

/// Configures the tiles for blocks of `count` rows.
template <class Tiles>
void configure(Index count) {
  TileConfig config;
  const auto set = [&](int tile, Index rows) {
    config.row_bytes[tile] = rows > 0 ? 64 : 0;
    config.rows[tile] = static_cast<std::uint8_t>(rows);
  };
  const Index upper = std::min(count, tile_rows), lower = count - upper;
  for (const int tile : {0, 1, 4}) set(tile, upper);
  for (const int tile : {2, 3, 5}) set(tile, lower);
  for (const int tile : {6, 7}) set(tile, tile_words);
  Tiles::configure(config);
}

}  // namespace minivit::inline MINIVIT_ISA::kernels::amx
