// SPDX-License-Identifier: MIT
#include "raw_torch.hpp"

#include <minivit/io/zip_directory.hpp>

#include <array>
#include <string>
#include <vector>

namespace zip_directory_test {

using namespace torch_test;
using minivit::MemoryBytes;
using minivit::ZipEntry;

namespace {

std::vector<ZipEntry> entries_of(const std::string& bytes) {
  return minivit::read_zip_directory(MemoryBytes(bytes_of(bytes), "read x.pth"), "read x.pth");
}
std::string refused(const std::string& bytes) {
  return message_of([&] { entries_of(bytes); });
}
std::string content(const std::string& bytes, const ZipEntry& entry) {
  std::string out(static_cast<std::size_t>(entry.bytes), '?');
  minivit::read_zip_entry(MemoryBytes(bytes_of(bytes), "read x.pth"), entry, reinterpret_cast<std::byte*>(out.data()),
                          "read x.pth");
  return out;
}

std::string two(bool wide = false, bool later = false) {
  return zip({{"a/first", "hello"}, {"a/second", std::string(70, 's')}}, wide, later);
}
// Where things stand in two(): local headers of 30 bytes, names, 9 bytes of padding, contents; then the directory.
constexpr std::size_t second_at = 30 + 7 + 9 + 5, directory_at = second_at + 30 + 8 + 9 + 70,
                      second_record = directory_at + 46 + 7;

static_assert(minivit::crc32(std::span<const std::byte>()) == 0);
constexpr std::uint32_t check_sum = [] {
  constexpr char digits[] = "123456789";
  std::array<std::byte, 9> bytes{};
  for (std::size_t i = 0; i < 9; ++i) bytes[i] = static_cast<std::byte>(digits[i]);
  return minivit::crc32(bytes);
}();
static_assert(check_sum == 0xCBF43926);  // the check value of this CRC in every catalogue

}  // namespace

TEST_CASE("zip: entries of every kind of archive that torch writes are found", "[io]") {
  for (const bool wide : {false, true})
    for (const bool later : {false, true}) {
      const std::string bytes = two(wide, later);
      const auto entries = entries_of(bytes);
      REQUIRE(entries.size() == 2);
      CHECK(entries[0].name == "a/first");
      CHECK(content(bytes, entries[0]) == "hello");
      CHECK(content(bytes, entries[1]) == std::string(70, 's'));
    }
  CHECK(entries_of(zip({})).empty());
  CHECK(content(zip({{"empty", ""}}), entries_of(zip({{"empty", ""}}))[0]).empty());
}

TEST_CASE("zip: sizes and places of 64 bits are read from their own field", "[io]") {
  std::string bytes = zip({{"a", "hello"}});
  const std::size_t directory = 30 + 1 + 9 + 5;
  const auto wide = [&](const std::string& field) {
    std::string out = at_byte(bytes, directory + 20, le(~0ull, 8));  // both sizes: see the field
    out = at_byte(out, directory + 42, le(~0ull, 4));                // and the place
    out = at_byte(out, directory + 30, le(field.size(), 2));
    out.insert(directory + 46 + 1, field);
    const std::size_t end = out.size() - 22;
    return at_byte(out, end + 12, le(46 + 1 + field.size(), 4));
  };
  const std::string good = le(1, 2) + le(24, 2) + le(5, 8) + le(5, 8) + le(0, 8);
  CHECK(content(wide(good), entries_of(wide(good))[0]) == "hello");
  CHECK(content(wide("XX" + le(3, 2) + "abc" + good), entries_of(wide("XX" + le(3, 2) + "abc" + good))[0]) == "hello");
  for (const std::string& field : {std::string(), le(1, 2) + le(16, 2) + le(5, 8) + le(5, 8),
                                   le(1, 2) + le(25, 2) + le(5, 8) + le(5, 8) + le(0, 8), le(2, 2) + good.substr(2)})
    says(refused(wide(field)), "entry 'a': its zip64 field is missing or damaged");
  for (const std::uint64_t size : {6ull, ~0ull, 1ull << 63, 0ull})
    well_said(refused(wide(le(1, 2) + le(24, 2) + le(size, 8) + le(size, 8) + le(0, 8))), "x.pth");
  bytes = zip({{"a", "hello"}}, false, true);  // sizes behind the content: the local header says nothing against these
  const auto later = [&](std::uint64_t size) {
    std::string out = bytes;
    out.erase(directory, 16);  // where wide() looks for the directory
    bytes.swap(out);
    std::string made = wide(le(1, 2) + le(24, 2) + le(size, 8) + le(size, 8) + le(0, 8));
    bytes.swap(out);
    return at_byte(made, made.size() - 22 + 16, le(directory, 4));
  };
  CHECK(entries_of(later(5)).size() == 1);
  for (const std::uint64_t size : {~0ull, ~0ull - 44, 1ull << 63})
    says(refused(later(size)), "entry 'a': it goes past the end of the file");  // and wraps around
  bytes = zip({{"a", "hello"}});
  for (const std::uint64_t place : {1ull, ~0ull, ~0ull - 29, 1ull << 63, 1000ull})
    well_said(refused(wide(le(1, 2) + le(24, 2) + le(5, 8) + le(5, 8) + le(place, 8))), "x.pth");
}

TEST_CASE("zip: when an entry was written, by what and for whom does not matter", "[io]") {
  const std::string good = two();
  for (const std::size_t record : {directory_at, second_record}) {
    // Versions of the format, time and date, inner and outer attributes.
    std::string other = at_byte(good, record + 4, "\xff\xff\xff\xff");
    other = at_byte(other, record + 12, "\xff\xff\xff\xff");
    other = at_byte(other, record + 36, "\xff\xff\xff\xff\xff\xff");
    const std::size_t local = record == directory_at ? 0 : second_at;
    other = at_byte(other, local + 4, "\xff\xff");
    other = at_byte(other, local + 10, "\xff\xff\xff\xff");
    const auto entries = entries_of(other);
    REQUIRE(entries.size() == 2);
    CHECK(content(other, entries[0]) == "hello");
    CHECK(content(other, entries[1]) == std::string(70, 's'));
  }
}

TEST_CASE("zip: an archive that lies is refused with what is wrong", "[io]") {
  const std::string good = two();
  const std::size_t end = good.size() - 22;
  REQUIRE(good.substr(second_at, 4) == "PK\x03\x04");
  REQUIRE(good.substr(second_record, 4) == "PK\x01\x02");
  struct Lie {
    std::size_t at;
    std::string put;
    const char* said;
  };
  const std::vector<Lie> lies{
      {end, "PK\x05\x07", "no end of a directory"},
      {end + 20, le(1, 2), "no end of a directory"},  // a comment that is not there
      {end + 4, le(1, 2), "split over several files"},
      {end + 8, le(1, 2), "split over several files"},
      {end + 10, le(3, 2), "split over several files"},
      {end + 8, le(3, 2) + le(3, 2), "fewer entries than it says"},
      {end + 8, le(1, 2) + le(1, 2), "more than its entries"},
      {end + 8, le(0xFFFF, 2) + le(0xFFFF, 2), "fewer entries than it says"},
      {end + 12, le(0xFFFFFFFF, 4), "the directory does not end"},
      {end + 16, le(0xFFFFFFFF, 4), "the directory does not end"},
      {end + 16, le(0, 4), "the directory does not end"},
      {second_record, "PK\x01\x03", "fewer entries than it says"},
      {second_record + 8, le(1, 2), "'a/second': it is encrypted"},
      {second_record + 10, le(8, 2),
       "'a/second': it is compressed: expected a stored entry, as torch.save writes it, found method 8"},
      {second_record + 20, le(71, 4), "'a/second': its two sizes differ"},
      {second_record + 20, le(71, 4) + le(71, 4), "'a/second': its header and the directory disagree"},
      {second_record + 16, le(1, 4), "'a/second': its header and the directory disagree"},
      {second_record + 28, le(9, 2), "goes past the end of the directory"},
      {second_record + 32, le(0xFFFF, 2), "goes past the end of the directory"},
      {second_record + 34, le(1, 2), "it stands in another file"},
      {second_record + 42, le(0, 4), "'a/second': its header has a name of another length"},
      {second_record + 42, le(1, 4), "no header of an entry at byte 1"},
      {second_record + 42, le(0xFFFFFFF0, 4), "header of an entry goes past the end of the file"},
      {second_record + 46, "b", "'b/second': its header has another name"},
      {second_at + 6, le(8, 2), "'a/second': its header and the directory disagree"},
      {second_at + 8, le(8, 2), "'a/second': its header and the directory disagree"},
      {second_at + 18, le(0, 4), "'a/second': its header and the directory disagree"},
      {second_at + 22, le(0xFFFFFFFF, 4), "'a/second': its zip64 field is missing"},
      {second_at + 26, le(9, 2), "another length"},
      {second_at + 28, le(0xFFFF, 2), "another length"},
      {second_at + 28, le(10, 2), "'a/second': it overlaps what follows it"},
      {30 - 2, le(10, 2), "'a/first': it overlaps what follows it"},
  };
  for (const Lie& lie : lies) {
    const std::string message = refused(at_byte(good, lie.at, lie.put));
    INFO(lie.at << " " << lie.said << " | " << message);
    says(message, lie.said);
    well_said(message, "x.pth");
  }
}

TEST_CASE("zip: the two ends of the directory must agree", "[io]") {
  const std::string good = two(true);
  const std::size_t end = good.size() - 22, locator = end - 20, end64 = locator - 56;
  REQUIRE(entries_of(at_byte(good, end + 8, le(0xFFFF, 2) + le(0xFFFF, 2) + le(~0ull, 8))).size() == 2);  // "see the other"
  struct Lie {
    std::size_t at;
    std::string put;
  };
  for (const Lie& lie : {Lie{end + 10, le(1, 2)}, Lie{end + 12, le(1, 4)}, Lie{end + 16, le(1, 4)}, Lie{end64, "PK\x06\x05"},
                         Lie{end64 + 4, le(43, 8)}, Lie{end64 + 4, le(45, 8)}, Lie{end64 + 4, le(~0ull, 8)},
                         Lie{end64 + 16, le(1, 4)}, Lie{end64 + 24, le(3, 8)}, Lie{end64 + 24, le(~0ull, 8) + le(~0ull, 8)},
                         Lie{end64 + 40, le(~0ull, 8)}, Lie{end64 + 48, le(~0ull, 8)}, Lie{locator + 8, le(~0ull, 8)},
                         Lie{locator + 8, le(~0ull - 55, 8)}, Lie{locator + 8, le(0, 8)}, Lie{locator + 16, le(2, 4)}}) {
    INFO(lie.at - end64);
    well_said(refused(at_byte(good, lie.at, lie.put)), "x.pth");
  }
}

TEST_CASE("zip: names that are there twice and contents that share bytes are refused", "[io]") {
  says(refused(zip({{"a", "x"}, {"b", "y"}, {"a", "x"}})), "entry 'a': it is there twice");
  // Two records of the directory that lead to one content: the name in front of it can only be one.
  std::string same = zip({{"a", "xx"}, {"b", "yy"}});
  const std::size_t directory = 2 * (30 + 1 + 9 + 2);
  same = at_byte(same, directory + 47 + 42, le(0, 4));
  says(refused(same), "entry 'b': its header has another name");
  // An archive inside of the content of an entry, whose header is used by another record.
  const std::string inner = "PK\x03\x04" + le(0, 2 + 2 + 2 + 4) + le(minivit::crc32(bytes_of("zz")), 4) + le(2, 4) +
                            le(2, 4) + le(1, 2) + le(0, 2) + "czz";
  std::string nested = zip({{"a", inner}, {"c", "zz"}});
  const std::size_t record = 30 + 1 + 9 + inner.size() + 30 + 1 + 9 + 2 + 47;
  nested = at_byte(nested, record + 42, le(30 + 1 + 9, 4));
  says(refused(nested), "entry 'a': it overlaps what follows it");
}

TEST_CASE("zip: a content that changed is refused by its checksum, and a sum of 0 is none", "[io]") {
  std::string bytes = two(true, true);
  const auto entries = entries_of(bytes);
  bytes[static_cast<std::size_t>(entries[0].at)] = 'j';
  says(message_of([&] { content(bytes, entries[0]); }), "entry 'a/first': its checksum is wrong");
  ZipEntry without = entries[0];
  without.crc = 0;
  CHECK(content(bytes, without) == "jello");
}

TEST_CASE("zip: cut at any byte it is refused, with any bit changed it stays inside of the file", "[io]") {
  for (const std::string& good : {two(), two(true, true)}) {
    for (std::size_t size = 0; size < good.size(); ++size) {
      const std::string message = refused(good.substr(0, size));
      if (message.empty() || message.size() > 500) FAIL(size << ": " << message);
    }
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
      std::string changed = good;
      changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
      try {
        for (const ZipEntry& e : entries_of(changed))
          if (e.at > changed.size() || e.bytes > changed.size() - e.at) FAIL("bit " << bit << ": outside");
      } catch (const minivit::Error&) {
      }
    }
  }
}

}  // namespace zip_directory_test
