// SPDX-License-Identifier: MIT
// Each rule of check_jpeg at the last value that it takes and the first that it refuses, with the byte that it names.
#include "jpeg_parts.hpp"

namespace jpeg_rules_test {

namespace mv = minivit;
using namespace parts;
using namespace parts::jpeg;

TEST_CASE("jpeg rules: a file that is cut off is refused at the field where it ends", "[data]") {
  const Bytes file = joined({soi, segment(0xFE, text("a comment")), dqt(0), dht(0x00), dht(0x10), rest});
  constexpr const char* markers = "JPEG markers";
  constexpr const char* name = "a JPEG segment";
  std::vector<Field> fields{{2, "the JPEG signature"}};
  for (const std::size_t body : {9u, 65u, 18u, 18u, 9u, 6u})
    for (const Field& field : {Field{1, markers}, Field{1, markers}, Field{2, name}, Field{body, name}})
      fields.push_back(field);
  const std::size_t end = cut_everywhere(file, fields, [](const Bytes& cut) { return words(cut); });
  REQUIRE(end + 3 == file.size());  // one byte of data and the end
  CHECK(words(first_of(file, end)) == cut_off("the JPEG's image data", end, 2, 0));
  CHECK(words(first_of(file, end + 1)) == cut_off("the JPEG's image data", end, 2, 1));
  CHECK(words(first_of(file, end + 2)) == cut_off("the JPEG's image data", end + 1, 2, 1));
  CHECK(words(file).empty());
  CHECK(words(joined({file, zeros(3)})).empty());  // behind the end anything may stand
}

TEST_CASE("jpeg rules: what is a marker, and which are passed over", "[data]") {
  CHECK(words(joined({soi, raw({0xFE, 0xFE, 0, 2}), eoi})) == says("something that is not a JPEG marker", 3));
  CHECK(words(joined({tables, raw({0}), rest})) == says("something that is not a JPEG marker", tables.size() + 1));
  CHECK(words(joined({tables, raw({0xFF, 0xFF, 0xFF}), rest})).empty());  // filled up
  for (std::uint32_t marker = 0; marker < 0xFF; ++marker) {
    CAPTURE(marker);
    std::string expected;
    if (marker <= 1 || (marker >= 0xD0 && marker <= 0xD8)) expected = says("an unexpected JPEG marker", tables.size() + 2);
    else if (marker == 0xD9) expected = says("the JPEG has no image data", tables.size() + 2);
    else if (marker == 0xDA) expected = says("JPEG data before the frame header", tables.size() + 4);
    else if (marker >= 0xC0 && marker <= 0xC2) expected = cut_off("the frame header", tables.size() + 4, 1, 0);
    else if (marker == 0xDD) expected = says("a JPEG restart interval has a wrong length", tables.size() + 4);
    else if (marker >= 0xC3 && marker <= 0xCF && marker != 0xC4)
      expected = says("this kind of JPEG (arithmetic, lossless or hierarchical) is not supported", tables.size() + 4);
    CHECK(words(joined({tables, segment(marker, {}), rest})) == expected);
  }
}

TEST_CASE("jpeg rules: a segment has a length of two bytes or more", "[data]") {
  for (const std::uint32_t length : {0u, 1u})
    CHECK(words(joined({tables, raw({0xFF, 0xFE, 0, length}), rest})) ==
          says("a JPEG segment has an impossible length", tables.size() + 4));
  CHECK(words(joined({tables, raw({0xFF, 0xFE, 0, 2}), rest})).empty());
  CHECK(words(joined({tables, raw({0xFF, 0xFE, 0xFF, 0xFF}), rest})) ==
        cut_off("a JPEG segment", tables.size() + 4, 65533, rest.size()));
  for (std::size_t length = 0; length <= 4; ++length)
    CHECK(words(joined({tables, segment(0xDD, zeros(length)), rest})) ==
          (length == 2 ? "" : says("a JPEG restart interval has a wrong length", tables.size() + 4 + length)));
}

TEST_CASE("jpeg rules: one frame header, of 8 bits and with known components", "[data]") {
  const std::size_t at = tables.size() + 4;  // of the header's first field
  const auto with = [](const Bytes& body) {
    return words(joined({tables, dqt(1), dqt(2), dqt(3), segment(0xC0, body), scan(one), eoi}));
  };
  const std::size_t more = at + 3 * 69;
  for (const std::uint32_t marker : {0xC0u, 0xC1u, 0xC2u})
    CHECK(words(joined({tables, frame(grey), segment(marker, frame_body(grey)), scan(one), eoi})) ==
          says("a second JPEG frame header", at + 13));
  for (const std::uint32_t precision : {0u, 7u, 9u, 12u, 16u})
    CHECK(with(frame_body(grey, 8, 8, precision)) ==
          says("the JPEG has an unsupported depth", more + 1, "8 bits", std::to_string(precision)));
  for (const auto& [width, height, found] : {std::tuple(0u, 8u, "0 x 8"), std::tuple(8u, 0u, "8 x 0"),
                                             std::tuple(16385u, 8u, "16385 x 8"), std::tuple(8u, 16385u, "8 x 16385")})
    CHECK(with(frame_body(grey, width, height)) ==
          says("the image has an impossible size", more + 5, "sides of 1 to 16384 pixels", found));
  CHECK(with(frame_body(grey, 14041, 3561)) ==
        says("the image is too large", more + 5, "at most 50 million pixels", "14041 x 3561"));
  for (std::uint32_t count = 0; count <= 6; ++count) {
    CAPTURE(count);
    Components components;
    for (std::uint32_t i = 0; i < count; ++i) components.push_back({i + 1, 0x11, i & 3});
    const bool known = count == 1 || count == 3 || count == 4;
    CHECK(with(frame_body(components)) == (known ? "" : says("the JPEG has an unsupported number of components", more + 6)));
    if (!known) continue;
    const Bytes whole = frame_body(components);
    CHECK(with(joined({whole, zeros(1)})) == says("the JPEG frame header has a wrong length", more + 6 + 3 * count));
    for (const auto& [size, first] : {std::pair(1u, 0u), std::pair(2u, 1u), std::pair(2u, 3u), std::pair(1u, 5u)})
      for (std::size_t n = 0; n < size; ++n)
        CHECK(with(first_of(whole, first + n)) == cut_off("the frame header", more + first, size, n));
    for (std::size_t n = 6; n < whole.size(); ++n)
      CHECK(with(first_of(whole, n)) == cut_off("the frame header", more + n, 1, 0));
    const auto got = header(
        joined({tables, dqt(1), dqt(2), dqt(3), segment(0xC0, frame_body(components, 9, 7)), scan(one), eoi}));
    CHECK(got.components == static_cast<int>(count));
    CHECK(got.width == 9);
    CHECK(got.height == 7);
    CHECK(got.bytes_per_pixel == 4);
  }
}

TEST_CASE("jpeg rules: sampling of 1 to 4 across and down, tables 0 to 3", "[data]") {
  const Bytes before = joined({tables, dqt(1), dqt(2), dqt(3)});
  for (std::size_t c = 0; c < 3; ++c)
    for (std::uint32_t sampling = 0; sampling <= 0xFF; ++sampling) {
      Components components = colour;
      components[c].sampling = sampling;
      const std::uint32_t h = sampling >> 4, v = sampling & 15;
      const bool good = h >= 1 && h <= 4 && v >= 1 && v <= 4;
      if (words(joined({before, frame(components), scan(one), eoi})) !=
          (good ? "" : says("the JPEG frame header is damaged", before.size() + 13 + 3 * c)))
        FAIL_CHECK("component " << c << ", sampling " << sampling);
    }
  for (std::uint32_t table = 0; table <= 5; ++table)
    CHECK(words(joined({before, frame({{1, 0x11, table}}), scan(one), eoi})) ==
          (table <= 3 ? "" : says("the JPEG frame header is damaged", before.size() + 13)));
  CHECK_FALSE(words(joined({before, frame({{1, 0x11, 0x80}}), scan(one), eoi})).empty());
}

TEST_CASE("jpeg rules: Huffman tables 0 to 3 of two classes, with as many codes as fit", "[data]") {
  const std::size_t at = tables.size() + 4;
  const auto with = [](const Bytes& body) { return words(joined({tables, segment(0xC4, body), rest})); };
  for (std::uint32_t which = 0; which <= 0xFF; ++which) {
    CAPTURE(which);
    const bool good = which <= 0x13 && (which & 15) <= 3;
    CHECK(with(huffman(which, {1})) == (good ? "" : says("a Huffman table has an unknown number", at + 1)));
  }
  const auto counts = [](std::initializer_list<std::pair<std::size_t, std::uint32_t>> codes) {
    std::vector<std::uint32_t> out(16);
    for (const auto& [bits, n] : codes) out[bits - 1] = n;
    return out;
  };
  const std::string many = says("a Huffman table has too many codes", at + 17);
  const std::vector<std::uint32_t> each(15, 1);  // of 1 to 15 bits: leaves room for two of 16
  const auto with_last = [&](std::uint32_t n) {
    auto out = each;
    out.push_back(n);
    return out;
  };
  CHECK(with(huffman(0, {})).empty());
  CHECK(with(huffman(0, counts({{16, 255}, {15, 1}}))).empty());  // 256 codes
  CHECK(with(huffman(0, counts({{16, 255}, {15, 2}}))) == many);
  CHECK(with(huffman(0, counts({{8, 255}, {9, 1}}))).empty());
  CHECK(with(huffman(0, counts({{8, 255}, {9, 2}}))) == many);
  CHECK(with(huffman(0, {2})).empty());  // no room is left
  CHECK(with(huffman(0, {3})) == many);
  CHECK(with(huffman(0, counts({{1, 2}, {16, 1}}))) == many);
  CHECK(with(huffman(0, with_last(2))).empty());
  CHECK(with(huffman(0, with_last(3))) == many);
  for (std::size_t bits = 1; bits <= 8; ++bits) {
    CHECK(with(huffman(0, counts({{bits, std::min(1u << bits, 255u)}}))).empty());
    if (bits < 8) CHECK(with(huffman(0, counts({{bits, (1u << bits) + 1}}))) == many);
  }
  const Bytes two = joined({huffman(0x11, {0, 3}), huffman(0x03, {1})});
  CHECK(with(two).empty());
  for (std::size_t n = 0; n < two.size(); ++n) {
    CAPTURE(n);
    const std::size_t second = n >= 20 ? 20 : 0;  // 17 bytes and 3 values, 17 bytes and 1
    const bool values = n - second >= 17;
    const std::string expected = values ? cut_off("a Huffman table", at + second + 17, second == 0 ? 3 : 1, n - second - 17)
                                        : cut_off("a Huffman table", at + n, 1, 0);
    CHECK(with(first_of(two, n)) == (n == second ? "" : expected));
  }
}

TEST_CASE("jpeg rules: quantisation tables 0 to 3 of bytes or words", "[data]") {
  const std::size_t at = tables.size() + 4;
  const auto with = [](const Bytes& body) { return words(joined({tables, segment(0xDB, body), rest})); };
  for (std::uint32_t which = 0; which <= 0xFF; ++which) {
    CAPTURE(which);
    const std::size_t size = which >= 16 ? 128 : 64;
    if (which > 0x13 || (which & 15) > 3) {
      CHECK(with(joined({raw({which}), zeros(size)})) == says("a quantisation table has an unknown number", at + 1));
      continue;
    }
    for (const std::size_t n : {std::size_t{0}, size - 1})
      CHECK(with(joined({raw({which}), zeros(n)})) == cut_off("a quantisation table", at + 1, size, n));
    CHECK(with(joined({raw({which}), zeros(size)})).empty());
    CHECK(with(joined({raw({which}), zeros(size), raw({4})})) ==
          says("a quantisation table has an unknown number", at + size + 2));
  }
}

TEST_CASE("jpeg rules: Exif data of the first marker that has some, and Adobe's marker", "[data]") {
  const std::string_view mark("Exif\0\0", 6);
  const auto with = [](std::initializer_list<Bytes> segments) { return joined({tables, joined(segments), rest}); };
  const Bytes exif = segment(0xE1, joined({text(mark), text("MM*")}));
  const Bytes file = with(
      {segment(0xE1, text("http")), segment(0xE1, text(mark)), exif, segment(0xE1, joined({text(mark), text("II")}))});
  const auto got = header(file);
  REQUIRE(got.exif.size() == 3);  // of the first that is not empty
  CHECK(got.exif.data() == file.data() + tables.size() + 8 + 10 + 10);
  CHECK(header(with({segment(0xE1, text(mark.substr(0, 5)))})).exif.empty());
  CHECK(header(with({segment(0xE2, joined({text(mark), text("MM*")}))})).exif.empty());
  CHECK(header(with({segment(0xE1, text("Exif..MM*"))})).exif.empty());
  const auto adobe = [&](std::uint32_t marker, std::string_view words) {
    return header(with({segment(marker, text(words))})).adobe;
  };
  CHECK(adobe(0xEE, "Adobe1234567"));
  CHECK(adobe(0xEE, "Adobe12345678"));
  CHECK_FALSE(adobe(0xEE, "Adobe123456"));
  CHECK_FALSE(adobe(0xED, "Adobe1234567"));
  CHECK_FALSE(adobe(0xEE, "adobe1234567"));
  const auto plain = header(joined({tables, rest}));
  CHECK(plain.exif.empty());
  CHECK_FALSE(plain.adobe);
  CHECK(plain.colour == 0);
  CHECK(plain.depth == 0);
}

}  // namespace jpeg_rules_test
