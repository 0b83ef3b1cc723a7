// SPDX-License-Identifier: MIT
// What an error says, and a folder that vanishes with the test.
#pragma once

#include "catch.hpp"
#include "scratch_folder.hpp"

#include <minivit/core/errors.hpp>

#include <string>
#include <string_view>

namespace scratch {

/// The message of the Error that f() throws; empty when it throws none.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
    return {};
  } catch (const minivit::Error& e) {
    return e.what();
  }
}

/// Whether `part` is in `text`, which is shown when a check fails.
inline bool contains(std::string_view text, std::string_view part) {
  UNSCOPED_INFO(text);
  return text.find(part) != std::string_view::npos;
}

}  // namespace scratch
