// SPDX-License-Identifier: MIT
// Files for tests: a disk that is full, and safetensors bytes put together by hand, wrong ones included.
#pragma once

#include "../catch.hpp"
#include "../scratch.hpp"

#include <minivit/io/safetensors.hpp>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <sys/resource.h>

namespace io_test {

using scratch::Folder, scratch::contains, scratch::message_of;

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
  return message_of([&] { parse(bytes); });
}

/// `text` with `to` for the first `from`, which must be there.
inline std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace io_test
