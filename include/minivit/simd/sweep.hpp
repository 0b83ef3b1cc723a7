// SPDX-License-Identifier: MIT
// sweep: a loop over contiguous numbers, a register at a time, whose body is written once for whole registers and for the
// tail.
#pragma once

#include <minivit/simd/bf16.hpp>

namespace minivit::inline MINIVIT_ISA::simd {

/// How `sweep` reads and writes a whole register, and the last elements that fill only a part of one. `load(p)` leaves
/// the missing lanes zero, `load(p, fill)` takes them from `fill`. bf16 in memory is widened and rounded.
template <class T, class Arch>
struct Whole {
  /// A whole register, widened.
  template <class X>
  Batch<T, Arch> load(const X* p) const {
    return simd::load<Arch>(p);
  }
  /// Nothing is missing.
  Batch<T, Arch> load(const T* p, const Batch<T, Arch>&) const { return Batch<T, Arch>::load_unaligned(p); }
  /// A whole register, rounded to Y.
  template <class Y>
  void store(Y* p, const Batch<T, Arch>& v) const {
    simd::store<Arch>(p, v);
  }
};
/// The last elements, fewer than a register holds; see Whole. Nothing behind them is read or written.
template <class T, class Arch>
struct Part {
  Index count;  ///< elements there are, fewer than lanes
  /// The missing lanes are 0.
  template <class X>
  Batch<T, Arch> load(const X* p) const {
    return simd::load_partial<Arch>(p, count);
  }
  /// The rest is taken from `fill`.
  Batch<T, Arch> load(const T* p, const Batch<T, Arch>& fill) const { return load_partial(p, count, fill); }
  /// The first `count` lanes.
  template <class Y>
  void store(Y* p, const Batch<T, Arch>& v) const {
    simd::store_partial<Arch>(p, v, count);
  }
};

/// Walks over n elements one register at a time: f(i, io, k) with the first element i, io a Whole or a Part, and k a
/// constant in 0..3 that names one of four accumulators, so that sums do not wait for each other.
template <class Arch, class T, class F>
inline void sweep(Index n, F&& f) {
  constexpr Index step = lanes<T, Arch>;
  using std::integral_constant;
  const Whole<T, Arch> whole;
  Index i = 0;
  for (; i + 4 * step <= n; i += 4 * step) {
    f(i, whole, integral_constant<int, 0>{});
    f(i + step, whole, integral_constant<int, 1>{});
    f(i + 2 * step, whole, integral_constant<int, 2>{});
    f(i + 3 * step, whole, integral_constant<int, 3>{});
  }
  for (; i + step <= n; i += step) f(i, whole, integral_constant<int, 0>{});
  if (i < n) f(i, Part<T, Arch>{n - i}, integral_constant<int, 0>{});
}

/// The same for work in which no element waits for another and which is long enough that a loop around it costs nothing:
/// f(i, io), not four times over.
template <class Arch, class T, class F>
inline void each(Index n, F&& f) {
  constexpr Index step = lanes<T, Arch>;
  Index i = 0;
  for (; i + step <= n; i += step) f(i, Whole<T, Arch>{});
  if (i < n) f(i, Part<T, Arch>{n - i});
}

}  // namespace minivit::inline MINIVIT_ISA::simd
