// SPDX-License-Identifier: MIT
// Guarded: test memory that notices every access outside a matrix. NaN stands before it and in the padding between its
// rows (a read that matters spoils the result, a write is found by `intact`), and its last element is the last of a page
// with no page behind it (any access there ends the program).
#pragma once

#include <minivit/core/random.hpp>
#include <minivit/simd/batch.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <utility>
#include <vector>

namespace kernel_test {

using minivit::Index;

/// `rows` rows of `n` elements, `ld` elements apart; ld >= n.
template <class T>
class Guarded {
 public:
  explicit Guarded(Index n) : Guarded(1, n, n) {}
  Guarded(Index rows, Index n, Index ld) : rows_(rows), n_(n), ld_(ld) {
    const Index used = (rows - 1) * ld + n;
    const Index page = static_cast<Index>(sysconf(_SC_PAGESIZE));
    const Index bytes = (used + front) * static_cast<Index>(sizeof(T));
    const Index pages = (bytes + page - 1) / page * page;
    bytes_ = static_cast<std::size_t>(pages + page);
    block_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block_ == MAP_FAILED) throw std::bad_alloc();
    mprotect(static_cast<char*>(block_) + pages, static_cast<std::size_t>(page), PROT_NONE);
    data_ = static_cast<T*>(block_) + pages / static_cast<Index>(sizeof(T)) - used;
    for (T* p = data_ - front; p != data_ + used; ++p) *p = canary();
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(block_, bytes_); }

  T* data() { return data_; }
  const T* data() const { return data_; }
  Index rows() const { return rows_; }
  Index n() const { return n_; }
  Index ld() const { return ld_; }
  T& operator()(Index r, Index i) { return data_[r * ld_ + i]; }
  const T& operator()(Index r, Index i) const { return data_[r * ld_ + i]; }

  /// Sets every element to f(row, column).
  template <class F>
  Guarded& fill_with(F&& f) {
    for (Index r = 0; r < rows_; ++r)
      for (Index i = 0; i < n_; ++i) (*this)(r, i) = static_cast<T>(f(r, i));
    return *this;
  }
  /// Uniform numbers in [low, high), the same for every element type as far as its precision goes.
  Guarded& fill_random(Index seed, double low = -2, double high = 2) {
    const minivit::Random random(static_cast<std::uint64_t>(seed));
    return fill_with([&](Index r, Index i) {
      return static_cast<float>(low + (high - low) * random.uniform(static_cast<std::uint64_t>(r * 4096 + i)));
    });
  }
  Guarded& fill(T value) {
    return fill_with([&](Index, Index) { return value; });
  }
  Guarded& copy(const Guarded& other) {
    return fill_with([&](Index r, Index i) { return other(r, i); });
  }

  /// Nobody wrote before the matrix or between its rows.
  bool intact() const {
    const T expected = canary();
    const auto whole = [&](const T* p) { return std::memcmp(p, &expected, sizeof(T)) == 0; };
    for (Index i = 1; i <= front; ++i)
      if (!whole(data_ - i)) return false;
    for (Index r = 0; r + 1 < rows_; ++r)
      for (Index i = n_; i < ld_; ++i)
        if (!whole(data_ + r * ld_ + i)) return false;
    return true;
  }

  /// The elements as doubles, rows without padding.
  std::vector<double> doubles() const {
    std::vector<double> out;
    out.reserve(static_cast<std::size_t>(rows_ * n_));
    for (Index r = 0; r < rows_; ++r)
      for (Index i = 0; i < n_; ++i) out.push_back(static_cast<double>((*this)(r, i)));
    return out;
  }

 private:
  static constexpr Index front = 64;
  static T canary() { return std::numeric_limits<T>::quiet_NaN(); }

  Index rows_, n_, ld_;
  std::size_t bytes_ = 0;
  void* block_ = nullptr;
  T* data_ = nullptr;
};

/// Largest |got - want| in units of epsilon<T> * max(|want|, scale). NaN matches only NaN; an infinity only itself.
template <class T>
double worst_error(const Guarded<T>& got, const std::vector<double>& want, double scale) {
  double worst = 0;
  std::size_t k = 0;
  for (Index r = 0; r < got.rows(); ++r)
    for (Index i = 0; i < got.n(); ++i, ++k) {
      const double g = static_cast<double>(got(r, i)), w = want[k];
      if (g == w || (std::isnan(g) && std::isnan(w))) continue;
      const double unit = static_cast<double>(std::numeric_limits<T>::epsilon()) * std::fmax(std::fabs(w), scale);
      const double e = std::fabs(g - w) / unit;
      if (!(e <= worst)) worst = std::isnan(e) ? std::numeric_limits<double>::infinity() : e;
    }
  return worst;
}

/// Calls f(n) for every length that a kernel may treat differently: 1 to two registers and one, a register more and less
/// than the unrolled loop of four, and longer odd ones.
template <class T, class Arch, class F>
void for_lengths(F&& f) {
  constexpr Index lanes = minivit::simd::lanes<T, Arch>;
  for (Index n = 1; n <= 2 * lanes + 1; ++n) f(n);
  for (const Index n : {3 * lanes + 1, 4 * lanes - 1, 4 * lanes, 4 * lanes + 1, 5 * lanes + 3, 8 * lanes + 5, Index{197}})
    f(n);
}

}  // namespace kernel_test
