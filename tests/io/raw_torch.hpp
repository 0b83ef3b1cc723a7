// SPDX-License-Identifier: MIT
// Pickles, zip archives and files of torch.save put together by hand, wrong ones included.
#pragma once

#include "raw_file.hpp"

#include <minivit/io/crc32.hpp>

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace torch_test {

using io_test::contains;
using io_test::message_of;

/// `count` bytes of a number, least significant first.
inline std::string le(std::uint64_t n, int count) {
  std::string bytes;
  for (int i = 0; i < count; ++i) bytes += static_cast<char>((n >> (8 * i)) & 255u);
  return bytes;
}
inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text.data(), text.size())); }

// ---- parts of a pickle; each leaves one value on the stack

inline const std::string begin("\x80\x02", 2);
inline std::string text(std::string_view s) { return "X" + le(s.size(), 4) + std::string(s); }
inline std::string integer(std::uint64_t n) {
  if (n < (1u << 31)) return "J" + le(n, 4);
  return std::string("\x8a\x09", 2) + le(n, 8) + std::string(1, '\0');  // nine bytes: not negative
}
inline std::string name(std::string_view module, std::string_view what) { return "c" + std::string(module) + "\n" + std::string(what) + "\n"; }
inline std::string tuple(const std::vector<std::string>& values) {
  std::string all = "(";
  for (const std::string& v : values) all += v;
  return all + "t";
}
inline std::string numbers(const std::vector<std::uint64_t>& values) {
  std::vector<std::string> all;
  for (const std::uint64_t v : values) all.push_back(v < (1u << 31) ? integer(v) : std::string("\x8a\x08", 2) + le(v, 8));
  return tuple(all);
}
inline std::string call(const std::string& what, const std::vector<std::string>& arguments) { return what + tuple(arguments) + "R"; }
inline std::string dict(const std::vector<std::pair<std::string, std::string>>& items) {
  std::string all = "}(";
  for (const auto& [key, value] : items) all += text(key) + value;
  return all + "u";
}
inline std::string storage(std::string_view key, std::uint64_t elements, std::string_view type = "FloatStorage") {
  return tuple({text("storage"), name("torch", type), text(key), text("cpu"), elements < (1u << 31) ? integer(elements) : std::string("\x8a\x08", 2) + le(elements, 8)}) + "Q";
}
inline std::string tensor(const std::string& of, std::uint64_t offset, const std::vector<std::uint64_t>& shape, const std::vector<std::uint64_t>& strides) {
  const std::string at = offset < (1u << 31) ? integer(offset) : std::string("\x8a\x08", 2) + le(offset, 8);
  return call(name("torch._utils", "_rebuild_tensor_v2"), {of, at, numbers(shape), numbers(strides), "\x89", call(name("collections", "OrderedDict"), {})});
}

// ---- archives

struct Part {
  std::string name, content;
};

/// A stored archive. With `wide` it has the zip64 end of the directory that torch writes; with `later` sums and sizes behind the content.
inline std::string zip(const std::vector<Part>& parts, bool wide = false, bool later = false) {
  std::string out, directory;
  for (const Part& p : parts) {
    const std::uint64_t flags = later ? 0x808 : 0, at = out.size(), sum = minivit::crc32(bytes_of(p.content)), size = p.content.size();
    const auto sizes = [&](bool zero) { return le(zero ? 0 : sum, 4) + le(zero ? 0 : size, 4) + le(zero ? 0 : size, 4); };
    const std::string padding = "FB" + le(5, 2) + "ZZZZZ";  // as torch aligns contents
    out += "PK\x03\x04" + le(0, 2) + le(flags, 2) + le(0, 2) + le(0, 4) + sizes(later) + le(p.name.size(), 2) + le(padding.size(), 2) + p.name + padding + p.content;
    if (later) out += "PK\x07\x08" + sizes(false);
    directory += "PK\x01\x02" + le(0, 4) + le(flags, 2) + le(0, 2) + le(0, 4) + sizes(false) + le(p.name.size(), 2) + le(0, 2 + 2 + 2 + 2 + 4) + le(at, 4) + p.name;
  }
  const std::uint64_t at = out.size(), end64 = at + directory.size(), n = parts.size();
  out += directory;
  if (wide)
    out += "PK\x06\x06" + le(44, 8) + le(0, 2 + 2 + 4 + 4) + le(n, 8) + le(n, 8) + le(directory.size(), 8) + le(at, 8) + "PK\x06\x07" + le(0, 4) + le(end64, 8) + le(1, 4);
  return out + "PK\x05\x06" + le(0, 4) + le(n, 2) + le(n, 2) + le(directory.size(), 4) + le(at, 4) + le(0, 2);
}

/// A file of torch.save as of 1.6: `object` is the value's part of a pickle.
inline std::string torch_zip(const std::string& object, const std::vector<Part>& storages, const std::vector<Part>& others = {}) {
  std::vector<Part> parts{{"archive/data.pkl", begin + object + "."}};
  for (const Part& s : storages) parts.push_back({"archive/data/" + s.name, s.content});
  for (const Part& p : others) parts.push_back({"archive/" + p.name, p.content});
  parts.push_back({"archive/version", "3\n"});
  return zip(parts, true, true);
}

inline const std::string magic = begin + std::string("\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 13);
inline const std::string version_1001 = begin + "M" + le(1001, 2) + ".";
inline const std::string little_system = begin + dict({{"little_endian", "\x88"}}) + ".";

/// What stands behind a legacy file's object: keys, then storages with their number of elements.
struct LegacyStorage {
  std::string key;
  std::uint64_t elements;
  std::string content;
};
inline std::string torch_legacy(const std::string& object, const std::vector<LegacyStorage>& storages, const std::string& system = little_system) {
  std::string out = magic + version_1001 + system + begin + object + ".", keys = begin + "](";
  for (const LegacyStorage& s : storages) keys += text(s.key);
  out += keys + "e.";
  for (const LegacyStorage& s : storages) out += le(s.elements, 8) + s.content;
  return out;
}

/// `n` floats 0, 1, 2, ... as bytes.
inline std::string floats(int n) {
  std::string bytes;
  for (int i = 0; i < n; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(i));
    bytes += le(bits, 4);
  }
  return bytes;
}

inline std::string at_byte(std::string bytes, std::size_t at, std::string_view put) { return bytes.replace(at, put.size(), put); }

/// Every message is one line of at most 500 bytes that names the file.
inline void well_said(const std::string& message, std::string_view file) {
  INFO(message);
  CHECK(contains(message, file));
  CHECK(!contains(message, "\n"));
  CHECK(message.size() <= 500);
}

}  // namespace torch_test
