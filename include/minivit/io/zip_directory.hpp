// SPDX-License-Identifier: MIT
// What is in a zip file as torch.save writes it: stored entries, zip64 or not, no comment behind the directory. The
// directory is checked against every local header, and no two entries share a byte, so what is read is at most what is in
// the file. Unpacks nothing: compressed, encrypted and split archives are refused. Format: PKWARE's APPNOTE 6.3,
// sections 4.3 to 4.5.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/core/errors.hpp>
#include <minivit/io/byte_source.hpp>
#include <minivit/io/crc32.hpp>
#include <minivit/io/tensor_info.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// One stored file of an archive. All of it lies inside the source.
struct ZipEntry {
  std::string name;         ///< as in the directory, with slashes
  std::uint64_t at = 0;     ///< of the first byte of its content
  std::uint64_t bytes = 0;  ///< of its content
  std::uint32_t crc = 0;    ///< 0 when the writer computed none
};

namespace detail {

/// Reads one archive's directory; see read_zip_directory().
class ZipReader {
 public:
  static constexpr std::uint64_t most_entries = 100'000, most_directory_bytes = 16 << 20;

  ZipReader(const ByteSource& source, std::string_view where) : source_(source), where_(where) {}

  std::vector<ZipEntry> entries() {
    const Directory directory = find_directory();
    if (directory.entries > most_entries)
      refuse("too many entries", "at most " + std::to_string(most_entries), std::to_string(directory.entries));
    if (directory.bytes > most_directory_bytes)
      refuse("the directory is too large", "at most " + std::to_string(most_directory_bytes) + " bytes",
             std::to_string(directory.bytes));
    Buffer<std::byte> bytes(static_cast<Index>(directory.bytes));  // lies inside the file: find_directory() saw to that
    source_.read(directory.at, {bytes.data(), static_cast<std::size_t>(directory.bytes)});
    std::span<const std::byte> rest(bytes.data(), static_cast<std::size_t>(directory.bytes));
    std::vector<Record> records;
    for (std::uint64_t i = 0; i < directory.entries; ++i) records.push_back(record(rest));
    if (!rest.empty())
      refuse("the directory holds more than its entries", std::to_string(directory.entries) + " entries",
             std::to_string(rest.size()) + " bytes more");
    for (Record& r : records) check_local_header(r);
    check_places(records, directory.at);

    std::vector<ZipEntry> out;
    for (Record& r : records) out.push_back(std::move(r.entry));
    return out;
  }

 private:
  static constexpr std::uint32_t local_mark = 0x04034b50, central_mark = 0x02014b50, end_mark = 0x06054b50,
                                 end64_mark = 0x06064b50, locator_mark = 0x07064b50;
  static constexpr std::uint64_t end_bytes = 22, locator_bytes = 20, end64_bytes = 56, central_bytes = 46, local_bytes = 30;
  static constexpr std::uint64_t full16 = 0xFFFF, full32 = 0xFFFFFFFF;  // "look into the zip64 field"

  struct Directory {
    std::uint64_t at = 0, bytes = 0, entries = 0;
  };
  struct Record {
    ZipEntry entry;
    std::uint64_t local_at = 0, flags = 0, crc = 0;
  };
  struct Sizes {
    std::uint64_t packed = 0, content = 0;
    std::optional<std::uint64_t> local_at;
  };

  [[noreturn]] void refuse(const std::string& what, const std::string& expected = {}, const std::string& found = {},
                           std::string_view hint = damaged) const {
    fail({.where = where_, .what = "zip: " + what, .expected = expected, .found = found, .hint = hint});
  }
  [[noreturn]] void refuse_entry(const std::string& name, const std::string& what, const std::string& expected = {},
                                 const std::string& found = {}, std::string_view hint = damaged) const {
    refuse("entry " + in_quotes(name) + ": " + what, expected, found, hint);
  }
  static std::uint64_t number(std::span<const std::byte> bytes, std::size_t at, std::size_t count) {
    return little_endian(bytes.subspan(at), count);
  }

  /// The fixed part of a record of the file, which begins with `mark`.
  template <std::size_t size>
  std::array<std::byte, size> fixed_part(std::uint64_t at, std::uint32_t mark, const char* what) const {
    std::array<std::byte, size> bytes{};
    if (!source_.holds(at, size))
      refuse(std::string(what) + " goes past the end of the file", "", "byte " + std::to_string(at), cut);
    source_.read(at, bytes);
    if (number(bytes, 0, 4) != mark) refuse(std::string("no ") + what + " at byte " + std::to_string(at));
    return bytes;
  }

  Directory find_directory() const {
    if (source_.size() < end_bytes)
      refuse("too short for an archive", std::to_string(end_bytes) + " bytes or more", std::to_string(source_.size()), cut);
    const std::uint64_t end_at = source_.size() - end_bytes;
    std::array<std::byte, end_bytes> end{};
    source_.read(end_at, end);
    if (number(end, 0, 4) != end_mark || number(end, 20, 2) != 0)
      refuse("no end of a directory in the last " + std::to_string(end_bytes) + " bytes", "", "", cut);
    Directory directory{number(end, 16, 4), number(end, 12, 4), number(end, 10, 2)};
    bool one_disk = number(end, 4, 2) == 0 && number(end, 6, 2) == 0 && number(end, 8, 2) == directory.entries;
    std::uint64_t directory_end = end_at;
    std::array<std::byte, locator_bytes> locator{};
    if (end_at >= locator_bytes) source_.read(end_at - locator_bytes, locator);
    if (number(locator, 0, 4) == locator_mark) {
      const std::uint64_t locator_at = end_at - locator_bytes, at = number(locator, 8, 8);
      const auto end64 = fixed_part<end64_bytes>(at, end64_mark, "zip64 end of the directory");
      const auto behind = checked::add(at + 12, number(end64, 4, 8));  // at lies inside the file: no overflow
      if (number(end64, 4, 8) < end64_bytes - 12 || behind != locator_at)
        refuse("the zip64 end of the directory has the wrong size");
      const Directory wide{number(end64, 48, 8), number(end64, 40, 8), number(end64, 32, 8)};
      const auto agree = [](std::uint64_t narrow, std::uint64_t full, std::uint64_t value) {
        return narrow == value || narrow == full;
      };
      if (!agree(directory.entries, full16, wide.entries) || !agree(directory.bytes, full32, wide.bytes) ||
          !agree(directory.at, full32, wide.at))
        refuse("the two ends of the directory disagree");
      one_disk = number(end64, 16, 4) == 0 && number(end64, 20, 4) == 0 && number(end64, 24, 8) == wide.entries &&
                 number(locator, 4, 4) == 0 && number(locator, 16, 4) <= 1;
      directory = wide;
      directory_end = at;
    }
    if (!one_disk) refuse("the archive is split over several files", "", "", "put its parts together first");
    if (checked::add(directory.at, directory.bytes) != directory_end)
      refuse("the directory does not end where its end begins", "byte " + std::to_string(directory_end),
             "byte " + std::to_string(directory.at) + " and " + std::to_string(directory.bytes) + " bytes");
    return directory;
  }

  /// Sizes and place, those that are full taken from the zip64 field of `extra`, in their fixed order.
  Sizes wide_sizes(std::uint64_t packed, std::uint64_t content, std::optional<std::uint64_t> local_at,
                   std::span<const std::byte> extra, const std::string& name) const {
    Sizes sizes{packed, content, local_at};
    if (packed != full32 && content != full32 && local_at != full32) return sizes;
    while (extra.size() >= 4) {
      const std::uint64_t id = number(extra, 0, 2), bytes = number(extra, 2, 2);
      extra = extra.subspan(4);
      if (bytes > extra.size()) break;
      std::span<const std::byte> field = extra.first(static_cast<std::size_t>(bytes));
      extra = extra.subspan(field.size());
      if (id != 1) continue;
      bool complete = true;
      const auto take = [&](std::uint64_t& value) {
        if (value != full32) return;
        complete = complete && field.size() >= 8;
        if (!complete) return;
        value = number(field, 0, 8);
        field = field.subspan(8);
      };
      take(sizes.content);
      take(sizes.packed);
      if (sizes.local_at) take(*sizes.local_at);
      if (complete) return sizes;
      break;
    }
    refuse_entry(name, "its zip64 field is missing or damaged");
  }

  /// Takes the next record off the directory.
  Record record(std::span<const std::byte>& rest) const {
    if (rest.size() < central_bytes || number(rest, 0, 4) != central_mark)
      refuse("the directory holds fewer entries than it says");
    const std::uint64_t flags = number(rest, 8, 2), method = number(rest, 10, 2), name_bytes = number(rest, 28, 2),
                        extra_bytes = number(rest, 30, 2), comment_bytes = number(rest, 32, 2), disk = number(rest, 34, 2);
    if (name_bytes + extra_bytes + comment_bytes > rest.size() - central_bytes)
      refuse("an entry goes past the end of the directory");
    Record r;
    r.entry.name.assign(reinterpret_cast<const char*>(rest.data()) + central_bytes, static_cast<std::size_t>(name_bytes));
    const Sizes sizes = wide_sizes(
        number(rest, 20, 4), number(rest, 24, 4), number(rest, 42, 4),
        rest.subspan(static_cast<std::size_t>(central_bytes + name_bytes), static_cast<std::size_t>(extra_bytes)),
        r.entry.name);
    if ((flags & 0x2041u) != 0) refuse_entry(r.entry.name, "it is encrypted", "", "", "decrypt the archive first");
    if (method != 0)
      refuse_entry(r.entry.name, "it is compressed", "a stored entry, as torch.save writes it",
                   "method " + std::to_string(method), "pack it again without compression: zip -0, or torch.save in Python");
    if (sizes.packed != sizes.content)
      refuse_entry(r.entry.name, "its two sizes differ", std::to_string(sizes.content) + " bytes",
                   std::to_string(sizes.packed));
    if (disk != 0) refuse_entry(r.entry.name, "it stands in another file", "disk 0", std::to_string(disk));
    r.entry.bytes = sizes.content;
    r.entry.crc = static_cast<std::uint32_t>(number(rest, 16, 4));
    r.crc = r.entry.crc;
    r.flags = flags;
    r.local_at = *sizes.local_at;
    rest = rest.subspan(static_cast<std::size_t>(central_bytes + name_bytes + extra_bytes + comment_bytes));
    return r;
  }

  /// Reads the header in front of the content, compares it with the directory, and finds the content.
  void check_local_header(Record& r) const {
    const auto header = fixed_part<local_bytes>(r.local_at, local_mark, "header of an entry");
    const std::uint64_t name_bytes = number(header, 26, 2), extra_bytes = number(header, 28, 2);
    const std::uint64_t name_at = r.local_at + local_bytes;  // inside the file
    if (name_bytes != r.entry.name.size() || !source_.holds(name_at, name_bytes + extra_bytes))
      refuse_entry(r.entry.name, "its header has a name of another length");
    std::string text(static_cast<std::size_t>(name_bytes + extra_bytes), '\0');  // twice 16 bits at most
    source_.read(name_at, std::as_writable_bytes(std::span(text)));
    const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
    if (std::string_view(text).substr(0, r.entry.name.size()) != r.entry.name)
      refuse_entry(r.entry.name, "its header has another name", "",
                   in_quotes(std::string_view(text).substr(0, r.entry.name.size())));
    const Sizes sizes = wide_sizes(number(header, 18, 4), number(header, 22, 4), std::nullopt,
                                   bytes.subspan(r.entry.name.size()), r.entry.name);
    // Bit 3: sizes and sum stand behind the content, and zeros here.
    const bool later = (r.flags & 8u) != 0;
    const auto agree = [&](std::uint64_t value, std::uint64_t expected) {
      return value == expected || (later && value == 0);
    };
    if (number(header, 6, 2) != r.flags || number(header, 8, 2) != 0 || !agree(number(header, 14, 4), r.crc) ||
        !agree(sizes.packed, r.entry.bytes) || !agree(sizes.content, r.entry.bytes))
      refuse_entry(r.entry.name, "its header and the directory disagree");
    r.entry.at = name_at + name_bytes + extra_bytes;
    if (!source_.holds(r.entry.at, r.entry.bytes))
      refuse_entry(r.entry.name, "it goes past the end of the file",
                   "at most " + std::to_string(source_.size() - r.entry.at) + " bytes", std::to_string(r.entry.bytes), cut);
  }

  /// No two entries share a byte or a name, and none reaches into the directory.
  void check_places(std::vector<Record>& records, std::uint64_t directory_at) const {
    std::ranges::sort(records, {}, [](const Record& r) { return std::string_view(r.entry.name); });
    for (std::size_t i = 1; i < records.size(); ++i)
      if (records[i].entry.name == records[i - 1].entry.name) refuse_entry(records[i].entry.name, "it is there twice");
    std::ranges::sort(records, {}, &Record::local_at);
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::uint64_t end = records[i].entry.at + records[i].entry.bytes;  // inside the file
      const std::uint64_t next = i + 1 < records.size() ? records[i + 1].local_at : directory_at;
      if (end > next)
        refuse_entry(records[i].entry.name, "it overlaps what follows it", "at most byte " + std::to_string(next),
                     std::to_string(end));
    }
  }

  static constexpr std::string_view damaged = "the file is damaged, or was not written by torch.save",
                                    cut = "the file is cut short or damaged";
  const ByteSource& source_;
  std::string_view where_;
};

}  // namespace detail

/// Every entry of the archive in the order of their content. Throws Error when a number of it cannot be true.
inline std::vector<ZipEntry> read_zip_directory(const ByteSource& source, std::string_view where) {
  return detail::ZipReader(source, where).entries();
}

/// Copies an entry's content, entry.bytes bytes, and checks its sum. Throws Error.
inline void read_zip_entry(const ByteSource& source, const ZipEntry& entry, std::byte* to, std::string_view where) {
  const std::span<std::byte> content(to, static_cast<std::size_t>(entry.bytes));
  source.read(entry.at, content);
  // A sum of 0: torch reserves entries and fills them later, and can be told to compute none.
  if (entry.crc != 0 && crc32(content) != entry.crc)
    fail({.where = where,
          .what = "zip: entry " + detail::in_quotes(entry.name) + ": its checksum is wrong",
          .hint = "the file is damaged; or it was saved with torch.serialization.set_crc32_options(False): save it again"});
}

}  // namespace minivit::inline MINIVIT_ISA
