// SPDX-License-Identifier: MIT
// Each rule of ByteReader and check_png at the last value that it takes and the first that it refuses, with the byte that it
// names.
#include "picture_parts.hpp"

#include <minivit/data/image.hpp>

#include <limits>
#include <set>

namespace png_rules_test {

namespace mv = minivit;
using namespace parts;
using mv::detail::ByteReader;

namespace {
Bytes chunk(std::string_view type, const Bytes& body) {
  const Bytes inside = joined({text(type), body});
  return joined({big(static_cast<std::uint32_t>(body.size()), 4), inside,
                 big(mv::detail::png_crc(ByteReader(inside, "t"), 0, inside.size()), 4)});
}
Bytes ihdr_body(std::uint32_t width, std::uint32_t height, std::uint32_t depth = 8, std::uint32_t colour = 2) {
  return joined({big(width, 4), big(height, 4), big(depth, 1), big(colour, 1), zeros(3)});
}
/// The first 33 bytes of a file.
Bytes begin(std::uint32_t width = 4, std::uint32_t height = 1, std::uint32_t depth = 8, std::uint32_t colour = 2) {
  return joined({text("\x89PNG\r\n\x1A\n"), chunk("IHDR", ihdr_body(width, height, depth, colour))});
}
const Bytes data = chunk("IDAT", raw({1, 2, 3})), end = chunk("IEND", {}), rest = joined({data, end});
const Bytes palette_begin = begin(4, 1, 8, 3);

mv::detail::ImageHeader header(const Bytes& bytes) { return mv::detail::check_png({bytes, "t"}); }
std::string words(const Bytes& bytes) {
  return words_of([&] { header(bytes); });
}
}  // namespace

TEST_CASE("reader: numbers in either order, and what is left", "[data]") {
  const Bytes bytes = raw({0x81, 2, 3, 4, 0xF5, 6, 7, 8, 9});
  ByteReader in(bytes, "t");
  CHECK(in.big(4, "x") == 0x81020304);
  CHECK(in.little(4, "x") == 0x080706F5);
  CHECK(in.at() == 8);
  CHECK(in.left() == 1);
  CHECK(in.byte_at(4) == 0xF5);
  CHECK(words_of([&] { in.need(1, "a part"); }).empty());
  CHECK(words_of([&] { in.need(2, "a part"); }) == cut_off("a part", 8, 2, 1));
  CHECK(words_of([&] { in.big(2, "a part"); }) == cut_off("a part", 8, 2, 1));
  CHECK(words_of([&] { in.little(4, "a part"); }) == cut_off("a part", 8, 4, 1));
  CHECK(words_of([&] { in.skip(3, "a part"); }) == cut_off("a part", 8, 3, 1));
  const auto most = std::numeric_limits<std::size_t>::max();
  CHECK(words_of([&] { in.skip(most, "a part"); }) == cut_off("a part", 8, most, 1));
  CHECK(in.at() == 8);  // a refused read does not move it
  in.skip(1, "x");
  CHECK(words_of([&] { in.need(0, "a part"); }).empty());
  CHECK(words_of([&] { in.skip(1, "a part"); }) == cut_off("a part", 9, 1, 0));
}

TEST_CASE("reader: a part begins where its reader is and counts from the beginning of the file", "[data]") {
  const Bytes bytes = raw({0, 1, 2, 3, 4, 5});
  ByteReader in(bytes, "t");
  in.skip(2, "x");
  ByteReader part = in.part(3);
  CHECK(part.at() == 2);
  CHECK(part.left() == 3);
  CHECK(part.big(2, "x") == 0x0203);
  CHECK(words_of([&] { part.skip(2, "a part"); }) == cut_off("a part", 4, 2, 1));
  CHECK(in.at() == 2);
  CHECK(in.left() == 4);
  CHECK(in.bytes(1, 2).size() == 2);
  CHECK(in.bytes(1, 2)[0] == std::byte{1});
}

TEST_CASE("reader: sides of 1 to 16384, 50 million pixels at most", "[data]") {
  const Bytes none;
  const auto check = [&](std::int64_t width, std::int64_t height) {
    return words_of([&] { ByteReader(none, "t").check_size(width, height); });
  };
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(16384, 1), std::pair(1, 16384), std::pair(10000, 5000),
                                      std::pair(16000, 3125), std::pair(16384, 3051), std::pair(7071, 7071)})
    CHECK(check(width, height).empty());
  for (const auto& [width, height, found] :
       {std::tuple(0, 1, "0 x 1"), std::tuple(1, 0, "1 x 0"), std::tuple(-1, 1, "-1 x 1"), std::tuple(1, -1, "1 x -1"),
        std::tuple(16385, 1, "16385 x 1"), std::tuple(1, 16385, "1 x 16385"), std::tuple(16385, 16385, "16385 x 16385")})
    CHECK(check(width, height) == says("the image has an impossible size", 0, "sides of 1 to 16384 pixels", found));
  for (const auto& [width, height, found] :
       {std::tuple(3561, 14041, "3561 x 14041"), std::tuple(4901, 10202, "4901 x 10202"),
        std::tuple(16384, 3052, "16384 x 3052"), std::tuple(16384, 16384, "16384 x 16384")})
    CHECK(check(width, height) == says("the image is too large", 0, "at most 50 million pixels", found));
}

TEST_CASE("png rules: the checksum is that of the standard", "[data]") {
  const Bytes digits = text("..123456789.");
  CHECK(mv::detail::png_crc(ByteReader(digits, "t"), 2, 11) == 0xCBF43926);  // the check value of CRC-32
  CHECK(mv::detail::png_crc(ByteReader(digits, "t"), 2, 2) == 0);
}

TEST_CASE("png rules: a file that is cut off is refused at the field where it ends", "[data]") {
  constexpr const char* name = "a PNG chunk";
  const Bytes file = joined({palette_begin, chunk("tEXt", zeros(5)), chunk("PLTE", zeros(6)), rest});
  std::vector<Field> fields{{8, "the PNG signature"}};
  for (const std::size_t body : {13u, 5u, 6u, 3u, 0u})
    for (const std::size_t size : {std::size_t{4}, std::size_t{4}, body + 4}) fields.push_back({size, name});
  CHECK(cut_everywhere(file, fields, [](const Bytes& cut) { return words(cut); }) == file.size());
  CHECK(words(file).empty());
  CHECK(words(joined({file, zeros(3)})).empty());  // behind IEND anything may stand
  Bytes huge = file;
  for (std::size_t i = 33; i < 37; ++i) huge[i] = std::byte{0xFF};
  CHECK(words(huge) == cut_off(name, 41, 0x100000003, file.size() - 41));
}

TEST_CASE("png rules: chunks that must be understood have right checksums", "[data]") {
  const Bytes file = joined({palette_begin, chunk("PLTE", zeros(6)), rest});
  struct Row {
    std::size_t start, length;
  };
  for (const auto& [start, length] : {Row{8, 13}, Row{33, 6}, Row{51, 3}, Row{66, 0}})
    for (std::size_t i = start + 8; i < start + 12 + length; ++i) {  // its body and its checksum
      CAPTURE(start, i);
      Bytes bad = file;
      bad[i] ^= std::byte{0x40};
      CHECK(words(bad) == says("a PNG chunk has a wrong checksum", start + 8));
    }
  Bytes other = joined({begin(), chunk("tEXt", zeros(5)), rest});
  other[44] ^= std::byte{1};  // of the others it is not looked at
  CHECK(words(other).empty());
  other[37] ^= std::byte{0x20};  // now a kind that must be understood, as its first letter is large
  CHECK(words(other) == says("a PNG chunk has a wrong checksum", 41));
}

TEST_CASE("png rules: IHDR is the first chunk and the only one, of 13 bytes", "[data]") {
  const Bytes signature = first_of(begin(), 8), first = chunk("IHDR", ihdr_body(4, 1));
  for (const Bytes& chunks :
       {rest, end, joined({chunk("tEXt", {}), first, rest}), joined({chunk("PLTE", zeros(3)), first, rest})})
    CHECK(words(joined({signature, chunks})) == says("the PNG does not begin with IHDR", 16));
  CHECK(words(joined({signature, first, first, rest})) == says("a second IHDR chunk", 41));
  CHECK(words(joined({signature, first, data, first, end})) == says("a second IHDR chunk", 56));
  for (const std::size_t length : {0u, 12u, 14u, 26u}) {
    Bytes body = ihdr_body(4, 1);
    body.resize(length);
    CHECK(words(joined({signature, chunk("IHDR", body), rest})) ==
          says("the IHDR chunk has a wrong length", 16, "13", std::to_string(length)));
  }
}

TEST_CASE("png rules: the size is that of IHDR, with its limits", "[data]") {
  const auto impossible = [](const char* found) {
    return says("the image has an impossible size", 16, "sides of 1 to 16384 pixels", found);
  };
  CHECK(words(joined({begin(0, 7), rest})) == impossible("0 x 7"));
  CHECK(words(joined({begin(7, 0), rest})) == impossible("7 x 0"));
  CHECK(words(joined({begin(16385, 7), rest})) == impossible("16385 x 7"));
  CHECK(words(joined({begin(7, 16385), rest})) == impossible("7 x 16385"));
  CHECK(words(joined({begin(0xFFFFFFFF, 7), rest})) == impossible("4294967295 x 7"));
  CHECK(words(joined({begin(3561, 14041), rest})) ==
        says("the image is too large", 16, "at most 50 million pixels", "3561 x 14041"));
  const auto got = header(joined({begin(16384, 3051), rest}));
  CHECK(got.width == 16384);
  CHECK(got.height == 3051);
}

TEST_CASE("png rules: colour types and depths of the standard", "[data]") {
  const std::set<std::pair<std::uint32_t, std::uint32_t>> known{{0, 1}, {0, 2},  {0, 4},  {0, 8}, {0, 16},
                                                                {2, 8}, {2, 16}, {3, 1},  {3, 2}, {3, 4},
                                                                {3, 8}, {4, 8},  {4, 16}, {6, 8}, {6, 16}};
  for (std::uint32_t colour = 0; colour <= 9; ++colour)
    for (std::uint32_t depth = 0; depth <= 33; ++depth) {
      CAPTURE(colour, depth);
      const bool unknown = colour == 1 || colour == 5 || colour >= 7;
      const Bytes file = joined({begin(4, 1, depth, colour), chunk("PLTE", zeros(6)), rest});
      if (unknown && depth == 8) {  // check_png leaves it to the decoder: libpng's words, or stb_image's
        const std::string found = words_of([&] { mv::decode_image(file, "t"); });
        CHECK((scratch::contains(found, "Invalid color type in IHDR") || scratch::contains(found, "bad ctype") ||
               scratch::contains(found, "unknown colour type")));
        continue;
      }
      if (known.count({colour, depth}) == 0) {
        CHECK(words(file) == says("the PNG has an unknown colour type and depth", 16));
        continue;
      }
      const auto got = header(file);
      CHECK(got.colour == static_cast<int>(colour));
      CHECK(got.depth == static_cast<int>(depth));
      CHECK(got.bytes_per_pixel == (depth == 16 ? 8 : 4));
    }
}

TEST_CASE("png rules: a palette has 1 to 256 colours, stands once and before the data", "[data]") {
  for (std::size_t length = 0; length <= 780; ++length) {
    CAPTURE(length);
    const bool good = length % 3 == 0 && length >= 3 && length <= 768;
    CHECK(words(joined({palette_begin, chunk("PLTE", zeros(length)), rest})) ==
          (good ? "" : says("the PLTE chunk has a wrong length", 41, "3 to 768", std::to_string(length))));
  }
  const Bytes palette = chunk("PLTE", raw({100, 101, 102, 103, 104, 105}));
  CHECK(words(joined({palette_begin, rest})) == says("the palette is missing", 41));
  CHECK(words(joined({palette_begin, palette, palette, rest})) == says("a misplaced PLTE chunk", 59));
  CHECK(words(joined({begin(), data, palette, end})) == says("a misplaced PLTE chunk", 56));
  const auto got = header(joined({palette_begin, chunk("tEXt", {}), palette, data, rest}));
  CHECK(got.palette_chunk == 45);
  CHECK(got.palette_chunk_end == 63);
  for (std::size_t i = 0; i < 768; ++i)
    if (got.palette[i] != (i < 6 ? 100 + i : i / 3)) FAIL_CHECK("palette[" << i << "]");
  for (const std::uint32_t colour : {0u, 2u, 4u, 6u}) {  // a palette that is only suggested
    const auto other = header(joined({begin(4, 1, 8, colour), palette, rest}));
    CHECK(other.palette_chunk == 0);
    CHECK(other.palette_chunk_end == 0);
  }
}

TEST_CASE("png rules: data and an end, and no unknown chunk that must be understood", "[data]") {
  CHECK(words(joined({begin(), end})) == says("the PNG has no image data", 41));
  CHECK(words(joined({begin(), chunk("tEXt", {}), end, data})) == says("the PNG has no image data", 53));
  CHECK(words(joined({begin(), data, data, end})).empty());
  CHECK(words(joined({begin(), chunk("IDAT", {}), end})).empty());  // too few are the decoder's affair
  for (const char* const type : {"ABCD", "IDAU", "IHDs", "PLTF", "Abcd"})
    CHECK(words(joined({begin(), chunk(type, zeros(2)), rest})) ==
          says("a PNG chunk of a kind that must not be passed over", 41));
  for (const char* const type : {"aBCD", "iDAT", "iEND", "pLTE", "iHDR", "exif"})
    CHECK(words(joined({begin(), chunk(type, zeros(2)), rest})).empty());
}

TEST_CASE("png rules: Exif data are the body of their chunk; what is of other formats is empty", "[data]") {
  const Bytes file = joined({begin(), data, chunk("eXIf", text("MM*")), end});
  const auto got = header(file);
  REQUIRE(got.exif.size() == 3);
  CHECK(got.exif.data() == file.data() + 56);
  const auto plain = header(joined({begin(), rest}));
  CHECK(plain.exif.empty());
  CHECK(plain.components == 0);
  CHECK_FALSE(plain.adobe);
  CHECK(plain.palette == mv::detail::grey_ramp);
}

}  // namespace png_rules_test
