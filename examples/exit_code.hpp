// SPDX-License-Identifier: MIT
// How the programs here end when something is thrown: one line on stderr, and an exit code that tells a script whether its
// command line and files are to blame (2) or not (1). Stopping by a signal is no failure; its 130 comes from the training
// itself (train/signals.hpp).
#pragma once

#include <minivit/core/errors.hpp>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>

namespace programs {

inline constexpr int failed = 1;   ///< not the input's fault: no memory, results that cannot be printed
inline constexpr int refused = 2;  ///< the command line, a file or the data cannot be used

/// What body() returns, or the code of what it throws after a line that begins with `program`.
template <class Body>
int exit_code_of(const char* program, Body&& body) {
  const auto say = [&](const char* what, int code) {
    std::fprintf(stderr, "%s: %s\n", program, what);  // fmt would throw again when stderr is gone
    return code;
  };
  try {
    return body();
  } catch (const minivit::Error& e) {
    return say(e.what(), refused);
  } catch (const std::filesystem::filesystem_error& e) {  // about a path that was asked for
    return say(minivit::printable(e.what(), 400).c_str(), refused);
  } catch (const std::bad_alloc&) {
    return say("not enough memory", failed);
  } catch (const std::exception& e) {
    return say(e.what(), failed);
  }
}

}  // namespace programs
