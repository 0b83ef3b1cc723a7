// SPDX-License-Identifier: MIT
// Each rule of check_bmp at the last value that it takes and the first that it refuses, with the byte that it names.
#include "picture_parts.hpp"

#include <minivit/data/bmp.hpp>

#include <set>

namespace bmp_rules_test {

namespace mv = minivit;
using namespace parts;

namespace {
constexpr std::uint32_t rgb_masks = 3;  // the compression of files with masks, BI_BITFIELDS
using Masks = std::vector<std::uint32_t>;

/// The fields of a BMP file as they stand in it.
struct Bmp {
  std::uint32_t kind = 40, width = 3, height = 2, planes = 1, bits = 24, compression = 0, colours = 0;
  Masks masks = {};
  Bytes palette = {};
  std::uint32_t first = 0xFFFF;  // of the pixels; 0xFFFF: behind all else
  Bytes pixels = zeros(24);      // as many as the fields above ask for

  int word() const { return kind == 12 ? 2 : 4; }
  Bytes bytes() const {
    Bytes header = joined(
        {little(kind, 4), little(width, word()), little(height, word()), little(planes, 2), little(bits, 2)});
    if (kind != 12) header = joined({header, little(compression, 4), zeros(12), little(colours, 4), zeros(4)});
    for (const std::uint32_t mask : masks) header = joined({header, little(mask, 4)});
    if (header.size() < kind && kind < 200) header.resize(kind);
    const std::size_t start = first != 0xFFFF ? first : 14 + header.size() + palette.size();
    return joined({text("BM"), zeros(8), little(static_cast<std::uint32_t>(start), 4), header, palette, pixels});
  }
};

mv::detail::BmpLayout layout(const Bytes& bytes) { return mv::detail::check_bmp({bytes, "t"}); }
std::string words(const Bytes& bytes) {
  return words_of([&] { layout(bytes); });
}
std::string words(const Bmp& bmp) { return words(bmp.bytes()); }
const Masks five{0x7C00, 0x3E0, 0x1F}, six{0xF800, 0x7E0, 0x1F}, eight{0xFF0000, 0xFF00, 0xFF};
/// Colour i is 100 + i, 101 + i, 102 + i in the order of the file: blue, green, red.
Bytes palette(std::uint32_t colours, bool padded = true) {
  Bytes out;
  for (std::uint32_t i = 0; i < colours; ++i) {
    for (std::uint32_t c = 0; c < 3; ++c) out.push_back(static_cast<std::byte>(100 + i + c & 255u));
    if (padded) out.push_back(std::byte{0xEE});
  }
  return out;
}
}  // namespace

TEST_CASE("bmp rules: a file that is cut off is refused at the field where it ends", "[data]") {
  constexpr const char* header = "the BMP header";
  constexpr const char* colours = "the BMP's palette";
  const std::vector<Field> os2{{10, header}, {4, header}, {4, header}, {2, header}, {2, header}, {2, header}, {2, header}};
  const std::vector<Field> windows{{10, header}, {4, header}, {4, header},  {4, header}, {4, header}, {2, header},
                                   {2, header},  {4, header}, {12, header}, {4, header}, {4, header}};
  struct Row {
    Bmp bmp;
    std::vector<Field> rest;  // behind the fields of every file of its kind
  };
  const Field mask{4, header};
  const std::vector<Row> rows{
      {{.kind = 12}, {}},
      {{.kind = 12, .bits = 1, .palette = palette(2, false), .pixels = zeros(8)}, {{6, colours}}},
      {{.kind = 12, .bits = 8, .palette = palette(256, false), .pixels = zeros(8)}, {{768, colours}}},
      {{}, {}},
      {{.bits = 1, .palette = palette(2), .pixels = zeros(8)}, {{8, colours}}},
      {{.bits = 4, .colours = 15, .palette = palette(15), .pixels = zeros(8)}, {{60, colours}}},
      {{.bits = 4, .colours = 17, .palette = palette(16), .pixels = zeros(8)}, {{64, colours}}},
      {{.bits = 8, .colours = 3, .palette = palette(3), .pixels = zeros(8)}, {{12, colours}}},
      {{.bits = 8, .palette = palette(256), .pixels = zeros(8)}, {{1024, colours}}},
      {{.bits = 16, .compression = rgb_masks, .masks = six, .pixels = zeros(16)}, {mask, mask, mask}},
      {{.kind = 56}, {{16, header}}},
      {{.kind = 56, .compression = rgb_masks, .masks = eight}, {mask, mask, mask, {4, header}}},
      {{.kind = 108}, {{68, header}}},
      {{.kind = 108, .compression = rgb_masks, .masks = eight}, {mask, mask, mask, {56, header}}},
      {{.kind = 124, .compression = rgb_masks, .masks = eight}, {mask, mask, mask, {72, header}}},
      {{.kind = 108, .bits = 4, .palette = palette(16), .pixels = zeros(8)}, {{68, header}, {64, colours}}},
      {{.kind = 124, .bits = 8, .colours = 2, .palette = palette(2), .pixels = zeros(8)}, {{84, header}, {8, colours}}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.bmp.kind, row.bmp.bits, row.bmp.compression, row.bmp.colours);
    const Bytes file = row.bmp.bytes();
    std::vector<Field> fields = row.bmp.kind == 12 ? os2 : windows;
    fields.insert(fields.end(), row.rest.begin(), row.rest.end());
    const std::size_t end = cut_everywhere(file, fields, [](const Bytes& cut) { return words(cut); });
    CHECK(end + row.bmp.pixels.size() == file.size());
    for (std::size_t n = end; n < file.size(); ++n) CHECK(words(first_of(file, n)) == says("the BMP file is cut off", end));
    CHECK(words(file).empty());
    CHECK(words(joined({file, zeros(1)})).empty());
  }
}

TEST_CASE("bmp rules: headers of 12, 40, 56, 108 and 124 bytes are known", "[data]") {
  for (std::uint32_t kind = 0; kind <= 256; ++kind) {
    CAPTURE(kind);
    const bool known = std::set<std::uint32_t>{12, 40, 56, 108, 124}.count(kind) != 0;
    CHECK(words(Bmp{.kind = kind}) == (known ? "" : says("an unknown kind of BMP", 18)));
  }
}

TEST_CASE("bmp rules: sides of 1 to 16384 pixels, rows from either end", "[data]") {
  const auto impossible = [](const char* found, std::size_t byte = 26) {
    return says("the image has an impossible size", byte, "sides of 1 to 16384 pixels", found);
  };
  struct Row {
    std::uint32_t width, height, bits;
    std::string words;
  };
  const std::string few = says("the BMP file is cut off", 54);
  const std::string many = says("the image is too large", 26, "at most 50 million pixels", "10202 x 4901");
  for (const Row& row :
       {Row{0, 2, 24, impossible("0 x 2")}, Row{1, 2, 24, ""}, Row{16384, 1, 32, few},
        Row{16385, 2, 24, impossible("16385 x 2")}, Row{0xFFFFFFFF, 2, 24, impossible("4294967295 x 2")},
        Row{2, 0, 24, impossible("2 x 0")}, Row{2, 1, 24, ""}, Row{2, 16384, 24, few},
        Row{2, 16385, 24, impossible("2 x 16385")}, Row{2, 0x7FFFFFFF, 24, impossible("2 x 2147483647")},
        Row{2, 0x80000000, 24, impossible("2 x 2147483648")}, Row{2, 0x80000001, 24, impossible("2 x 2147483647")},
        Row{2, 0xFFFFBFFF, 24, impossible("2 x 16385")}, Row{2, 0xFFFFC000, 24, few}, Row{2, 0xFFFFFFFF, 24, ""},
        Row{10000, 5000, 24, few}, Row{10202, 4901, 24, many}, Row{10202, 0xFFFFFFFF - 4900, 24, many}}) {
    CAPTURE(row.width, row.height);
    CHECK(words(Bmp{.width = row.width, .height = row.height, .bits = row.bits}) == row.words);
  }
  const Bytes whole = Bmp{.width = 16384, .height = 1, .bits = 32, .pixels = zeros(65536)}.bytes();  // the longest row
  CHECK(layout(whole).stride == 65536);
  CHECK(words(first_of(whole, whole.size() - 1)) == few);
  // words of 16 bits have no sign
  CHECK(words(Bmp{.kind = 12, .height = 0xFFFF}) == impossible("3 x 65535", 22));
  CHECK(words(Bmp{.kind = 12, .width = 0}) == impossible("0 x 2", 22));
  for (const std::uint32_t height : {2u, 0xFFFFFFFEu}) {
    const auto found = layout(Bmp{.height = height}.bytes());
    CHECK(found.width == 3);
    CHECK(found.height == 2);
    CHECK(found.top_first == (height != 2));
    CHECK(found.bits == 24);
    CHECK(found.first == 54);
    CHECK(found.stride == 12);
  }
}

TEST_CASE("bmp rules: one plane, known depths, nothing compressed", "[data]") {
  for (const std::uint32_t kind : {12u, 40u, 124u}) {
    const std::size_t at = kind == 12 ? 24 : 28;
    for (const std::uint32_t planes : {0u, 2u, 256u, 257u, 65535u})
      CHECK(words(Bmp{.kind = kind, .planes = planes}) == says("the BMP does not have one plane", at));
    for (std::uint32_t bits = 0; bits <= 65; ++bits) {
      CAPTURE(kind, bits);
      const bool known = bits == 1 || bits == 4 || bits == 8 || bits == 16 || bits == 24 || bits == 32;
      const Bmp bmp{.kind = kind, .bits = bits, .palette = palette(bits <= 8 ? 256 : 0), .pixels = zeros(32)};
      CHECK(words(bmp) == (known ? "" : says("the BMP has an unknown depth", at + 2)));
    }
    CHECK(words(Bmp{.kind = kind, .bits = 256 + 24}) == says("the BMP has an unknown depth", at + 2));
  }
  for (const std::uint32_t compression : {1u, 2u, 4u, 5u, 6u, 11u, 0x100u, 0x3000000u})
    CHECK(words(Bmp{.compression = compression}) == says("compressed BMP files are not supported", 34));
}

TEST_CASE("bmp rules: masks are 555, 565, or whole bytes of 32 bits", "[data]") {
  struct Row {
    std::uint32_t bits;
    Masks masks;
    bool known;
  };
  const Masks none{0, 0, 0}, turned{0xFF, 0xFF00, 0xFF0000}, upper{0xFF000000, 0xFF0000, 0xFF00};
  for (const auto& [bits, masks, known] : std::vector<Row>{{16, five, true},
                                                           {16, six, true},
                                                           {16, none, false},
                                                           {16, eight, false},
                                                           {16, {0x7C00, 0x3E0, 0x1E}, false},
                                                           {24, eight, true},
                                                           {24, none, false},
                                                           {24, turned, false},
                                                           {24, six, false},
                                                           {24, {0xFF0000, 0xFF00, 0}, false},
                                                           {32, eight, true},
                                                           {32, turned, true},
                                                           {32, upper, true},
                                                           {32, none, true},
                                                           {32, five, false},
                                                           {32, six, false},
                                                           {8, eight, false},
                                                           {8, none, false},
                                                           {4, none, false},
                                                           {1, five, false},
                                                           {32, {0xFF0000, 0xFF00, 0}, false},
                                                           {32, {0, 0xFF00, 0xFF}, false},
                                                           {32, {0xFF0000, 0xFE00, 0xFF}, false},
                                                           {32, {0xFF, 0xFF, 0xFF}, true},
                                                           {32, {0x1FE, 0xFF00, 0xFF}, false},
                                                           {16, {0xF800, 0x3E0, 0x1F}, false}}) {
    CAPTURE(bits, masks);
    for (const std::uint32_t kind : {40u, 56u, 108u, 124u}) {
      const Bmp bmp{.kind = kind, .bits = bits, .compression = rgb_masks, .masks = masks, .palette = palette(256)};
      CHECK(words(bmp) == (known ? "" : says("the BMP has unknown colour masks", 66)));
      if (!known) continue;
      const auto got = layout(bmp.bytes()).mask;
      CHECK(Masks(got.begin(), got.end()) == (masks == none ? eight : masks));
    }
  }
  for (const std::uint32_t bits : {16u, 24u, 32u}) {  // without BI_BITFIELDS what stands there is not looked at
    const auto got = layout(Bmp{.kind = 108, .bits = bits, .masks = {1, 2, 3}}.bytes()).mask;
    CHECK(Masks(got.begin(), got.end()) == (bits == 16 ? five : eight));
  }
}

TEST_CASE("bmp rules: the palette has its colours and then greys, whatever stands behind it", "[data]") {
  const auto check = [](const Bmp& bmp, std::uint32_t colours) {
    CAPTURE(bmp.kind, bmp.bits, bmp.colours);
    const auto got = layout(bmp.bytes());
    for (std::uint32_t i = 0; i < 256; ++i)
      for (std::uint32_t c = 0; c < 3; ++c)
        if (got.palette[3 * i + c] != (i < colours ? 102 + i - c & 255u : i)) FAIL_CHECK("colour " << i << ", " << c);
  };
  for (const std::uint32_t kind : {40u, 56u, 108u, 124u})
    for (const std::uint32_t bits : {1u, 4u, 8u}) {
      const std::uint32_t most = 1u << bits;
      for (const std::uint32_t colours : {0u, 1u, 2u, most - 1, most, most + 1, 0xFFFFFFFFu}) {
        const std::uint32_t count = colours == 0 ? most : std::min(colours, most);
        const Bmp bmp{
            .kind = kind, .bits = bits, .colours = colours, .palette = palette(count), .pixels = Bytes(8, std::byte{0x55})};
        check(bmp, count);
        CHECK(layout(bmp.bytes()).first == 14 + kind + 4 * count);
      }
    }
  for (const std::uint32_t bits : {1u, 4u, 8u})
    check({.kind = 12, .bits = bits, .palette = palette(1u << bits, false), .pixels = Bytes(8, std::byte{0x55})},
          1u << bits);
  // The palette may be the end of the file when the pixels lie inside it.
  for (const bool os2 : {true, false}) {
    const Bmp whole{
        .kind = os2 ? 12u : 40u, .bits = 8, .palette = palette(256, !os2), .first = os2 ? 26u : 54u, .pixels = {}};
    check(whole, 256);
    const Bytes bytes = whole.bytes();
    CHECK(words(first_of(bytes, bytes.size() - 1)) ==
          cut_off("the BMP's palette", os2 ? 26 : 54, os2 ? 768 : 1024, os2 ? 767 : 1023));
  }
  for (const std::uint32_t bits : {16u, 24u, 32u}) check({.bits = bits, .colours = 256}, 0);  // has none
}

TEST_CASE("bmp rules: an index beyond the palette is a grey", "[data]") {
  const Bmp bmp{.width = 4, .height = 1, .bits = 8, .colours = 2, .palette = palette(2), .pixels = raw({0, 1, 2, 255})};
  const Bytes bytes = bmp.bytes();
  CHECK(mv::detail::decode_bmp({bytes, "t"}).rgb ==
        std::vector<std::uint8_t>{102, 101, 100, 103, 102, 101, 2, 2, 2, 255, 255, 255});
}

TEST_CASE("bmp rules: rows from the last to the first or the other way, levels scaled to 255 and rounded down", "[data]") {
  const auto pixels = [](const Bmp& bmp) {
    const Bytes bytes = bmp.bytes();
    return mv::detail::decode_bmp({bytes, "t"}).rgb;
  };
  using Levels = std::vector<std::uint8_t>;
  const Bytes rows = raw({1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0});  // blue, green, red; two bytes between rows
  CHECK(pixels({.width = 2, .pixels = rows}) == Levels{9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4});
  CHECK(pixels({.width = 2, .height = 0xFFFFFFFE, .pixels = rows}) == Levels{3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10});
  const Bytes levels = joined({little(0x7C00 | 1, 2), little(20 << 10 | 31 << 5 | 30, 2)});
  CHECK(pixels({.width = 2, .height = 1, .bits = 16, .pixels = levels}) == Levels{255, 0, 8, 164, 255, 246});
  const Bytes six_levels = joined({little(0xF800 | 1 << 5, 2), little(20 << 11 | 62 << 5 | 30, 2)});
  CHECK(pixels({.width = 2, .height = 1, .bits = 16, .compression = rgb_masks, .masks = six, .pixels = six_levels}) ==
        Levels{255, 4, 0, 164, 250, 246});
  CHECK(pixels({.width = 1,
                .height = 1,
                .bits = 32,
                .compression = rgb_masks,
                .masks = {0xFF000000, 0xFF, 0xFF0000},
                .pixels = raw({1, 2, 3, 4})}) == Levels{4, 1, 3});
  CHECK(
      pixels(
          {.width = 5, .height = 1, .bits = 4, .colours = 1, .palette = palette(1), .pixels = raw({0x0F, 0x12, 0x30, 0})}) ==
      Levels{102, 101, 100, 15, 15, 15, 1, 1, 1, 2, 2, 2, 3, 3, 3});
  CHECK(pixels({.width = 9, .height = 1, .bits = 1, .palette = palette(2), .pixels = raw({0xA0, 0x80, 0, 0})}) ==
        Levels{103, 102, 101, 102, 101, 100, 103, 102, 101, 102, 101, 100, 102, 101,
               100, 102, 101, 100, 102, 101, 100, 102, 101, 100, 103, 102, 101});
}

TEST_CASE("bmp rules: pixels start behind the header and end with the file", "[data]") {
  for (const std::uint32_t kind : {12u, 40u, 108u}) {
    CAPTURE(kind);
    const std::uint32_t end = 14 + kind;  // the pixels are 24 bytes
    const std::string outside = says("the BMP's pixels start outside the file", end);
    const std::string cut = says("the BMP file is cut off", end);
    for (const auto& [first, expected] :
         {std::pair(0u, outside), std::pair(end - 1, outside), std::pair(end, std::string()), std::pair(end + 1, cut),
          std::pair(end + 24, cut), std::pair(end + 25, outside), std::pair(0xFFFFFFFFu, outside)}) {
      CAPTURE(first);
      CHECK(words(Bmp{.kind = kind, .first = first}) == expected);
    }
    CHECK(words(Bmp{.kind = kind, .first = end + 7, .pixels = zeros(31)}).empty());
  }
}

TEST_CASE("bmp rules: rows are filled up to four bytes", "[data]") {
  for (const std::uint32_t bits : {1u, 4u, 8u, 16u, 24u, 32u})
    for (std::uint32_t width = 1; width <= 33; ++width) {
      std::size_t stride = 0;
      while (8 * stride < width * bits) stride += 4;
      Bmp bmp{.width = width, .height = 3, .bits = bits, .palette = palette(bits <= 8 ? 1u << bits : 0)};
      bmp.pixels = zeros(3 * stride);
      CAPTURE(bits, width);
      CHECK(layout(bmp.bytes()).stride == stride);
      bmp.pixels.pop_back();
      CHECK(words(bmp) == says("the BMP file is cut off", 54 + bmp.palette.size()));
    }
}

}  // namespace bmp_rules_test
