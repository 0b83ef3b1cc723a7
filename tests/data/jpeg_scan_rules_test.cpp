// SPDX-License-Identifier: MIT
// Each rule of check_jpeg about scans and their data at the last value that it takes and the first that it refuses.
#include "jpeg_parts.hpp"

namespace jpeg_scan_rules_test {

namespace mv = minivit;
using namespace parts;
using namespace parts::jpeg;

namespace {
/// A file of one scan behind a frame header, all four tables of each kind but those left out.
struct File {
  Bytes components = frame(colour);
  std::uint32_t without_dc = 9, without_ac = 9, without_quantisation = 9;

  Bytes before() const {
    Bytes out = soi;
    for (std::uint32_t i = 0; i < 4; ++i) {
      if (i != without_quantisation) out = joined({out, dqt(i)});
      if (i != without_dc) out = joined({out, dht(i)});
      if (i != without_ac) out = joined({out, dht(0x10 + i)});
    }
    return joined({out, components});
  }
  std::string with(const Bytes& scan) const { return words(joined({before(), scan, eoi})); }
  /// Of a scan's first field.
  std::size_t at() const { return before().size() + 4; }
};
const File baseline{}, progressive{.components = frame(colour, 0xC2)};
const Pairs all{{1, 0}, {2, 0}, {3, 0}};
const std::string damaged = "a JPEG scan header is damaged";
const std::string no_table = "a JPEG scan needs a Huffman table that is missing";
}  // namespace

TEST_CASE("jpeg scans: one to all components, by their identifiers, in a header of their length", "[data]") {
  const std::size_t at = baseline.at();
  CHECK(words(joined({tables, scan(one), frame(grey), eoi})) ==
        says("JPEG data before the frame header", tables.size() + 4));
  const std::string number = says("a JPEG scan has a wrong number of components", at + 1);
  CHECK(baseline.with(scan({})) == number);
  CHECK(baseline.with(scan(one)).empty());
  CHECK(baseline.with(scan(all)).empty());
  CHECK(baseline.with(scan({{1, 0}, {2, 0}, {3, 0}, {3, 0}})) == number);
  CHECK(words(joined({tables, frame(grey), scan({{1, 0}, {1, 0}}), eoi})) ==
        says("a JPEG scan has a wrong number of components", tables.size() + 13 + 5));
  CHECK(baseline.with(segment(0xDA, {})) == cut_off("a scan header", at, 1, 0));
  for (const Pairs& pairs : {one, all}) {
    const Bytes body = scan_body(pairs);
    const std::string length = says("a JPEG scan header has a wrong length", at + 1);
    for (std::size_t n = 1; n < body.size(); ++n) CHECK(baseline.with(segment(0xDA, first_of(body, n))) == length);
    CHECK(baseline.with(segment(0xDA, joined({body, zeros(1)}))) == length);
  }
  for (const std::uint32_t id : {0u, 4u, 0xFFu})
    for (std::size_t i = 0; i < 3; ++i) {
      Pairs pairs = all;
      pairs[i].first = id;
      CHECK(baseline.with(scan(pairs)) == says("a JPEG scan names an unknown component", at + 3 + 2 * i));
    }
  // the fourth place is empty in a frame of three, and so is its identifier
  CHECK(File{.components = frame({{7, 0x11, 0}, {8, 0x11, 0}, {9, 0x11, 0}, {0, 0x11, 0}})}.with(scan({{0, 0}})).empty());
}

TEST_CASE("jpeg scans: quantisation and Huffman tables have numbers up to 3 and are defined before", "[data]") {
  const std::size_t at = baseline.at();
  for (std::uint32_t number = 0; number <= 0xFF; ++number) {
    CAPTURE(number);
    const bool good = number >> 4 <= 3 && (number & 15) <= 3;
    CHECK(baseline.with(scan({{1, number}})) == (good ? "" : says("a JPEG scan names an unknown Huffman table", at + 3)));
    CHECK(baseline.with(scan({{1, 0}, {3, number}})) ==
          (good ? "" : says("a JPEG scan names an unknown Huffman table", at + 5)));
  }
  for (std::uint32_t missing = 0; missing < 4; ++missing)
    for (std::uint32_t table = 0; table < 4; ++table) {
      CAPTURE(missing, table);
      const File file{.components = frame({{1, 0x11, 0}, {2, 0x11, 1}, {5, 0x11, table}}), .without_quantisation = missing};
      const std::string expected = says("a JPEG scan needs a quantisation table that is missing", file.at() + 3);
      CHECK(file.with(scan({{5, 0}})) == (missing == table ? expected : ""));
      // of the scan's first component and of its last
      const File dc{.without_dc = missing}, ac{.without_ac = missing};
      for (const bool last : {false, true}) {
        const std::uint32_t other = missing ^ 1, rest_of = other << 4 | other;
        const auto of = [&](std::uint32_t numbers) {
          return scan(last ? Pairs{{1, rest_of}, {2, numbers}} : Pairs{{1, numbers}, {2, rest_of}});
        };
        const std::string missing_table = says(no_table, dc.at() + 8);
        CHECK(dc.with(of(table << 4 | other)) == (missing == table ? missing_table : ""));
        CHECK(ac.with(of(other << 4 | table)) == (missing == table ? missing_table : ""));
        CHECK(dc.with(of(other << 4 | table)).empty());  // the other kind has it
        CHECK(ac.with(of(table << 4 | other)).empty());
      }
    }
}

TEST_CASE("jpeg scans: a baseline scan needs tables for DC and AC, a progressive one those that it reads", "[data]") {
  struct Row {
    std::uint32_t first, last, bits;
    bool needs_dc, needs_ac;
  };
  for (const bool is_progressive : {false, true})
    for (const auto& [first, last, bits, needs_dc, needs_ac] :
         {Row{0, 0, 0x00, true, false}, Row{0, 0, 0x01, true, false}, Row{0, 0, 0x10, false, false},
          Row{0, 0, 0x21, false, false}, Row{1, 1, 0x00, false, true}, Row{1, 63, 0x02, false, true},
          Row{1, 63, 0x21, false, true}, Row{6, 63, 0x10, false, true}}) {
      CAPTURE(is_progressive, first, last, bits);
      const Bytes components = frame(colour, is_progressive ? 0xC2 : 0xC1);
      const File dc{.components = components, .without_dc = 0}, ac{.components = components, .without_ac = 0};
      const std::string missing = says(no_table, dc.at() + 6);
      CHECK(dc.with(scan(one, first, last, bits)) == (needs_dc || !is_progressive ? missing : ""));
      CHECK(ac.with(scan(one, first, last, bits)) == (needs_ac || !is_progressive ? missing : ""));
    }
}

TEST_CASE("jpeg scans: coefficients 0 to 63 in order, shifted by 13 bits at most", "[data]") {
  const std::string refused = says(damaged, baseline.at() + 6);
  for (const std::uint32_t first : {0u, 1u, 2u, 62u, 63u, 64u, 127u, 255u})
    for (const std::uint32_t last : {0u, 1u, 2u, 62u, 63u, 64u, 127u, 255u}) {
      CAPTURE(first, last);
      const bool good = first <= last && last <= 63;
      CHECK(baseline.with(scan(one, first, last)) == (good ? "" : refused));
      CHECK(progressive.with(scan(one, first, last)) == (good && (first > 0 || last == 0) ? "" : refused));
    }
  for (std::uint32_t bits = 0; bits <= 0xFF; ++bits) {
    CAPTURE(bits);
    const bool good = bits >> 4 <= 13 && (bits & 15) <= 13;
    CHECK(baseline.with(scan(one, 0, 63, bits)) == (good ? "" : refused));
    CHECK(progressive.with(scan(one, 0, 0, bits)) == (good ? "" : refused));
    CHECK(progressive.with(scan(one, 1, 63, bits)) == (good ? "" : refused));
  }
  // AC coefficients of a progressive file come one component at a time
  const Pairs two{{1, 0}, {2, 0}};
  const std::string number = says("a JPEG scan has a wrong number of components", progressive.at() + 8);
  CHECK(progressive.with(scan(two, 0, 0)).empty());
  for (const std::uint32_t first : {1u, 2u}) CHECK(progressive.with(scan(two, first, 63)) == number);
  CHECK(baseline.with(scan(two, 1, 63)).empty());
}

TEST_CASE("jpeg scans: data end at a marker that is neither a zero, a restart nor filling", "[data]") {
  const Bytes before = joined({tables, frame(grey), segment(0xDA, scan_body(one))});
  for (std::uint32_t code = 0; code <= 0xFF; ++code) {
    CAPTURE(code);
    const bool inside = code == 0 || (code >= 0xD0 && code <= 0xD7);
    const std::string found = words(joined({before, raw({0x55, 0xFF, code, 0x33}), eoi}));
    // what ends the data is read as a segment's marker: 0x33FF bytes long, or one that has no length
    std::string expected;
    const std::size_t at = before.size() + 3;
    if (code == 1 || code == 0xD8) expected = says("an unexpected JPEG marker", at);
    else if (code == 0xFF) expected = cut_off("a JPEG segment", at + 3, 0xFFD7, 0);  // filling: the marker is 0x33
    else if (!inside && code != 0xD9) expected = cut_off("a JPEG segment", at + 2, 0x33FD, 1);
    CHECK(found == expected);
  }
  CHECK(words(joined({before, eoi})) == says("the JPEG has no image data", before.size() + 2));
  CHECK(words(joined({tables, frame(grey), eoi})) == says("the JPEG has no image data", tables.size() + 15));
  CHECK(words(joined({before, raw({0x55}), eoi})).empty());
  CHECK(words(joined({before, raw({0xFF, 0}), eoi})).empty());
}

TEST_CASE("jpeg scans: 256 at most", "[data]") {
  Bytes file = joined({tables, frame(grey)});
  for (int i = 0; i < 256; ++i) file = joined({file, scan(one)});
  CHECK(words(joined({file, eoi})).empty());
  CHECK(words(joined({file, scan(one), eoi})) == says("the JPEG has too many scans", file.size() + 10, "at most 256"));
}

TEST_CASE("jpeg scans: a bit of data for each unit, whatever component is the widest", "[data]") {
  struct Row {
    std::uint32_t first, second, third;  // sampling
    std::uint32_t across, down;          // pixels of a unit
  };
  for (const auto& [first, second, third, across, down] :
       {Row{0x11, 0x11, 0x11, 8, 8}, Row{0x22, 0x11, 0x11, 16, 16}, Row{0x11, 0x21, 0x11, 16, 8},
        Row{0x11, 0x11, 0x12, 8, 16}, Row{0x41, 0x14, 0x11, 32, 32}, Row{0x13, 0x31, 0x22, 24, 24}}) {
    CAPTURE(first, second, third);
    const auto with = [&, s = Components{{1, first, 0}, {2, second, 0}, {3, third, 0}}](
                          std::uint32_t width, std::uint32_t height, std::size_t bytes) {
      const Bytes before = joined({tables, segment(0xC0, frame_body(s, width, height))});
      // in two scans, which count together
      const Bytes data = joined({scan(one), segment(0xDA, scan_body(one)), zeros(bytes - 1)});
      const std::string found = words(joined({before, data, eoi}));
      CHECK((found.empty() || found == says("the JPEG has too little data for its size", before.size() + data.size() + 2)));
      return found.empty();
    };
    CHECK(with(8 * across, 1, 1));  // eight units
    CHECK_FALSE(with(8 * across + 1, 1, 1));
    CHECK(with(1, 8 * down, 1));
    CHECK_FALSE(with(1, 8 * down + 1, 1));
    CHECK(with(4 * across, 10 * down, 5));  // forty
    CHECK_FALSE(with(4 * across, 10 * down, 4));
    CHECK_FALSE(with(4 * across + 1, 10 * down, 5));
    CHECK_FALSE(with(4 * across, 10 * down + 1, 5));
    CHECK(with(3 * across, 3 * down, 2));  // nine need the second byte
    CHECK_FALSE(with(3 * across, 3 * down, 1));
  }
}

}  // namespace jpeg_scan_rules_test
