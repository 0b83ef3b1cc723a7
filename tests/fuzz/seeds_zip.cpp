// SPDX-License-Identifier: MIT
// Seeds of weights: archives with zip64 fields of single entries, and with directories that say what is not so.
#include "../io/raw_torch.hpp"
#include "seeds.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace seeds {

using namespace torch_test;

namespace {

constexpr std::uint64_t truth = 1ull << 40;  // for a number that is what it should be
constexpr std::uint64_t full = 0xFFFFFFFF;   // "look into the zip64 field"

/// What a header or a record of the directory says of an entry.
struct Claim {
  std::uint64_t packed = truth, content = truth, at = truth;
  std::string extra{};
};
struct Entry {
  std::string name, content;
  Claim record{}, header{};
};
/// What the ends of the directory say.
struct End {
  bool wide = false;  // with the zip64 one
  std::uint64_t entries = truth;
  std::uint64_t narrow_entries = truth, narrow_bytes = truth, narrow_at = truth;
};

std::uint64_t claimed(std::uint64_t claim, std::uint64_t is) { return claim == truth ? is : claim; }

std::string archive(const std::vector<Entry>& entries, const End& end = {}) {
  std::string out, directory;
  for (const Entry& e : entries) {
    const std::uint64_t bytes = e.content.size(), at = out.size();
    const auto sums = [&](const Claim& claim) {
      return le(minivit::crc32(bytes_of(e.content)), 4) + le(claimed(claim.packed, bytes), 4) +
             le(claimed(claim.content, bytes), 4) + le(e.name.size(), 2) + le(claim.extra.size(), 2);
    };
    out += joined({"PK\x03\x04", le(0, 2 + 2 + 2 + 4), sums(e.header), e.name, e.header.extra, e.content});
    directory += joined({"PK\x01\x02", le(0, 4 + 2 + 2 + 4), sums(e.record), le(0, 2 + 2 + 2 + 4),
                         le(claimed(e.record.at, at), 4), e.name, e.record.extra});
  }
  const std::uint64_t at = out.size(), bytes = directory.size(), count = claimed(end.entries, entries.size());
  out += directory;
  if (end.wide)
    out += joined({"PK\x06\x06", le(44, 8), le(0, 2 + 2 + 4 + 4), le(count, 8), le(count, 8), le(bytes, 8), le(at, 8),
                   "PK\x06\x07", le(0, 4), le(at + bytes, 8), le(1, 4)});
  const std::string narrow_count = le(claimed(end.narrow_entries, count), 2);
  return joined({out, "PK\x05\x06", le(0, 4), narrow_count, narrow_count, le(claimed(end.narrow_bytes, bytes), 4),
                 le(claimed(end.narrow_at, at), 4), le(0, 2)});
}

/// A zip64 field with these numbers.
std::string field(Numbers values) {
  std::string out = le(1, 2) + le(8 * values.size(), 2);
  for (const std::uint64_t v : values) out += le(v, 8);
  return out;
}

}  // namespace

void write_zip_archives(const Folder& all) {
  const Folder folder = all / "weights";
  const std::string pickled = begin + dict({{"w", tensor(storage("0", 6), 0, {6}, {1})}}) + ".";
  const std::uint64_t n = pickled.size();
  const Entry object{"a/data.pkl", pickled}, data{"a/data/0", floats(6)};
  const auto put = [&](const char* name, const std::string& bytes) {
    io_test::put(folder / (std::string("zip_") + name), bytes);
  };
  const auto put_claims = [&](const char* name, const Claim& record, const Claim& header = {}) {
    put(name, archive({{object.name, pickled, record, header}, data}));
  };

  const std::string other = "XX" + le(3, 2) + "abc", all_three = field({n, n, 0}), both = field({n, n});
  put_claims("wide", {full, full, full, all_three}, {full, full, truth, both});
  put_claims("wide_behind_another", {full, full, full, other + all_three}, {full, full, truth, other + both});
  put_claims("wide_and_another", {full, full, full, all_three + other});
  put_claims("wide_content", {truth, full, truth, field({n})}, {truth, full, truth, field({n})});
  put_claims("wide_packed", {full, truth, truth, field({n})}, {full, truth, truth, field({n})});
  put_claims("wide_place", {truth, truth, full, field({0})});
  put_claims("wide_missing", {full, full, full, ""});
  put_claims("wide_only_another", {full, full, full, other});
  put_claims("wide_too_short", {full, full, full, field({n})});
  put_claims("wide_cut", {full, full, full, all_three.substr(0, 12)});
  put_claims("wide_missing_in_header", {}, {full, full, truth, ""});
  put_claims("wide_other_size", {full, full, full, field({n + 1, n + 1, 0})});
  put_claims("wide_sizes_differ", {full, full, full, field({n, n + 1, 0})});
  put_claims("wide_huge_size", {full, full, full, field({~0ull, ~0ull, 0})}, {full, full, truth, field({~0ull, ~0ull})});
  put_claims("wide_place_outside", {full, full, full, field({n, n, 1ull << 63})});
  put_claims("too_long", {1 << 20, 1 << 20}, {1 << 20, 1 << 20});

  put("same_name_twice", archive({object, data, data}));
  put("one_entry_less", archive({object, data}, {.entries = 3}));
  put("no_entry_at_all", archive({object, data}, {.entries = 0}));
  put("200000_entries", archive({object, data}, {.wide = true, .entries = 200'000, .narrow_entries = 0xFFFF}));
  put("narrow_end_full", archive({object, data}, {true, truth, 0xFFFF, full, full}));
  put("ends_differ", archive({object, data}, {.wide = true, .narrow_entries = 3}));
  put("empty", std::string("PK\x03\x04......") + archive({}, {.narrow_at = 10}));
  put("of_a_text", archive({{"a.txt", "..."}}));
  put("long_byte_order", archive({object, data, {"a/byteorder", std::string(65, 'l')}}));
}

}  // namespace seeds
