// SPDX-License-Identifier: MIT
// A folder that vanishes with the scope; for tests and for fuzz targets, which have no Catch2.
#pragma once

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

}  // namespace scratch
