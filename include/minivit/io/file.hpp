// SPDX-License-Identifier: MIT
// Files for checkpoints. Reading: regular files only, never blocks on a pipe, a size limit, piece by piece into owned memory
// (a mapped file that another program cuts short would raise SIGBUS). Writing: under a temporary name in the same folder,
// flushed, then renamed, so that a crash or a full disk leaves the old file or the new one, never half of one. What a killed
// program left behind under a temporary name, the next one to write into the folder removes.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/posix_file.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// A path for messages: the end of it, where the file name stands.
inline std::string shown_path(std::string_view path) {
  constexpr std::size_t most = 100;
  if (path.size() > most) return "..." + printable(path.substr(path.size() - most), most);
  return printable(path, most);
}
}  // namespace detail

/// A regular file opened for reading.
class InputFile {
 public:
  /// Throws Error when `path` cannot be opened, is not a regular file or has more than `most_bytes` bytes.
  explicit InputFile(const std::string& path, std::uint64_t most_bytes) : where_("read " + detail::shown_path(path)) {
    if (path.find('\0') != std::string::npos) fail({.where = where_, .what = "the path contains a zero byte"});
    file_ = os::open_to_read(path);
    if (!file_.valid()) {
      const std::string reason = os::last_error();
      fail({.where = where_, .what = "cannot open the file", .found = reason, .hint = "check the path and its permissions"});
    }
    const os::Status status = os::status_of(file_);
    if (!status.regular)
      fail({.where = where_, .what = "not a file", .expected = "a regular file", .found = concat({"a ", status.kind})});
    if (status.size > most_bytes)
      fail({.where = where_,
            .what = "the file is too large",
            .expected = concat({"at most ", most_bytes, " bytes"}),
            .found = std::to_string(status.size),
            .hint = "the limit can be raised by the caller"});
    size_ = status.size;
  }

  /// Bytes in the file when it was opened.
  std::uint64_t size() const { return size_; }

  /// Reads the next to.size() bytes. Throws Error when the file ends before.
  void read(std::span<std::byte> to) {
    read_all(to, at_, [&](std::uint64_t /*at*/, std::span<std::byte> rest) {
      return os::read_some(file_, rest.data(), rest.size());
    });
    at_ += to.size();
  }

  /// Reads to.size() bytes from byte `at` on, wherever read() is. Throws Error when the file ends before.
  void read_at(std::uint64_t at, std::span<std::byte> to) const {
    read_all(to, at, [&](std::uint64_t from, std::span<std::byte> rest) {
      return os::read_some_at(file_, from, rest.data(), rest.size());
    });
  }

 private:
  template <class Read>
  void read_all(std::span<std::byte> to, std::uint64_t at, Read&& some) const {
    while (!to.empty()) {
      const std::ptrdiff_t got = some(at, to);
      if (got < 0) {
        const std::string reason = os::last_error();
        fail({.where = where_, .what = concat({"cannot read byte ", at}), .found = reason});
      }
      if (got == 0)
        fail({.where = where_,
              .what = "the file ends early",
              .expected = concat({size_, " bytes"}),
              .found = std::to_string(at),
              .hint = "did another program write to it meanwhile?"});
      to = to.subspan(static_cast<std::size_t>(got));
      at += static_cast<std::uint64_t>(got);
    }
  }

  std::string where_;
  os::File file_;
  std::uint64_t size_ = 0;
  std::uint64_t at_ = 0;
};

/// A file that appears under its name only when it is complete: write(), write(), ..., commit(). Without commit nothing
/// remains. An existing regular file is replaced (a symbolic link to one is followed), anything else is refused.
class AtomicFile {
 public:
  /// Throws Error when the folder is not writable or `path` leads to something that is not a regular file.
  explicit AtomicFile(const std::string& path) : where_("write " + detail::shown_path(path)), target_(os::resolve(path)) {
    if (path.empty() || path.find('\0') != std::string::npos)
      fail({.where = where_, .what = "the path is empty or contains a zero byte"});
    const os::Status status = os::status_of(path);
    if (status.exists && !status.regular)
      fail({.where = where_,
            .what = "will not replace it",
            .expected = "a regular file",
            .found = concat({"a ", status.kind})});
    const std::size_t slash = target_.rfind('/');
    folder_ = slash == std::string::npos ? "." : target_.substr(0, slash + 1);
    if (slash != std::string::npos && slash + 1 == target_.size())
      fail({.where = where_, .what = "the path names a folder", .hint = "add a file name"});
    create();
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile() {
    if (!temporary_.empty()) os::remove(temporary_);
  }

  /// Appends bytes. Throws Error when the disk is full or fails.
  void write(std::span<const std::byte> from) {
    while (!from.empty()) {
      const std::ptrdiff_t put = os::write_some(file_, from.data(), from.size());
      if (put <= 0) stop("cannot write to the file");
      from = from.subspan(static_cast<std::size_t>(put));
    }
  }
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }  ///< the same of a text

  /// Makes the file visible under its name, on the disk. Call once, last. Throws Error; the old file is then intact,
  /// unless only flushing the folder failed: then the new file is in place but may be lost in a power cut.
  void commit() {
    const os::File claim = os::copy_of(file_);  // until the file has its name: others remove what nobody claims
    if (!os::flush(file_)) stop("cannot flush the file to the disk");
    if (!file_.close()) stop("cannot close the file");
    if (!os::replace(temporary_, target_)) stop("cannot give the file its name");
    temporary_.clear();
    if (!os::flush_folder(folder_)) stop("cannot flush the folder to the disk");
  }

 private:
  static constexpr std::string_view prefix = ".minivit-", suffix = ".tmp";

  /// Whether create() makes such names: .minivit-PROCESS-NUMBER.tmp
  static bool is_temporary(std::string_view name) {
    if (!name.starts_with(prefix) || !name.ends_with(suffix) || name.size() < prefix.size() + suffix.size()) return false;
    name = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
    const std::size_t dash = name.find('-');
    const auto number = [](std::string_view text) {
      return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
    };
    return dash != std::string_view::npos && number(name.substr(0, dash)) && number(name.substr(dash + 1));
  }

  void create() {
    os::remove_abandoned(folder_, is_temporary);  // first: on a full disk their room is needed
    static std::atomic<unsigned> counter{0};
    const std::string start = (folder_ == "." ? std::string() : folder_) + std::string(prefix) +
                              std::to_string(os::process_number()) + "-";
    for (int attempt = 0; attempt < 100; ++attempt) {  // names can be taken: on a shared disk two machines count alike
      std::string name = start + std::to_string(counter++) + std::string(suffix);
      file_ = os::create_new(name);
      if (file_.valid()) {
        if (!os::claim(file_)) continue;
        temporary_ = std::move(name);
        return;
      }
      if (!os::name_was_taken()) break;
    }
    stop("cannot create a file in folder '" + detail::shown_path(folder_) + "'");
  }

  [[noreturn]] void stop(const std::string& what) const {
    const std::string reason = os::last_error();
    fail({.where = where_, .what = what, .found = reason});
  }

  std::string where_;
  std::string target_;
  std::string folder_;
  std::string temporary_;  // empty when there is none to remove
  os::File file_;
};

/// Replaces the file at `path` by one that holds `content`, in one step. core/file.hpp writes without that promise.
inline void write_file_atomically(const std::string& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

}  // namespace minivit::inline MINIVIT_ISA
