// SPDX-License-Identifier: MIT
// StopRequest: Ctrl-C, SIGTERM, a terminal or a pipe that closes become a flag that the trainer polls between steps, so that
// it can save before it ends. POSIX only; on other systems the flag never rises.
#pragma once

#include <minivit/core/view.hpp>

#include <array>
#include <atomic>
#include <csignal>

#if __has_include(<unistd.h>)
#define MINIVIT_POSIX_SIGNALS 1  ///< the system has sigaction()
#include <time.h>
#endif

namespace minivit::inline MINIVIT_ISA {

/// While one exists, the first SIGINT or SIGTERM raises the flag; the same signal half a second later or more ends the
/// program at once, in case saving hangs. (Sooner it counts as the same request: `timeout` and other wrappers send each
/// signal twice.) SIGHUP does the same, and SIGPIPE raises the flag only, where the program has left them at their default:
/// `nohup` goes on working, and a program that handles broken pipes itself is not disturbed. The destructor restores the
/// previous handlers. Only one at a time; keep it in main or in the trainer.
class StopRequest {
 public:
  /// What a program returns that stopped because of it, whatever the signal.
  static constexpr int stopped_exit_code = 130;

  /// Lowers the flag and takes over the signals.
  StopRequest() {
    flag() = 0;
#ifdef MINIVIT_POSIX_SIGNALS
    struct sigaction action {};
    action.sa_handler = &StopRequest::handle;
    action.sa_flags = static_cast<int>(SA_RESTART);  // no EINTR in file writes
    sigemptyset(&action.sa_mask);
    for (Handled& h : handled_) {
      sigaction(h.signal, nullptr, &h.before);
      h.taken = h.always || h.before.sa_handler == SIG_DFL;
      if (h.taken) sigaction(h.signal, &action, nullptr);
    }
#endif
  }
  StopRequest(const StopRequest&) = delete;             ///< handlers belong to one object
  StopRequest& operator=(const StopRequest&) = delete;  ///< nor is it assigned
  /// Puts the previous handlers back.
  ~StopRequest() {
#ifdef MINIVIT_POSIX_SIGNALS
    for (const Handled& h : handled_)
      if (h.taken) sigaction(h.signal, &h.before, nullptr);
#endif
  }

  bool requested() const { return flag() != 0; }  ///< a signal has come; cheap enough for every step
  /// Number of the signal that came last; 0 when none has come.
  int signal() const { return flag(); }
  /// stopped_exit_code, or 0 without a signal.
  int exit_code() const { return requested() ? stopped_exit_code : 0; }

 private:
  static std::atomic<int>& flag() {
    static_assert(std::atomic<int>::is_always_lock_free, "StopRequest: a signal handler needs a lock-free flag");
    static constinit std::atomic<int> value{0};
    return value;
  }
#ifdef MINIVIT_POSIX_SIGNALS
  struct Handled {
    int signal = 0;
    bool always = false;
    bool taken = false;
    struct sigaction before {};  ///< what handled the signal before
  };

  /// When the signal of flag() came first, in nanoseconds.
  static std::atomic<long long>& since() {
    static_assert(std::atomic<long long>::is_always_lock_free, "StopRequest: a signal handler needs a lock-free time");
    static constinit std::atomic<long long> value{0};
    return value;
  }

  /// Runs as a signal handler: only lock-free atomics and async-signal-safe calls.
  static void handle(int signal) {
    if (signal == SIGPIPE) {  // comes with every further line of output, also after a Ctrl-C that ended the reader, too
      int none = 0;
      flag().compare_exchange_strong(none, signal);
      return;
    }
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    const long long now = t.tv_sec * 1'000'000'000LL + t.tv_nsec;
    if (flag() != signal) {
      since() = now;
      flag() = signal;
    } else if (now - since() >= 500'000'000) {
      std::signal(signal, SIG_DFL);
      std::raise(signal);  // is delivered when this handler returns
    }
  }

  std::array<Handled, 4> handled_{
      {{.signal = SIGINT, .always = true}, {.signal = SIGTERM, .always = true}, {.signal = SIGHUP}, {.signal = SIGPIPE}}};
#endif
};

}  // namespace minivit::inline MINIVIT_ISA
