// SPDX-License-Identifier: MIT
// What every refusal must be, whatever the bytes: an Error of one line, short, without control characters, that names the
// input. Anything else that is thrown ends the program, which a fuzzer notices.
#pragma once

#include <minivit/core/errors.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string_view>

namespace fuzz {

namespace mv = minivit;

/// The name that targets give their input.
inline constexpr const char* input_name = "fuzzed.input";

/// Calls f() and looks at the Error that it may throw.
template <class F>
void refuse_or_accept(F&& f) {
  try {
    f();
  } catch (const mv::Error& error) {
    const std::string_view message = error.what();
    const bool clean = std::ranges::none_of(message,
                                            [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
    if (clean && !message.empty() && message.size() <= 500 && message.find(input_name) != message.npos) return;
    std::fprintf(stderr, "a bad message of %zu bytes: %.*s\n", message.size(),
                 static_cast<int>(std::min<std::size_t>(message.size(), 1000)), message.data());
    std::abort();
  }
}

inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Reads every byte, so that a sanitizer sees those that nobody wrote.
inline void look_at(const void* bytes, std::size_t count) {
  unsigned sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += static_cast<const unsigned char*>(bytes)[i];
  if (sum == ~0u) std::fputs("unlikely\n", stderr);
}

}  // namespace fuzz
