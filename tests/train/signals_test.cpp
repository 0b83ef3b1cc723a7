// SPDX-License-Identifier: MIT
// Signals: the flag, the second Ctrl-C, and the handlers before and after.
#include <minivit/train/signals.hpp>

#include "catch.hpp"

#include <csignal>

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace signals_test {

using namespace minivit;

namespace {
volatile std::sig_atomic_t earlier_handler_calls = 0;
void earlier_handler(int) { earlier_handler_calls = earlier_handler_calls + 1; }

/// How a child ended that called f().
template <class F>
int status_of_child(F&& f) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE})
      std::signal(signal, SIG_DFL);  // the test framework has handlers
    f();
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

void wait_past_the_grace() {
  timespec t{.tv_sec = 0, .tv_nsec = 600'000'000};
  nanosleep(&t, nullptr);
}
}  // namespace

TEST_CASE("signals: Ctrl-C and SIGTERM raise the flag, a new guard starts without", "[train]") {
  for (const int signal : {SIGINT, SIGTERM}) {
    StopRequest stop;
    CHECK(!stop.requested());
    CHECK(stop.exit_code() == 0);
    std::raise(signal);
    CHECK(stop.requested());
    CHECK(stop.signal() == signal);
    CHECK(stop.exit_code() == 130);
  }
}

TEST_CASE("signals: the earlier handlers are back afterwards", "[train]") {
  struct sigaction mine {
  }, before{};
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

TEST_CASE("signals: the same signal half a second later ends the program", "[train]") {
  const int status = status_of_child([] {
    StopRequest stop;
    std::raise(SIGTERM);
    if (!stop.requested()) _exit(1);
    wait_past_the_grace();
    std::raise(SIGTERM);
    _exit(2);
  });
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
}

TEST_CASE("signals: one that is sent twice at once, as by timeout(1), is one request", "[train]") {
  CHECK(status_of_child([] {
          StopRequest stop;
          for (int i = 0; i < 3; ++i) std::raise(SIGINT);
          std::raise(SIGTERM);
          _exit(stop.requested() && stop.exit_code() == 130 ? 0 : 1);
        }) == 0);
}

TEST_CASE("signals: a closed terminal and a broken pipe are requests, too, unless the program has its own mind about them",
          "[train]") {
  CHECK(status_of_child([] {
          StopRequest stop;
          std::raise(SIGHUP);
          _exit(stop.signal() == SIGHUP && stop.exit_code() == 130 ? 0 : 1);
        }) == 0);
  CHECK(status_of_child([] {
          int ends[2];
          if (pipe(ends) != 0) _exit(1);
          close(ends[0]);
          StopRequest stop;
          if (write(ends[1], "x", 1) != -1 || stop.signal() != SIGPIPE || stop.exit_code() != 130) _exit(2);
          wait_past_the_grace();
          if (write(ends[1], "x", 1) != -1) _exit(3);  // never ends the program: it still has to say that it saved
          std::raise(SIGINT);
          if (write(ends[1], "x", 1) != -1) _exit(4);
          _exit(stop.signal() == SIGINT ? 0 : 5);  // a pipe that breaks does not hide the reason
        }) == 0);
  CHECK(status_of_child([] {
          earlier_handler_calls = 0;
          std::signal(SIGHUP, SIG_IGN);  // nohup
          std::signal(SIGPIPE, earlier_handler);
          {
            StopRequest stop;
            std::raise(SIGHUP);
            std::raise(SIGPIPE);
            if (stop.requested() || earlier_handler_calls != 1) _exit(1);
          }
          std::raise(SIGHUP);
          std::raise(SIGPIPE);
          _exit(earlier_handler_calls == 2 ? 0 : 2);
        }) == 0);
}

}  // namespace signals_test
