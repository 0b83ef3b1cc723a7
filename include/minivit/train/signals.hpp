// SPDX-License-Identifier: MIT
// StopRequest: Ctrl-C and SIGTERM become a flag that the trainer polls between steps, so that it can save before it
// ends. POSIX only; on other systems the flag never rises.
#pragma once

#include <minivit/core/view.hpp>

#include <atomic>
#include <csignal>

#if __has_include(<unistd.h>)
#define MINIVIT_POSIX_SIGNALS 1
#endif

namespace minivit::inline MINIVIT_ISA {

/// While one exists, the first SIGINT or SIGTERM raises the flag; the same signal once more ends the program at once, in
/// case saving hangs. The destructor restores the previous handlers. Only one at a time; keep it in main or in the trainer.
class StopRequest {
 public:
  StopRequest() {
    flag() = 0;
#ifdef MINIVIT_POSIX_SIGNALS
    struct sigaction action {};
    action.sa_handler = [](int signal) { flag() = signal; };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);  // default action for the second; no EINTR in file writes
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &old_int_);
    sigaction(SIGTERM, &action, &old_term_);
#endif
  }
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;
  ~StopRequest() {
#ifdef MINIVIT_POSIX_SIGNALS
    sigaction(SIGINT, &old_int_, nullptr);
    sigaction(SIGTERM, &old_term_, nullptr);
#endif
  }

  bool requested() const { return flag() != 0; }
  /// Number of the signal that came last; 0 when none has come.
  int signal() const { return flag(); }
  /// What a program that stopped because of it should return: 130 after Ctrl-C, 143 after SIGTERM, 0 without a signal.
  int exit_code() const { return requested() ? 128 + signal() : 0; }

 private:
  static std::atomic<int>& flag() {
    static_assert(std::atomic<int>::is_always_lock_free, "StopRequest: a signal handler needs a lock-free flag");
    static constinit std::atomic<int> value{0};
    return value;
  }
#ifdef MINIVIT_POSIX_SIGNALS
  struct sigaction old_int_ {};
  struct sigaction old_term_ {};
#endif
};

}  // namespace minivit::inline MINIVIT_ISA
