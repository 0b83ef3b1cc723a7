// SPDX-License-Identifier: MIT
// The two containers that torch.save has written: a zip archive (PyTorch 1.6 and newer), and before that four pickles, a
// list of keys and the storages behind each other. Finds the pickle and where each storage lies; reads no storage. Source:
// torch/serialization.py. The still older tar container (before 0.2) and TorchScript archives are refused by name.
#pragma once

#include <minivit/io/pickle_reader.hpp>
#include <minivit/io/torch_tensor.hpp>
#include <minivit/io/zip_directory.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA::detail {

/// Where the numbers of a storage lie in the file.
struct TorchStorage {
  std::uint64_t at = 0, bytes = 0;
  ZipEntry entry{};  ///< in a zip container, else without a name
};

/// A file of torch.save without its storages.
struct TorchContainer {
  std::string kind;
  Buffer<std::byte> text;  ///< holds the pickle; its address stays when this is moved
  pickle::Object object{};
  std::map<std::string, TorchStorage, std::less<>> storages{};
};

inline constexpr std::string_view save_state_dict = "in Python: torch.save(model.state_dict(), ...)";

/// Whether the first bytes are those of a zip file. A safetensors header may begin with the same four; then byte 8 begins
/// JSON.
inline bool looks_like_zip(std::span<const std::byte> first) {
  return first.size() > 8 && little_endian(first, 4) == 0x04034b50 &&
         std::string_view("{ \t\r\n").find(static_cast<char>(first[8])) == std::string_view::npos;
}
/// Whether the first bytes begin a pickle of protocol 2 to 5, and not the length of a safetensors header.
inline bool looks_like_pickle(std::span<const std::byte> first) {
  constexpr std::uint64_t longest_header = 100'000'000;
  return first.size() > 8 && first[0] == std::byte{0x80} && first[1] >= std::byte{2} && first[1] <= std::byte{5} &&
         little_endian(first, 8) > longest_header;
}

inline std::string_view text_of(const Buffer<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(bytes.size())};
}

/// The content of a small entry, or "" when there is none of that name.
inline std::string small_entry(const ByteSource& source, const std::vector<ZipEntry>& entries, const std::string& name,
                               std::string_view where) {
  const auto at = std::ranges::find(entries, name, &ZipEntry::name);
  if (at == entries.end() || at->bytes > 64) return {};
  std::string content(static_cast<std::size_t>(at->bytes), '\0');
  read_zip_entry(source, *at, reinterpret_cast<std::byte*>(content.data()), where);
  return content;
}

/// NAME/data.pkl, NAME/data/KEY, NAME/version, and in newer ones NAME/byteorder.
inline TorchContainer read_torch_zip(const ByteSource& source, std::string_view where, const pickle::Limits& limits) {
  const std::vector<ZipEntry> entries = read_zip_directory(source, where);
  constexpr std::string_view pickle_name = "data.pkl";
  const auto is_pickle = [&](const ZipEntry& e) {
    const std::size_t slash = e.name.find('/');
    return slash != std::string::npos ? std::string_view(e.name).substr(slash + 1) == pickle_name : e.name == pickle_name;
  };
  const auto at = std::ranges::find_if(entries, is_pickle);
  if (at == entries.end()) {
    const bool numpy = std::ranges::any_of(entries, [](const ZipEntry& e) { return e.name.ends_with(".npy"); });
    fail({.where = where,
          .what = "a zip archive, but not of torch.save: it holds no data.pkl",
          .found = std::to_string(entries.size()) + " entries" +
                   (entries.empty() ? "" : ", the first is " + in_quotes(entries.front().name)),
          .hint = numpy ? "it holds numpy arrays; Flax weights have to be converted to PyTorch first" : save_state_dict});
  }
  if (std::count_if(entries.begin(), entries.end(), is_pickle) > 1)
    fail({.where = where, .what = "zip: more than one data.pkl", .hint = "the file is damaged"});
  const std::string folder = at->name.substr(0, at->name.size() - pickle_name.size());
  if (std::ranges::find(entries, folder + "constants.pkl", &ZipEntry::name) != entries.end())
    fail({.where = where, .what = "a TorchScript archive: it holds a program, not a state dict", .hint = save_state_dict});
  if (const std::string order = small_entry(source, entries, folder + "byteorder", where);
      !order.empty() && order != "little")
    fail({.where = where,
          .what = "the numbers have another byte order",
          .expected = "little",
          .found = printable(order, 20),
          .hint = "save it on a little-endian machine"});
  if (at->bytes > limits.bytes)
    fail({.where = where,
          .what = "the pickle is too large",
          .expected = std::to_string(limits.bytes) + " bytes at most",
          .found = std::to_string(at->bytes),
          .hint = save_state_dict});

  TorchContainer out{.kind = "PyTorch zip", .text = Buffer<std::byte>(static_cast<Index>(at->bytes))};
  read_zip_entry(source, *at, out.text.data(), where);
  out.object = pickle::read(text_of(out.text), where, limits);
  for (const ZipEntry& e : entries)
    if (const std::string data = folder + "data/"; e.name.starts_with(data))
      out.storages[e.name.substr(data.size())] = {e.at, e.bytes, e};
  return out;
}

/// Pickles of a magic number, of the version 1001, of the writer's system, and of the object; then of the list of keys; then
/// each storage with the number of its elements in front.
inline TorchContainer read_torch_legacy(const ByteSource& source, std::string_view where, const pickle::Limits& limits) {
  using pickle::Kind;
  TorchContainer out{.kind = "PyTorch legacy",
                     .text = Buffer<std::byte>(static_cast<Index>(std::min<std::uint64_t>(source.size(), limits.bytes)))};
  source.read(0, {out.text.data(), static_cast<std::size_t>(out.text.size())});
  const std::string_view text = text_of(out.text);
  std::size_t at = 0;
  const auto next = [&] {
    pickle::Object object = pickle::read(text.substr(at), where, limits);
    at += object.bytes;
    return object;
  };
  const pickle::Object magic = next();
  constexpr std::string_view magic_number = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
  if (magic.root.kind != Kind::long_number || magic.text(magic.root) != magic_number)
    fail({.where = where,
          .what = "a pickle, but not of torch.save",
          .expected = "its magic number",
          .found = magic.describe(magic.root),
          .hint = save_state_dict});
  if (const pickle::Object version = next(); version.root.kind != Kind::integer || version.root.number != 1001)
    fail({.where = where,
          .what = "an unknown version of PyTorch's format",
          .expected = "1001",
          .found = version.describe(version.root),
          .hint = "save it again with a newer PyTorch"});
  const pickle::Object system = next();
  if (const pickle::Value* const little = system.find(system.root, "little_endian");
      little == nullptr || little->kind != Kind::boolean || little->number != 1)
    fail({.where = where,
          .what = "the numbers have another byte order",
          .expected = "little",
          .hint = "save it on a little-endian machine"});
  out.object = next();
  const pickle::Object keys = next();

  // A storage's type stands in the pickle of the object only, wherever a tensor uses it.
  std::map<std::string_view, StorageClaim> claims;
  for (std::size_t i = 0; i < out.object.node_count(); ++i) {
    const auto id = out.object.node(i);
    if (id.size() < 5 || !out.object.is_text(id[0], "storage")) continue;
    std::string why;
    const auto claim = storage_of(out.object, id, why);
    if (!claim) continue;
    const auto [known, first] = claims.emplace(claim->key, *claim);
    if (!first && (known->second.type != claim->type || known->second.elements != claim->elements))
      fail({.where = where,
            .what = "storage " + in_quotes(claim->key) + " is described in two ways",
            .hint = "the file is damaged"});
  }

  std::uint64_t place = at;
  if (keys.root.kind != Kind::list)
    fail({.where = where,
          .what = "no list of storages behind the pickle",
          .found = keys.describe(keys.root),
          .hint = "the file is damaged"});
  for (const pickle::Value& value : keys.items(keys.root)) {
    const std::string_view key = keys.text(value);
    const auto stop = [&](const char* what, const std::string& expected, const std::string& found) {
      fail({.where = where,
            .what = "storage " + in_quotes(key) + ": " + what,
            .expected = expected,
            .found = found,
            .hint = "the file is cut short or damaged"});
    };
    const auto claim = claims.find(key);
    if (value.kind != Kind::text || claim == claims.end()) stop("no tensor says what type it has", "", "");
    std::array<std::byte, 8> count{};
    if (!source.holds(place, count.size())) stop("it goes past the end of the file", "", "byte " + std::to_string(place));
    source.read(place, count);
    place += count.size();
    const std::uint64_t elements = little_endian(count, 8);
    if (elements != claim->second.elements)
      stop("wrong number of elements", std::to_string(claim->second.elements), std::to_string(elements));
    const auto bytes = checked::mul(elements, claim->second.type->bytes);
    if (!bytes || !source.holds(place, *bytes))
      stop("it goes past the end of the file", std::to_string(source.size() - place) + " bytes at most",
           std::to_string(elements) + " elements");
    if (!out.storages.emplace(std::string(key), TorchStorage{place, *bytes}).second) stop("it is there twice", "", "");
    place += *bytes;
  }
  if (place != source.size())
    fail({.where = where,
          .what = "the file goes on behind the last storage",
          .expected = std::to_string(place) + " bytes",
          .found = std::to_string(source.size()),
          .hint = "the file is damaged"});
  return out;
}

}  // namespace minivit::inline MINIVIT_ISA::detail
