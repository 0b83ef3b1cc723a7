// SPDX-License-Identifier: MIT
// Files for tests: a folder that vanishes with the test, a disk that is full, and safetensors bytes put together by hand, wrong
// ones included.
#pragma once

#include "../catch.hpp"

#include <minivit/io/safetensors.hpp>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <stdlib.h>
#include <sys/resource.h>

namespace io_test {

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

/// Writes fail with EFBIG past `bytes` until the end of the scope.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit = old_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  void (*handler_)(int);
  rlimit old_{};
};

inline void put(const std::string& path, std::string_view content) {
  std::ofstream(path, std::ios::binary).write(content.data(), static_cast<std::streamsize>(content.size()));
}
inline std::string get(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::string length_bytes(std::uint64_t n) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>((n >> (8 * i)) & 255u);
  return bytes;
}
/// A file with that header and that many data bytes 0, 1, 2, ...
inline std::string raw(std::string_view header, std::size_t data_bytes) {
  std::string bytes = length_bytes(header.size()) + std::string(header);
  for (std::size_t i = 0; i < data_bytes; ++i) bytes += static_cast<char>(i & 255u);
  return bytes;
}

inline minivit::SafeTensors parse(std::string_view bytes) {
  return minivit::SafeTensors::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), "file.safetensors");
}
/// The message with which the bytes are refused; empty when they are accepted.
inline std::string refusal(std::string_view bytes) {
  try {
    parse(bytes);
    return {};
  } catch (const minivit::Error& e) {
    return e.what();
  }
}
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

inline bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }
/// `text` with `to` for the first `from`, which must be there.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace io_test
