// SPDX-License-Identifier: MIT
// DType: the 22 element types a safetensors file can name, and the conversion of the ones we compute with.
// Half precision and bfloat16 are widened exactly; float64 is rounded to float32 when asked for.
#pragma once

#include <minivit/core/bf16.hpp>
#include <minivit/core/view.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <type_traits>

namespace minivit::inline MINIVIT_ISA {

/// Element types by their names in files, smallest first.
// clang-format off
enum class DType : unsigned char {
  BOOL,         ///< 1 byte, 0 or 1
  F4,           ///< 4 bits, two in a byte (E2M1)
  F6_E2M3,      ///< 6 bits
  F6_E3M2,      ///< 6 bits
  U8,           ///< unsigned, 1 byte
  I8,           ///< signed, 1 byte
  F8_E5M2,      ///< 1 byte
  F8_E4M3,      ///< 1 byte
  F8_E8M0,      ///< 1 byte, powers of two
  F8_E4M3FNUZ,  ///< 1 byte, without -0 and infinities
  F8_E5M2FNUZ,  ///< 1 byte, without -0 and infinities
  I16,          ///< signed, 2 bytes
  U16,          ///< unsigned, 2 bytes
  F16,          ///< IEEE half precision
  BF16,         ///< upper half of a float32
  I32,          ///< signed, 4 bytes
  U32,          ///< unsigned, 4 bytes
  F32,          ///< IEEE single precision
  C64,          ///< complex, two float32
  F64,          ///< IEEE double precision
  I64,          ///< signed, 8 bytes
  U64           ///< unsigned, 8 bytes
};
// clang-format on

namespace detail {
struct DTypeName {
  std::string_view name;
  int bits;
};
/// In the order of the enumerators.
// clang-format off
inline constexpr std::array<DTypeName, 22> dtype_names{{
    {"BOOL", 8}, {"F4", 4}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"U8", 8}, {"I8", 8}, {"F8_E5M2", 8}, {"F8_E4M3", 8},
    {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16}, {"U16", 16}, {"F16", 16}, {"BF16", 16},
    {"I32", 32}, {"U32", 32}, {"F32", 32}, {"C64", 64}, {"F64", 64}, {"I64", 64}, {"U64", 64},
}};
// clang-format on
}  // namespace detail

/// Name as written in files: "F32".
constexpr std::string_view name_of(DType type) { return detail::dtype_names[static_cast<std::size_t>(type)].name; }
/// Bits of one element: 4 to 64.
constexpr int bits_of(DType type) { return detail::dtype_names[static_cast<std::size_t>(type)].bits; }
/// The type of that name, or nothing.
constexpr std::optional<DType> dtype_of(std::string_view name) {
  for (std::size_t i = 0; i < detail::dtype_names.size(); ++i)
    if (detail::dtype_names[i].name == name) return static_cast<DType>(i);
  return std::nullopt;
}

/// The DType that holds values of T unchanged: F32, F64, I32, I64, U8 or U64.
template <class T>
constexpr DType dtype_for() {
  if constexpr (std::is_same_v<T, float>) return DType::F32;
  else if constexpr (std::is_same_v<T, double>) return DType::F64;
  else if constexpr (std::is_same_v<T, std::uint8_t>) return DType::U8;
  else if constexpr (std::is_integral_v<T> && std::is_signed_v<T> && sizeof(T) == 4) return DType::I32;
  else if constexpr (std::is_integral_v<T> && std::is_signed_v<T> && sizeof(T) == 8) return DType::I64;
  else if constexpr (std::is_integral_v<T> && sizeof(T) == 8) return DType::U64;
  else static_assert(sizeof(T) == 0, "minivit: tensors are read as float, double, (u)int64_t, int32_t or uint8_t");
}

/// IEEE half precision to float, exact.
constexpr float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half >> 15) << 31;
  const std::uint32_t exponent = (half >> 10) & 31u;
  const std::uint32_t mantissa = half & 1023u;
  if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
    const float value = static_cast<float>(mantissa) * 0x1p-24f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) | sign);
  }
  const std::uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

namespace detail {
/// dst[i] = f(element i), elements of type Stored that need not be aligned.
template <class Stored, class T, class F>
void convert(const std::byte* from, Index count, T* dst, F f) {
  for (Index i = 0; i < count; ++i) {
    Stored element;
    std::memcpy(&element, from + i * static_cast<Index>(sizeof(Stored)), sizeof(Stored));
    dst[i] = static_cast<T>(f(element));
  }
}
}  // namespace detail

/// Converts `count` elements from little-endian bytes of any alignment. False when `type` has no exact or rounding
/// conversion to T: floats go to floats, integers to integers at least as wide.
template <class T>
bool convert_elements(DType type, const std::byte* from, Index count, T* dst) {
  constexpr auto same = [](auto x) { return x; };
  if (type == dtype_for<T>()) {
    if (count > 0) std::memcpy(dst, from, static_cast<std::size_t>(count) * sizeof(T));
    return true;
  }
  if constexpr (std::is_floating_point_v<T>) {
    switch (type) {
      case DType::F32: detail::convert<float>(from, count, dst, same); return true;
      case DType::F64: detail::convert<double>(from, count, dst, same); return true;
      case DType::F16: detail::convert<std::uint16_t>(from, count, dst, half_to_float); return true;
      case DType::BF16: detail::convert<bf16>(from, count, dst, [](bf16 x) { return static_cast<float>(x); }); return true;
      default: return false;
    }
  } else {
    if (type == DType::U8) {
      detail::convert<std::uint8_t>(from, count, dst, same);
      return true;
    }
    if constexpr (std::is_signed_v<T> && sizeof(T) == 8) {
      if (type == DType::I32) {
        detail::convert<std::int32_t>(from, count, dst, same);
        return true;
      }
    }
    return false;
  }
}

}  // namespace minivit::inline MINIVIT_ISA
