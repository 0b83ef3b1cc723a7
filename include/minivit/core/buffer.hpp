// SPDX-License-Identifier: MIT
// Buffer: owned, zeroed, 64-byte aligned memory on the heap. Tensor: a Buffer with a View's extents.
#pragma once

#include <minivit/core/view.hpp>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace minivit::inline MINIVIT_ISA {

/// Every array in the library starts on a cache line.
inline constexpr std::size_t alignment = 64;

/// `count` rounded up to a multiple of `step`. Precondition: both positive, no overflow.
constexpr Index round_up(Index count, Index step) { return (count + step - 1) / step * step; }

/// Elements of T to reserve for `count` elements so that the next array is aligned as well.
template <class T>
constexpr Index aligned_count(Index count) {
  return round_up(count, static_cast<Index>(alignment / sizeof(T)));
}

namespace detail {
/// Arrays of 4 MiB or more ask for pages of 2 MiB, which take fewer entries of the address cache: DeiT-B in float32 takes 1
/// to 2 % less time with them.
inline constexpr std::size_t huge_page = std::size_t{2} << 20, huge_from = 2 * huge_page;
}  // namespace detail

/// Owns `size` elements of a trivial type, zeroed, aligned to 64 bytes. Moves cheaply, copies deeply.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  Buffer() = default;  ///< no elements, and data() is null
  /// Throws std::bad_alloc; also when `size` is negative or its bytes cannot be represented.
  explicit Buffer(Index size) : size_(size) {
    if (size < 0 || static_cast<std::size_t>(size) > (std::numeric_limits<std::size_t>::max() - alignment) / sizeof(T))
      throw std::bad_alloc();
    if (size == 0) return;
    const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(T);
    const std::size_t align = bytes >= detail::huge_from ? detail::huge_page : alignment;
    data_ = {static_cast<T*>(::operator new (bytes, std::align_val_t{align})), Free{align}};
#if defined(__linux__)
    // where the system leaves it to us (transparent_hugepage = madvise); a refusal does no harm
    if (align == detail::huge_page) ::madvise(data_.get(), bytes, MADV_HUGEPAGE);
#endif
    std::fill_n(data_.get(), size, T{});
  }
  /// Copies the elements. Throws std::bad_alloc.
  Buffer(const Buffer& other) : Buffer(other.size_) { std::copy_n(other.data(), size_, data()); }
  /// Takes them over; `other` is empty afterwards.
  Buffer(Buffer&& other) noexcept : data_(std::move(other.data_)), size_(std::exchange(other.size_, 0)) {}
  /// Copies or takes over, by what it is given.
  Buffer& operator=(Buffer other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() = default;

  T* data() { return data_.get(); }                ///< size() elements, aligned to 64 bytes; null when there are none
  const T* data() const { return data_.get(); }    ///< same, read-only
  Index size() const { return size_; }             ///< number of elements
  T* begin() { return data(); }                    ///< first element
  T* end() { return data() + size_; }              ///< behind the last element
  const T* begin() const { return data(); }        ///< first element, read-only
  const T* end() const { return data() + size_; }  ///< behind the last element, read-only

 private:
  struct Free {
    std::size_t align = alignment;
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{align}); }
  };
  std::unique_ptr<T, Free> data_;
  Index size_ = 0;
};

/// A View that owns its elements: `Tensor<float, Dyn, 3, 32, 32> images(8);`
template <class T, int... Extents>
class Tensor {
 public:
  using view_type = View<T, Extents...>;              ///< what it looks like to those who write
  using const_view_type = View<const T, Extents...>;  ///< and to those who read

  Tensor() = default;  ///< zero images; of a tensor without Dyn nothing at all, and view() is then null: use zeros()
  /// `batch` images, zeroed.
  explicit Tensor(Index batch) requires(view_type::dynamic)
      : buffer_(batch * const_view_type(nullptr, 1).size()), batch_(batch) {}

  /// A tensor without a run-time extent, zeroed.
  static Tensor zeros() requires(!view_type::dynamic) {
    Tensor t;
    t.buffer_ = Buffer<T>(view_type().size());
    return t;
  }

  /// Of all elements; valid until the tensor is moved or destroyed.
  view_type view() { return make<view_type>(buffer_.data()); }
  const_view_type view() const { return make<const_view_type>(buffer_.data()); }  ///< same, read-only
  operator view_type() { return view(); }              ///< fits where a view is asked for. NOLINT: implicit by intent
  operator const_view_type() const { return view(); }  ///< same, read-only. NOLINT
  T* data() { return buffer_.data(); }                 ///< first element
  const T* data() const { return buffer_.data(); }     ///< same, read-only
  Index size() const { return buffer_.size(); }        ///< number of elements, all images together
  Index batch() const { return batch_; }               ///< first extent when it is Dyn, else 0

 private:
  template <class V, class P>
  V make(P* p) const {
    if constexpr (V::dynamic) return V(p, batch_);
    else return V(p);
  }
  Buffer<T> buffer_;
  Index batch_ = 0;
};

}  // namespace minivit::inline MINIVIT_ISA
