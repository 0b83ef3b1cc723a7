// SPDX-License-Identifier: MIT
// read_file and write_file: whole files with checked sizes and the system's own words on failure. A directory, device
// or FIFO is refused without blocking. Does not write atomically and does not map; checkpoints have their own writer.
#pragma once

#include <minivit/core/errors.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#define MINIVIT_POSIX_FILES 1  ///< the system has open() and fsync()
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// `fail` with every field given, which -Wmissing-field-initializers asks for.
[[noreturn, gnu::cold]] inline void fail_with(std::string_view where, std::string_view what, std::string_view expected = {},
                                              std::string_view found = {}, std::string_view hint = {}) {
  fail({.where = where, .what = what, .expected = expected, .found = found, .hint = hint});
}

[[noreturn, gnu::cold]] inline void fail_errno(std::string_view verb, const std::filesystem::path& path, int error) {
  const std::string where = concat({verb, " ", path.string()});
  fail_with(where, std::generic_category().message(error));
}

/// Closes a file descriptor at the end of a scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
#ifdef MINIVIT_POSIX_FILES
    if (fd_ >= 0) ::close(fd_);
#endif
  }
  int get() const { return fd_; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};
}  // namespace detail

/// The bytes of a regular file of at most `limit` bytes; the size is checked before memory is asked for.
/// Throws Error that names the file: missing, no permission, not a regular file, too large, changed while reading.
inline std::vector<std::byte> read_file(const std::filesystem::path& path, std::uint64_t limit) {
  const std::string where = "read " + path.string();
  std::vector<std::byte> bytes;
  const auto check_size = [&](std::uint64_t size) {
    if (size <= limit) return;
    const std::string most = concat({"at most ", limit, " bytes"});
    const std::string got = std::to_string(size);
    detail::fail_with(where, "the file is too large", most, got);
  };
#ifdef MINIVIT_POSIX_FILES
  const detail::Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not block
  if (file.get() < 0) detail::fail_errno("read", path, errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) detail::fail_errno("read", path, errno);
  if (!S_ISREG(status.st_mode)) {
    const char* const kind = S_ISDIR(status.st_mode)    ? "a directory"
                             : S_ISFIFO(status.st_mode) ? "a FIFO"
                                                        : "a device or socket";
    detail::fail_with(where, "not a regular file", {}, kind);
  }
  check_size(static_cast<std::uint64_t>(status.st_size));
  bytes.resize(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) detail::fail_errno("read", path, errno);
    if (got == 0) detail::fail_with(where, "the file became shorter while it was read");
    done += static_cast<std::size_t>(got);
  }
#else
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error))
    detail::fail_with(where, error ? error.message() : std::string("not a regular file"));
  const auto size = static_cast<std::uint64_t>(std::filesystem::file_size(path, error));
  if (error) detail::fail_with(where, error.message());
  check_size(size);
  bytes.resize(static_cast<std::size_t>(size));
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size)))
    detail::fail_with(where, "reading failed");
#endif
  return bytes;
}

/// Creates or replaces a file. Throws Error that names the file. A failure can leave a part of it behind.
inline void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
#ifdef MINIVIT_POSIX_FILES
  detail::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
  if (file.get() < 0) detail::fail_errno("write", path, errno);
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto put = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) detail::fail_errno("write", path, errno);
    done += static_cast<std::size_t>(put);
  }
  if (::close(file.release()) != 0) detail::fail_errno("write", path, errno);  // some file systems report a full disk here
#else
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) detail::fail_with("write " + path.string(), "writing failed");
#endif
}

}  // namespace minivit::inline MINIVIT_ISA
