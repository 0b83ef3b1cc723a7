// SPDX-License-Identifier: MIT
// The operating-system calls behind file.hpp, each a few lines over one POSIX call. A port to another system replaces
// this file only. Functions report failure by value and leave the wording to file.hpp.
#pragma once

#include <minivit/core/isa.hpp>

#if !__has_include(<unistd.h>)
#error "minivit: io needs a port of minivit/io/posix_file.hpp to this system"
#endif

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace minivit::inline MINIVIT_ISA::os {

/// Text of the last system error of this thread.
inline std::string last_error() { return std::generic_category().message(errno); }

/// Owns a file descriptor.
class File {
 public:
  File() = default;                                           ///< no file: not valid()
  explicit File(int descriptor) : descriptor_(descriptor) {}  ///< takes over what open() gave; -1: no file
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}  ///< `other` has no file afterwards
  /// Exchanges the two.
  File& operator=(File&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  bool valid() const { return descriptor_ >= 0; }  ///< there is a file
  int get() const { return descriptor_; }          ///< for system calls; still owned here
  /// Closes now; false when the system reports a late write error.
  bool close() { return ::close(std::exchange(descriptor_, -1)) == 0; }

 private:
  int descriptor_ = -1;
};

/// What a path leads to. Symbolic links are followed.
struct Status {
  bool exists = false;           ///< the path leads to something
  bool regular = false;          ///< a file with bytes: no folder, pipe, socket or device
  const char* kind = "nothing";  ///< "regular file", "folder", ...
  std::uint64_t size = 0;        ///< bytes, of a regular file only
};

/// What stat() says, in these terms.
inline Status describe(const struct stat& s) {
  Status status{.exists = true, .regular = S_ISREG(s.st_mode), .kind = "special file", .size = 0};
  if (S_ISREG(s.st_mode)) status.kind = "regular file";
  if (S_ISDIR(s.st_mode)) status.kind = "folder";
  if (S_ISFIFO(s.st_mode)) status.kind = "pipe";
  if (S_ISSOCK(s.st_mode)) status.kind = "socket";
  if (S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode)) status.kind = "device";
  if (status.regular && s.st_size > 0) status.size = static_cast<std::uint64_t>(s.st_size);
  return status;
}

/// Of an open file; asks by descriptor, so that nobody can put another one in its place. No file: does not exist.
inline Status status_of(const File& file) {
  struct stat s {};
  return ::fstat(file.get(), &s) == 0 ? describe(s) : Status{};
}

/// Of what stands there now.
inline Status status_of(const std::string& path) {
  struct stat s {};
  return ::stat(path.c_str(), &s) == 0 ? describe(s) : Status{};
}

/// Opens for reading and returns at once, also for a pipe that nobody writes to.
inline File open_to_read(const std::string& path) {
  int descriptor = -1;
  do descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  while (descriptor < 0 && errno == EINTR);
  return File(descriptor);
}

/// Creates a file that must not exist yet. The umask decides who may read it.
inline File create_new(const std::string& path) {
  int descriptor = -1;
  do descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
  while (descriptor < 0 && errno == EINTR);
  return File(descriptor);
}

/// True when the last create_new failed because the name was taken.
inline bool name_was_taken() { return errno == EEXIST; }

/// Reads at most `count` bytes: how many, 0 at the end, -1 on error.
inline std::ptrdiff_t read_some(const File& file, std::byte* to, std::size_t count) {
  ssize_t got = -1;
  do got = ::read(file.get(), to, count);
  while (got < 0 && errno == EINTR);
  return got;
}

/// Reads at most `count` bytes from byte `at` on: how many, 0 at the end, -1 on error. Where read_some() goes on is not
/// changed.
inline std::ptrdiff_t read_some_at(const File& file, std::uint64_t at, std::byte* to, std::size_t count) {
  ssize_t got = -1;
  do got = ::pread(file.get(), to, count, static_cast<off_t>(at));
  while (got < 0 && errno == EINTR);
  return got;
}

/// Writes at most `count` bytes: how many, -1 on error.
inline std::ptrdiff_t write_some(const File& file, const std::byte* from, std::size_t count) {
  ssize_t put = -1;
  do put = ::write(file.get(), from, count);
  while (put < 0 && errno == EINTR);
  return put;
}

/// Waits until the file's bytes are on the disk.
inline bool flush(const File& file) {
  int result = -1;
  do result = ::fsync(file.get());
  while (result != 0 && errno == EINTR);
  return result == 0;
}

/// A second descriptor of the same open file.
inline File copy_of(const File& file) { return File(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0)); }

/// Marks a new file as one that a living program writes, until the last descriptor of it is closed: the system sees to that,
/// also after kill -9. False when remove_abandoned() of another program was faster and takes the file away. A file system
/// without locks cannot mark; there abandoned files stay.
inline bool claim(const File& file) {
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) return errno != EWOULDBLOCK;
  struct stat s {};
  return ::fstat(file.get(), &s) != 0 || s.st_nlink > 0;
}

/// Removes the regular files in `folder` for whose names is_ours(name) holds and that nobody claims. What cannot be looked
/// at or removed is left alone without a word.
template <class IsOurs>
void remove_abandoned(const std::string& folder, IsOurs&& is_ours) {
  struct Close {
    void operator()(DIR* d) const { ::closedir(d); }
  };
  const std::unique_ptr<DIR, Close> entries(::opendir(folder.c_str()));
  if (!entries) return;
  while (const dirent* const entry = ::readdir(entries.get())) {
    if (!is_ours(std::string_view(entry->d_name))) continue;
    const std::string path = folder + "/" + entry->d_name;
    const File file(::open(path.c_str(), O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY));
    struct stat opened {
    }, named{};
    if (!file.valid() || ::fstat(file.get(), &opened) != 0 || !S_ISREG(opened.st_mode)) continue;
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) continue;
    // while the lock was being taken, the name may have been given to another file
    if (::lstat(path.c_str(), &named) == 0 && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino)
      ::unlink(path.c_str());
  }
}

/// Waits until the folder's names are on the disk. File systems that cannot do this for a folder answer EINVAL.
inline bool flush_folder(const std::string& folder) {
  const File file(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return file.valid() && (::fsync(file.get()) == 0 || errno == EINVAL);
}

/// Gives `from` the name `to` in one step; readers see the old file or the new one.
inline bool replace(const std::string& from, const std::string& to) { return std::rename(from.c_str(), to.c_str()) == 0; }

/// Takes the name away; failure is passed by.
inline void remove(const std::string& path) { ::unlink(path.c_str()); }

/// `path` with symbolic links followed; `path` itself when nothing is there.
inline std::string resolve(const std::string& path) {
  char* const real = ::realpath(path.c_str(), nullptr);
  if (real == nullptr) return path;
  std::string out;
  try {
    out = real;
  } catch (...) {
    std::free(real);
    throw;
  }
  std::free(real);
  return out;
}

/// A number that no other running program on this machine uses.
inline long process_number() { return static_cast<long>(::getpid()); }

}  // namespace minivit::inline MINIVIT_ISA::os
