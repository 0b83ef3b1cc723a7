// SPDX-License-Identifier: MIT
// Signals: the flag, the second Ctrl-C, and the handlers before and after.
#include <minivit/train/signals.hpp>

#include "catch.hpp"

#include <csignal>

#include <sys/wait.h>
#include <unistd.h>

using namespace minivit;

namespace {
volatile std::sig_atomic_t earlier_handler_calls = 0;
void earlier_handler(int) { earlier_handler_calls = earlier_handler_calls + 1; }
}  // namespace

TEST_CASE("signals: Ctrl-C and SIGTERM raise the flag, a new guard starts without", "[train]") {
  for (const int signal : {SIGINT, SIGTERM}) {
    StopRequest stop;
    CHECK(!stop.requested());
    CHECK(stop.exit_code() == 0);
    std::raise(signal);
    CHECK(stop.requested());
    CHECK(stop.signal() == signal);
    CHECK(stop.exit_code() == 128 + signal);
  }
}

TEST_CASE("signals: the earlier handlers are back afterwards", "[train]") {
  struct sigaction mine {}, before {};
  mine.sa_handler = earlier_handler;
  sigaction(SIGINT, &mine, &before);
  earlier_handler_calls = 0;
  {
    StopRequest stop;
    std::raise(SIGINT);
    CHECK(stop.requested());
    CHECK(earlier_handler_calls == 0);
  }
  std::raise(SIGINT);
  CHECK(earlier_handler_calls == 1);
  sigaction(SIGINT, &before, nullptr);
}

TEST_CASE("signals: the same signal once more ends the program", "[train]") {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGTERM, SIG_DFL);  // the test framework has handlers of its own
    StopRequest stop;
    std::raise(SIGTERM);
    if (!stop.requested()) _exit(1);
    std::raise(SIGTERM);
    _exit(2);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
}
