// SPDX-License-Identifier: MIT
// View: a pointer whose extents are part of the type. Row-major and contiguous. Only the first extent may be a
// run-time number (`Dyn`, the batch); everything per sample is checked by the compiler.
#pragma once

#include <minivit/core/isa.hpp>

#include <array>
#include <cstddef>
#include <type_traits>

namespace minivit::inline MINIVIT_ISA {

/// Signed type of every size, count and offset.
using Index = std::ptrdiff_t;

/// The run-time extent: the number of images in a batch.
inline constexpr int Dyn = -1;

namespace detail {
template <int... Extents>
struct ExtentRules {
  static constexpr int rank = sizeof...(Extents);
  static constexpr std::array<int, sizeof...(Extents)> values{Extents...};
  static constexpr bool dynamic = rank > 0 && values[0] == Dyn;
  static constexpr bool valid = [] {
    for (int i = 0; i < rank; ++i)
      if (values[static_cast<std::size_t>(i)] < (i == 0 ? -1 : 0)) return false;
    return true;
  }();
  /// Elements of everything behind a run-time first extent, or of the whole.
  static constexpr Index fixed_size = [] {
    Index n = 1;
    for (int i = dynamic ? 1 : 0; i < rank; ++i) n *= values[static_cast<std::size_t>(i)];
    return n;
  }();
};
}  // namespace detail

/// `View<float, Dyn, 196, 192>`: a batch of 196 tokens of width 192. Does not own. Copying copies the pointer.
template <class T, int... Extents>
class View {
  using Rules = detail::ExtentRules<Extents...>;
  static_assert(Rules::rank >= 1, "View: needs at least one extent");
  static_assert(Rules::valid, "View: extents are not negative, and only the first may be Dyn");

 public:
  using value_type = std::remove_const_t<T>;       ///< of the elements, without const
  static constexpr int rank = Rules::rank;         ///< number of extents
  static constexpr bool dynamic = Rules::dynamic;  ///< the first extent is a run-time number

  /// A view of nothing: null pointer, and zero images when the first extent is Dyn.
  constexpr View() = default;
  /// Precondition: `data` points at `size()` elements.
  explicit constexpr View(T* data) requires(!dynamic) : data_(data) {}
  /// Precondition: `data` points at `batch` samples; `batch >= 0`.
  constexpr View(T* data, Index batch) requires(dynamic) : data_(data), batch_(batch) {}
  /// A view of mutable elements is a view of constant ones.
  template <class U>
  requires(std::is_same_v<const U, T> && !std::is_same_v<U, T>) constexpr View(View<U, Extents...> other)
      : data_(other.data()), batch_(other.batch()) {}  // NOLINT: implicit by intent

  constexpr T* data() const { return data_; }  ///< element (0, 0, ...)
  /// First extent.
  constexpr Index batch() const { return dynamic ? batch_ : Rules::values[0]; }
  /// Extent of axis I; a constant but for axis 0 of a dynamic view.
  template <int I>
  constexpr Index extent() const {
    static_assert(I >= 0 && I < rank);
    if constexpr (I == 0) return batch();
    else return Rules::values[I];
  }
  /// Product of the extents.
  constexpr Index size() const { return dynamic ? batch_ * Rules::fixed_size : Rules::fixed_size; }
  constexpr bool empty() const { return size() == 0; }  ///< a batch of no images
  constexpr T* begin() const { return data_; }          ///< elements in the order of memory
  constexpr T* end() const { return data_ + size(); }   ///< behind the last

  /// Extents as run-time numbers, for messages and files.
  constexpr std::array<Index, static_cast<std::size_t>(rank)> shape() const {
    std::array<Index, static_cast<std::size_t>(rank)> out{};
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = Rules::values[i];
    out[0] = batch();
    return out;
  }

  /// Element at (i, j, ...). Precondition: every index lies inside its extent.
  template <class... I>
  requires(sizeof...(I) == sizeof...(Extents)) constexpr T& operator()(I... index) const {
    Index offset = 0;
    int axis = 0;
    ((offset = offset * (axis == 0 ? 1 : Rules::values[static_cast<std::size_t>(axis)]) + static_cast<Index>(index), ++axis),
     ...);
    return data_[offset];
  }

  /// Sample or row i: a view of one rank less.
  constexpr auto operator[](Index i) const requires(rank > 1) {
    return drop_first(i, std::make_integer_sequence<int, rank - 1>{});
  }
  /// Element i.
  constexpr T& operator[](Index i) const requires(rank == 1) { return data_[i]; }

  /// Images [first, first + count) of a batch.
  constexpr View slice(Index first, Index count) const requires(dynamic) {
    return View(data_ ? data_ + first * Rules::fixed_size : nullptr, count);
  }

  /// The same elements under other extents; a run-time batch stays the first extent.
  template <int... Other>
  constexpr View<T, Other...> reshape() const {
    using To = detail::ExtentRules<Other...>;
    if constexpr (To::dynamic) {
      static_assert(dynamic ? Rules::fixed_size % To::fixed_size == 0 || To::fixed_size % Rules::fixed_size == 0
                            : Rules::fixed_size % To::fixed_size == 0,
                    "View::reshape: the number of elements must stay the same");
      return View<T, Other...>(data_, size() / To::fixed_size);
    } else {
      static_assert(!dynamic && Rules::fixed_size == To::fixed_size,
                    "View::reshape: the number of elements must stay the same");
      return View<T, Other...>(data_);
    }
  }

 private:
  template <int... I>
  constexpr auto drop_first(Index i, std::integer_sequence<int, I...>) const {
    return View<T, Rules::values[static_cast<std::size_t>(I) + 1]...>(data_ ? data_ + i * (size() / (batch() ? batch() : 1))
                                                                            : nullptr);
  }

  T* data_ = nullptr;
  Index batch_ = 0;
};

/// Read-only counterpart of a view type.
template <class T, int... Extents>
using ConstView = View<const T, Extents...>;

}  // namespace minivit::inline MINIVIT_ISA
