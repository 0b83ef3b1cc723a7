// SPDX-License-Identifier: MIT
// Arena: where every temporary of a forward or backward pass lives. The same model code runs on three kinds:
//   counting  no memory at all; the compiler runs the pass on it to learn how much the real ones need
//   rewind    inference: a Scope gives its memory back when it ends
//   keep      training: a Scope keeps everything, because backward needs it; only a Scratch gives back
//   recompute training in less memory: of each layer only the input is kept, and backward runs the layer's forward again
// It also knows who else may work on the pass: ops cut their rows with split().
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/core/profile.hpp>
#include <minivit/core/threads.hpp>

#include <cassert>

namespace minivit::inline MINIVIT_ISA {

/// What a Scope does with its memory when it ends.
enum class Memory {
  rewind,    ///< gives it back: inference, and the layers that backward runs again
  keep,      ///< keeps it, because backward reads it: training
  recompute  ///< keeps of each layer only its input: training in less memory
};

/// Hands out aligned arrays of T from one block. Never allocates. Usable in constant expressions.
template <class T>
class Arena {
 public:
  /// Counts only: every view it hands out is null, and `peak()` tells how many elements a real arena needs.
  explicit constexpr Arena(Memory memory) : memory_(memory) {}
  /// Works inside [base, base + capacity). Precondition: `base` is aligned to 64 bytes.
  constexpr Arena(T* base, Index capacity, Memory memory) : base_(base), capacity_(capacity), memory_(memory) {}

  constexpr bool counting() const { return base_ == nullptr; }  ///< hands out null views and only measures
  /// A Scope keeps its memory: `Memory::keep` and `Memory::recompute`.
  constexpr bool keeps() const { return memory_ != Memory::rewind; }
  /// Backward is to run each layer's forward again.
  constexpr bool recomputes() const { return memory_ == Memory::recompute; }
  constexpr Index used() const { return used_; }  ///< elements taken and not given back
  constexpr Index peak() const { return peak_; }  ///< most that used() ever was: what a real arena needs
  constexpr void reset() { used_ = 0; }  ///< gives everything back; views handed out before are invalid, peak() stays

  /// Lets ops use `workers` threads of `team` (null while counting). Every piece of working memory that a thread needs for
  /// itself is then taken `workers` times.
  constexpr void share(const Threads* team, int workers) {
    team_ = team;
    workers_ = workers;
  }
  constexpr int workers() const { return workers_; }  ///< threads that share(), else 1; each needs working memory of its own

  /// Calls f(first, count, worker) for pieces of [0, n), whole multiples of `step` but for the last, each by one thread and
  /// with a `worker` in [0, workers()) of its own. One piece when there is nobody to help or the work is too small: `cost`
  /// is about that of one of the n, in multiply-adds. What is computed must not depend on the cut. Precondition: step >= 1.
  template <class F>
  constexpr void split(Index n, Index step, Index cost, F&& f) const {
    constexpr Index worthwhile = 500'000;  // multiply-adds, about 10 us; handing a piece over takes 2 to 5 us
    if (!team_ || workers_ < 2 || n <= step || n * cost < worthwhile) {
      f(Index{0}, n, 0);
      return;
    }
    const Index steps = (n + step - 1) / step, size = (steps + workers_ - 1) / workers_ * step;
    team_->for_each((n + size - 1) / size, [&](Index i) { f(i * size, std::min(size, n - i * size), static_cast<int>(i)); });
  }

  /// An uninitialised array with static extents.
  template <int... Extents>
  requires(!View<T, Extents...>::dynamic) constexpr View<T, Extents...> take() {
    return View<T, Extents...>(raw(View<T, Extents...>().size()));
  }
  /// An uninitialised array for `batch` samples.
  template <int... Extents>
  requires(View<T, Extents...>::dynamic) constexpr View<T, Extents...> take(Index batch) {
    return View<T, Extents...>(raw(View<T, Extents...>(nullptr, batch).size()), batch);
  }
  /// `count` uninitialised elements; null when counting.
  constexpr T* raw(Index count) {
    T* const at = counting() ? nullptr : base_ + used_;
    used_ += aligned_count<T>(count);
    if (used_ > peak_) peak_ = used_;
    assert(counting() || used_ <= capacity_);  // the plan was made by the same code, so this cannot fail on user input
    return at;
  }

  /// Gives back, when it ends, what was taken since it began; in a keeping arena it does nothing.
  class Scope {
   public:
    /// What is taken from `arena` from here on is given back at the end: always, or unless the arena keeps.
    explicit constexpr Scope(Arena& arena, bool always = false)
        : arena_(arena), mark_(arena.used_), active_(always || !arena.keeps()) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    /// Gives back; in a keeping arena without `always` it does nothing.
    constexpr ~Scope() {
      if (active_) arena_.used_ = mark_;
    }

   private:
    Arena& arena_;
    Index mark_;
    bool active_;
  };
  /// Temporaries of one block of the model.
  [[nodiscard]] constexpr Scope scope() { return Scope(*this); }
  /// Temporaries that nobody needs afterwards, not even backward.
  [[nodiscard]] constexpr Scope scratch() { return Scope(*this, true); }

 private:
  T* base_ = nullptr;
  Index capacity_ = 0;
  Index used_ = 0;
  Index peak_ = 0;
  Memory memory_;
  const Threads* team_ = nullptr;
  int workers_ = 1;
};

}  // namespace minivit::inline MINIVIT_ISA
