// SPDX-License-Identifier: MIT
// CRC-32 as zip files have it (polynomial 0xEDB88320, reflected), eight bytes at a time from tables made by the compiler.
// Zlib has the same function; it is not linked for one loop, because this library has nothing to link.
#pragma once

#include <minivit/core/isa.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// crc_tables[k][b]: what byte b does to the sum when k bytes follow it.
inline constexpr auto crc_tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> tables{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t sum = b;
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1u) != 0 ? 0xEDB88320u : 0u);
    tables[0][b] = sum;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t b = 0; b < 256; ++b) tables[k][b] = (tables[k - 1][b] >> 8) ^ tables[0][tables[k - 1][b] & 255u];
  return tables;
}();
}  // namespace detail

/// The CRC-32 of the bytes.
constexpr std::uint32_t crc32(std::span<const std::byte> bytes) {
  const auto& t = detail::crc_tables;
  const auto at = [&](std::size_t i) { return static_cast<std::uint32_t>(bytes[i]); };
  std::uint32_t sum = 0xFFFFFFFFu;
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    const std::uint32_t low = sum ^ (at(i) | at(i + 1) << 8 | at(i + 2) << 16 | at(i + 3) << 24);
    sum = t[7][low & 255u] ^ t[6][(low >> 8) & 255u] ^ t[5][(low >> 16) & 255u] ^ t[4][low >> 24] ^ t[3][at(i + 4)] ^
          t[2][at(i + 5)] ^ t[1][at(i + 6)] ^ t[0][at(i + 7)];
  }
  for (; i < bytes.size(); ++i) sum = (sum >> 8) ^ t[0][(sum ^ at(i)) & 255u];
  return ~sum;
}

}  // namespace minivit::inline MINIVIT_ISA
