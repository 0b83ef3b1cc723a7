// SPDX-License-Identifier: MIT
// Threads: the only includer of oneTBB. Work is cut by the size of the problem, never by the number of threads, and
// each piece writes its own output, so results are the same for every thread count. Define MINIVIT_NO_TBB for a
// serial build.
#pragma once

#include <minivit/core/cpu_quota.hpp>
#include <minivit/core/view.hpp>

#include <algorithm>
#include <memory>
#include <type_traits>

#ifndef MINIVIT_NO_TBB
#include <oneapi/tbb/info.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#endif

namespace minivit::inline MINIVIT_ISA {

/// A number of workers to run loops on. Created once per engine; does not touch the program's global settings.
class Threads {
 public:
  /// Threads the process may use here: its affinity mask and, as it was when first asked, the quota of its container are
  /// honoured.
  static int available() {
#ifdef MINIVIT_NO_TBB
    return 1;
#else
    static const int quota = cpu_quota();
    const int processors = std::max(1, oneapi::tbb::info::default_concurrency());
    return quota > 0 ? std::min(quota, processors) : processors;
#endif
  }

  /// `count` workers; 0 means all that are available. More than available is allowed: they take turns.
  explicit Threads(int count = 0) : count_(count > 0 ? count : available()) {
#ifndef MINIVIT_NO_TBB
    // asking oneTBB for more than may run makes it complain on stderr
    if (running() > 1) arena_ = std::make_unique<oneapi::tbb::task_arena>(running());
#endif
  }

  int count() const { return count_; }  ///< workers asked for; `worker` of for_each is below it
  /// How many of them run at the same time: fewer than count() when the process may not use so many.
  int running() const { return std::min(count_, available()); }

  /// Calls f(i) or f(i, worker) for every i in [0, n), in any order, each exactly once; rethrows the first exception.
  /// `worker` is in [0, count()), and no two calls with the same worker run at the same time: it names a private arena.
  template <class F>
  void for_each(Index n, F&& f) const {
    using Body = std::remove_reference_t<F>;
    each(n, {body_of(f), [](void* body, Index i, int worker) {
               if constexpr (std::is_invocable_v<Body&, Index, int>) (*static_cast<Body*>(body))(i, worker);
               else (*static_cast<Body*>(body))(i);
             }});
  }

  /// Calls f on this thread as one of the workers, so that loops inside it start without delay.
  template <class F>
  void run(F&& f) const {
    using Body = std::remove_reference_t<F>;
    inside({body_of(f), [](void* body, Index, int) { (*static_cast<Body*>(body))(); }});
  }

  /// Cuts [0, n) into pieces of `grain` (the last may be shorter) and calls f(begin, end) for each.
  template <class F>
  void for_ranges(Index n, Index grain, F&& f) const {
    const Index pieces = (n + grain - 1) / grain;
    for_each(pieces, [&](Index p) { f(p * grain, std::min(n, (p + 1) * grain)); });
  }

 private:
  /// Any callable as a pointer and a function: oneTBB's templates are compiled once for all loops, not for each.
  struct Call {
    void* body;
    void (*function)(void*, Index, int);
    void operator()(Index i, int worker) const { function(body, i, worker); }
  };
  template <class F>
  static void* body_of(F& f) {
    return const_cast<void*>(static_cast<const volatile void*>(std::addressof(f)));
  }

  void each(Index n, Call call) const {
#ifndef MINIVIT_NO_TBB
    if (arena_ && n > 1) {
      arena_->execute([&] {
        oneapi::tbb::parallel_for(
            Index{0}, n, [call](Index i) { call(i, oneapi::tbb::this_task_arena::current_thread_index()); },
            oneapi::tbb::simple_partitioner{});
      });
      return;
    }
#endif
    for (Index i = 0; i < n; ++i) call(i, 0);
  }

  void inside(Call call) const {
#ifndef MINIVIT_NO_TBB
    if (arena_) {
      arena_->execute([call] { call(0, 0); });
      return;
    }
#endif
    call(0, 0);
  }

  int count_;
#ifndef MINIVIT_NO_TBB
  std::unique_ptr<oneapi::tbb::task_arena> arena_;
#endif
};

}  // namespace minivit::inline MINIVIT_ISA
