// SPDX-License-Identifier: MIT
// A folder that vanishes with the test, and what an error says.
#pragma once

#include "catch.hpp"

#include <minivit/core/errors.hpp>

#include <filesystem>
#include <iterator>
#include <string>
#include <string_view>

#include <stdlib.h>

namespace scratch {

/// A new empty folder, removed with everything in it at the end of the scope.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "minivit-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }
  /// Names in the folder.
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

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
