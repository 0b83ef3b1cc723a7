// SPDX-License-Identifier: MIT
// ByteSource: a file or a piece of memory that is read at any place, for formats whose directory stands at the end; and
// little-endian numbers in bytes. Reads only what it is asked for and keeps nothing.
#pragma once

#include <minivit/io/checked.hpp>
#include <minivit/io/file.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace minivit::inline MINIVIT_ISA {

/// Bytes that can be read at any place.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size() const = 0;  ///< bytes there are
  /// Copies to.size() bytes from byte `at` on. Throws Error when the source ends before.
  virtual void read(std::uint64_t at, std::span<std::byte> to) const = 0;

  /// Whether `count` bytes from byte `at` on are there.
  bool holds(std::uint64_t at, std::uint64_t count) const { return count <= size() && at <= size() - count; }
};

/// A file. It must outlive the object.
class FileBytes : public ByteSource {
 public:
  explicit FileBytes(const InputFile& file) : file_(file) {}  ///< of an open file; see ReadOptions for how large it may be
  std::uint64_t size() const override { return file_.size(); }
  void read(std::uint64_t at, std::span<std::byte> to) const override { file_.read_at(at, to); }

 private:
  const InputFile& file_;
};

/// Bytes in memory, which must outlive the object. `where` begins messages.
class MemoryBytes : public ByteSource {
 public:
  /// Precondition: `bytes` do not change.
  MemoryBytes(std::span<const std::byte> bytes, std::string where) : bytes_(bytes), where_(std::move(where)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t at, std::span<std::byte> to) const override {
    if (!holds(at, to.size()))
      fail({.where = where_, .what = "the file ends early", .found = std::to_string(size()) + " bytes"});
    std::copy_n(bytes_.data() + at, to.size(), to.data());
  }

 private:
  std::span<const std::byte> bytes_;
  std::string where_;
};

namespace detail {
/// The unsigned number in the first `count` bytes, at most 8, least significant first.
constexpr std::uint64_t little_endian(std::span<const std::byte> bytes, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) value |= static_cast<std::uint64_t>(bytes[i]) << (8 * i);
  return value;
}
}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
