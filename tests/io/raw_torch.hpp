// SPDX-License-Identifier: MIT
// Pickles, zip archives and files of torch.save put together by hand, wrong ones included.
#pragma once

#include "raw_file.hpp"

#include <minivit/io/crc32.hpp>

#include <bit>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torch_test {

using io_test::contains;
using io_test::message_of;

// Parts are passed as views and the functions are not inlined: with strings, and under the sanitizers, this group would
// compile for minutes.
using std::string_view;
using Numbers = std::initializer_list<std::uint64_t>;
using Values = std::initializer_list<string_view>;

/// `count` bytes of a number, least significant first.
[[gnu::noinline]] inline std::string le(std::uint64_t n, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(i < 8 ? (n >> (8 * i)) & 255u : 0);
  return bytes;
}
inline std::span<const std::byte> bytes_of(string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }
[[gnu::noinline]] inline std::string joined(Values parts) {
  std::string all;
  for (const string_view p : parts) all += p;
  return all;
}

// ---- parts of a pickle; each leaves one value on the stack

inline const std::string begin("\x80\x02", 2);
[[gnu::noinline]] inline std::string text(string_view s) { return joined({"X", le(s.size(), 4), s}); }
/// As a number of 64 bits with a sign: 2^63 and more is negative.
[[gnu::noinline]] inline std::string integer(std::uint64_t n) {
  return n < (1u << 31) ? "J" + le(n, 4) : "\x8a\x08" + le(n, 8);
}
[[gnu::noinline]] inline std::string name(string_view module, string_view what) {
  return joined({"c", module, "\n", what, "\n"});
}
[[gnu::noinline]] inline std::string tuple(Values values) { return joined({"(", joined(values), "t"}); }
[[gnu::noinline]] inline std::string numbers(Numbers values) {
  std::string all = "(";
  for (const std::uint64_t v : values) all += integer(v);
  return all + "t";
}
[[gnu::noinline]] inline std::string call(string_view what, Values arguments) {
  return joined({what, tuple(arguments), "R"});
}
[[gnu::noinline]] inline std::string dict(std::initializer_list<std::pair<string_view, string_view>> items) {
  std::string all = "}(";
  for (const auto& [key, value] : items) all += joined({text(key), value});
  return all + "u";
}
/// The same of items that were put together.
[[gnu::noinline]] inline std::string dict_of(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string all = "}(";
  for (const auto& [key, value] : items) all += text(key) + value;
  return all + "u";
}
[[gnu::noinline]] inline std::string storage(string_view key, std::uint64_t elements, string_view type = "FloatStorage") {
  return tuple({text("storage"), name("torch", type), text(key), text("cpu"), integer(elements)}) + "Q";
}
[[gnu::noinline]] inline std::string tensor(string_view of, std::uint64_t offset, Numbers shape, Numbers strides) {
  return call(name("torch._utils", "_rebuild_tensor_v2"),
              {of, integer(offset), numbers(shape), numbers(strides), "\x89", call(name("collections", "OrderedDict"), {})});
}

// ---- archives

struct Part {
  string_view name, content;
};
using Parts = std::initializer_list<Part>;

/// Builds a stored archive part by part.
class Archive {
 public:
  /// With `later`, sums and sizes stand behind the content.
  explicit Archive(bool later) : later_(later) {}
  void add(string_view name, string_view content) {
    const std::uint64_t flags = later_ ? 0x808 : 0, at = out_.size();
    const std::string sizes = le(minivit::crc32(bytes_of(content)), 4) + le(content.size(), 4) + le(content.size(), 4);
    const std::string padding = "FB" + le(5, 2) + "ZZZZZ";  // as torch aligns contents
    out_ += joined({"PK\x03\x04", le(0, 2), le(flags, 2), le(0, 2 + 4), later_ ? le(0, 12) : sizes, le(name.size(), 2),
                    le(padding.size(), 2), name, padding, content});
    if (later_) out_ += "PK\x07\x08" + sizes;
    directory_ += joined({"PK\x01\x02", le(0, 4), le(flags, 2), le(0, 2 + 4), sizes, le(name.size(), 2),
                          le(0, 2 + 2 + 2 + 2 + 4), le(at, 4), name});
    ++count_;
  }
  /// The whole; with `wide` it has the zip64 end of the directory that torch writes.
  std::string done(bool wide) const {
    const std::uint64_t at = out_.size(), end64 = at + directory_.size();
    std::string out = out_ + directory_;
    if (wide)
      out += joined({"PK\x06\x06", le(44, 8), le(0, 2 + 2 + 4 + 4), le(count_, 8), le(count_, 8), le(directory_.size(), 8),
                     le(at, 8), "PK\x06\x07", le(0, 4), le(end64, 8), le(1, 4)});
    return joined(
        {out, "PK\x05\x06", le(0, 4), le(count_, 2), le(count_, 2), le(directory_.size(), 4), le(at, 4), le(0, 2)});
  }

 private:
  bool later_;
  std::string out_, directory_;
  std::uint64_t count_ = 0;
};

[[gnu::noinline]] inline std::string zip(Parts parts, bool wide = false, bool later = false) {
  Archive archive(later);
  for (const Part& p : parts) archive.add(p.name, p.content);
  return archive.done(wide);
}

/// A file of torch.save as of 1.6: `object` is the value's part of a pickle.
[[gnu::noinline]] inline std::string torch_zip(string_view object, Parts storages, Parts others = {}) {
  Archive archive(true);
  archive.add("archive/data.pkl", joined({begin, object, "."}));
  for (const Part& s : storages) archive.add(joined({"archive/data/", s.name}), s.content);
  for (const Part& p : others) archive.add(joined({"archive/", p.name}), p.content);
  archive.add("archive/version", "3\n");
  return archive.done(true);
}

inline const std::string magic = begin + std::string("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 13);
inline const std::string version_1001 = begin + "M" + le(1001, 2) + ".";
inline const std::string little_system = begin + dict({{"little_endian", "\x88"}}) + ".";

/// What stands behind a legacy file's object: keys, then storages with their number of elements.
struct LegacyStorage {
  string_view key;
  std::uint64_t elements;
  string_view content;
};
[[gnu::noinline]] inline std::string torch_legacy(string_view object, std::initializer_list<LegacyStorage> storages,
                                                  string_view system = little_system) {
  std::string out = joined({magic, version_1001, system, begin, object, "."}), keys = begin + "](";
  for (const LegacyStorage& s : storages) keys += text(s.key);
  out += keys + "e.";
  for (const LegacyStorage& s : storages) out += joined({le(s.elements, 8), s.content});
  return out;
}

/// `n` floats 0, 1, 2, ... as bytes.
[[gnu::noinline]] inline std::string floats(int n) {
  std::string bytes;
  for (int i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(i));
    bytes += le(bits, 4);
  }
  return bytes;
}

[[gnu::noinline]] inline std::string at_byte(std::string bytes, std::size_t at, std::string_view put) {
  return bytes.replace(at, put.size(), put);
}

/// Every message is one line of at most 500 bytes that names the file.
[[gnu::noinline]] inline void well_said(const std::string& message, string_view file) {
  INFO(message);
  CHECK(contains(message, file));
  CHECK(!contains(message, "\n"));
  CHECK(message.size() <= 500);
}
/// That a message has this part.
[[gnu::noinline]] inline void says(const std::string& message, string_view part) {
  INFO("said: " << message << "\nwanted: " << part);
  CHECK((contains(message, part) && !message.empty()));
}
[[gnu::noinline]] inline void says_nothing(const std::string& message) {
  INFO("said: " << message);
  CHECK(message.empty());
}

}  // namespace torch_test
