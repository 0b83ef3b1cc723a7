// SPDX-License-Identifier: MIT
// Rows: activations in the form that the next matrix product reads. In float32 that is the view itself; with narrow weights
// the step before writes bf16 words or 8-bit codes, so that nothing has to be converted in front of a product.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/dot/quantise.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Rows of K bf16 values; what fills the last word is zero.
template <int K>
struct Bf16Rows {
  static constexpr Index stride = kernels::dot_stride<bf16>(K);  ///< elements from row to row
  bf16* data = nullptr;                                          ///< [rows, stride]
  Index rows = 0;                                                ///< how many

  constexpr Index batch() const { return rows; }  ///< rows
};

/// Rows of K 8-bit codes, each row with its own scale and zero point, or all with those of a calibration.
template <int K>
struct QuantisedRows {
  static constexpr Index stride = kernels::dot_stride<int8>(K);  ///< bytes from row to row
  std::uint8_t* codes = nullptr;                                 ///< [rows, stride]
  kernels::RowScale* scales = nullptr;                           ///< [rows]
  Index rows = 0;                                                ///< how many
  kernels::RowScale fixed{};                                     ///< scale 0: every row finds its own

  constexpr Index batch() const { return rows; }  ///< rows
};

/// Rows of words: Bf16Rows or QuantisedRows.
template <class R>
concept WordRows = requires(R r) {
  R::stride, r.rows;
};

namespace ops {

/// Rows of a piece of work are a multiple of this. It is less than the tile of a product: 197 rows cut in two are 100 and
/// 97, in whole tiles of 12 they would be 108 and 89, and the other thread would wait.
inline constexpr Index rows_step = 4;
/// Time of converting, copying or reducing one element in multiply-adds of a matrix product, for Arena::split.
inline constexpr Index element_cost = 10;

/// `count` uninitialised elements of another type than the arena's; null when counting.
template <class U, class T>
constexpr U* take_as(Arena<T>& arena, Index count) {
  constexpr Index size = sizeof(T);
  T* const at = arena.raw((count * static_cast<Index>(sizeof(U)) + size - 1) / size);
  return at ? reinterpret_cast<U*>(at) : nullptr;
}

/// An uninitialised array [batch, Extents...] of U.
template <class U, int... Extents, class T>
constexpr View<U, Dyn, Extents...> take_array(Arena<T>& arena, Index batch) {
  if constexpr (std::is_same_v<U, T>) return arena.template take<Dyn, Extents...>(batch);
  else return View<U, Dyn, Extents...>(take_as<U>(arena, batch * (Index{1} * ... * Extents)), batch);
}

/// Uninitialised rows of the kind that the last argument names.
template <int K, class T>
constexpr View<T, Dyn, K> take_rows(Arena<T>& arena, Index rows, View<T, Dyn, K>) {
  return arena.template take<Dyn, K>(rows);
}
/// In bf16.
template <int K, class T>
constexpr Bf16Rows<K> take_rows(Arena<T>& arena, Index rows, Bf16Rows<K>) {
  return {take_as<bf16>(arena, rows * Bf16Rows<K>::stride), rows};
}
/// In 8-bit codes; `kind` passes on its calibration.
template <int K, class T>
constexpr QuantisedRows<K> take_rows(Arena<T>& arena, Index rows, QuantisedRows<K> kind) {
  auto* const codes = take_as<std::uint8_t>(arena, rows * QuantisedRows<K>::stride);
  return {codes, take_as<kernels::RowScale>(arena, rows), rows, kind.fixed};
}

/// Writes one row of K numbers as row r. X: float or bf16.
template <class Arch, int K, class X>
inline void write_row(const X* x, Bf16Rows<K> to, Index r) {
  bf16* const y = to.data + r * to.stride;
  simd::sweep<Arch, float>(K, [&](Index i, auto io, auto) { io.store(y + i, io.load(x + i)); });
  if constexpr (to.stride != K) std::fill(y + K, y + to.stride, bf16{});
}
/// In 8-bit codes, by to.fixed if that is set, else by the row's own range.
template <class Arch, int K, class X>
inline void write_row(const X* x, QuantisedRows<K> to, Index r) {
  std::uint8_t* const codes = to.codes + r * to.stride;
  if (to.fixed.scale > 0) {
    kernels::quantise_row<Arch>(codes, x, K, to.stride, to.fixed);
    to.scales[r] = to.fixed;
  } else {
    to.scales[r] = kernels::quantise_row<Arch>(codes, x, K, to.stride);
  }
}

/// Writes all rows of x [rows, K].
template <class Arch, int K, class T, class Rows>
inline void write_rows(const T* x, Rows to, const Arena<T>& arena) {
  arena.split(to.rows, 1, element_cost * K, [&](Index first, Index count, int) {
    for (Index r = first; r < first + count; ++r) write_row<Arch>(x + r * K, to, r);
  });
}

/// x as rows of the kind that the last argument names: itself, or a copy in scratch of the caller.
template <class Arch, int K, class T>
constexpr View<const T, Dyn, K> as_rows(View<const T, Dyn, K> x, Arena<T>&, View<T, Dyn, K>) {
  return x;
}
/// A copy in words.
template <class Arch, int K, class T, class Rows>
constexpr Rows as_rows(View<const T, Dyn, K> x, Arena<T>& arena, Rows kind) {
  const Rows to = take_rows<K>(arena, x.batch(), kind);
  if (arena.counting()) return to;
  write_rows<Arch, K>(x.data(), to, arena);
  return to;
}

}  // namespace ops
}  // namespace minivit::inline MINIVIT_ISA
