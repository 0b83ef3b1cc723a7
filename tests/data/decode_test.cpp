// SPDX-License-Identifier: MIT
// Pictures of every kind against what Pillow 9.4 makes of them: fixtures/images, written by make_pillow_vectors.py.
#include "../catch.hpp"
#include "../fixtures.hpp"
#include "../scratch.hpp"

#include <minivit/core/random.hpp>
#include <minivit/data/decode_stb.hpp>
#include <minivit/data/decoders.hpp>
#include <minivit/data/image.hpp>

#include <cstdlib>
#include <fstream>

namespace decode_test {

namespace mv = minivit;
using scratch::contains;
namespace fs = std::filesystem;

namespace {
using Bytes = std::vector<std::byte>;

const fs::path images = fixtures::path("images");

struct Expected {
  std::string name;
  int width = 0, height = 0;
  std::uint32_t crc = 0;
  bool is(const char* extension) const { return fs::path(name).extension() == extension; }
};

/// One line for each picture: its name and what Pillow's convert("RGB") and exif_transpose give.
std::vector<Expected> pillow() {
  std::vector<Expected> out;
  std::ifstream file(images / "pillow.txt");
  for (Expected e; file >> e.name >> e.width >> e.height >> std::hex >> e.crc >> std::dec;) out.push_back(e);
  REQUIRE(out.size() >= 80);
  return out;
}
Bytes file(const std::string& name) { return mv::read_file(images / name, 1 << 20); }
std::uint32_t crc(const mv::Image& image) {
  return mv::detail::png_crc({std::as_bytes(std::span(image.rgb)), "pixels"}, 0, image.rgb.size());
}
/// Largest difference of two pictures of one size.
[[maybe_unused]] int difference(const mv::Image& a, const mv::Image& b) {
  REQUIRE(a.width == b.width);
  REQUIRE(a.height == b.height);
  int most = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) most = std::max(most, std::abs(a.rgb[i] - b.rgb[i]));
  return most;
}
std::string refusal(const Bytes& bytes, const mv::DecodeOptions& options = {}) {
  return scratch::message_of([&] { mv::decode_image(bytes, "some.file", options); });
}
/// Where the data of the last scan begins.
std::size_t scan_of(const Bytes& jpeg) {
  for (std::size_t i = jpeg.size() - 1; i-- > 0;)
    if (jpeg[i] == std::byte{0xFF} && jpeg[i + 1] == std::byte{0xDA}) return i;
  FAIL("no scan");
  return 0;
}
const bool has_libjpeg = mv::image_decoders().jpeg != "stb_image";
const bool has_libpng = mv::image_decoders().png != "stb_image";
}  // namespace

TEST_CASE("decode: every kind of picture becomes what Pillow makes of it", "[data]") {
  for (const auto& e : pillow()) {
    CAPTURE(e.name);
    const auto image = mv::read_image(images / e.name);
    CHECK(image.width == e.width);
    CHECK(image.height == e.height);
    if (has_libjpeg || !e.is(".jpg")) CHECK(crc(image) == e.crc);
  }
}

TEST_CASE("decode: stb_image gives the same pixels for every PNG", "[data]") {
  for (const auto& e : pillow()) {
    if (!e.is(".png")) continue;
    CAPTURE(e.name);
    const Bytes bytes = file(e.name);
    const auto header = mv::detail::check_png({bytes, e.name});
    const auto image = mv::detail::stb_decode_png(bytes, e.name, header);
    CHECK(crc(mv::detail::upright(image, mv::detail::exif_orientation(header.exif))) == e.crc);
  }
}

TEST_CASE("decode: pictures are not turned when that is not wanted", "[data]") {
  const auto turned = mv::read_image(images / "orientation_6.jpg");
  const auto stored = mv::read_image(images / "orientation_6.jpg", {.upright = false});
  CHECK(stored == mv::read_image(images / "orientation_1.jpg"));
  CHECK(turned.width == stored.height);
  CHECK(turned == mv::detail::upright(stored, 6));
}

TEST_CASE("exif: each orientation and its inverse give the picture back", "[data]") {
  mv::Image image(3, 2);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) image.rgb[i] = static_cast<std::uint8_t>(i);
  const int inverse[] = {0, 1, 2, 3, 4, 5, 8, 7, 6};
  for (int orientation = 1; orientation <= 8; ++orientation) {
    CAPTURE(orientation);
    const auto turned = mv::detail::upright(image, orientation);
    CHECK((turned == image) == (orientation == 1));
    CHECK(mv::detail::upright(turned, inverse[orientation]) == image);
  }
  CHECK(mv::detail::upright(image, 0) == image);
  CHECK(mv::detail::upright(image, 9) == image);
}

TEST_CASE("exif: damaged data mean upright, wherever they are cut or changed", "[data]") {
  const Bytes bytes = file("orientation_6.png");
  const auto header = mv::detail::check_png({bytes, "t"});
  const Bytes tiff(header.exif.begin(), header.exif.end());
  CHECK(mv::detail::exif_orientation(tiff) == 6);
  for (std::size_t n = 0; n < 34; ++n) {  // 34: header, count, two entries
    const Bytes cut(tiff.begin(), tiff.begin() + static_cast<mv::Index>(n));
    CHECK(mv::detail::exif_orientation(cut) == 1);
  }
  for (std::size_t n = 0; n < tiff.size(); ++n)
    for (const unsigned value : {0u, 1u, 0x7Fu, 0x80u, 0xFFu}) {
      Bytes bad = tiff;
      bad[n] = static_cast<std::byte>(value);
      const int got = mv::detail::exif_orientation(bad);
      CHECK((got >= 1 && got <= 8));
    }
  Bytes far = tiff;
  for (std::size_t n = 4; n < 8; ++n) far[n] = std::byte{0xFF};  // the directory at 4 GiB
  CHECK(mv::detail::exif_orientation(far) == 1);
  Bytes many = tiff;
  many[8] = many[9] = std::byte{0xFF};  // 65535 entries: those that exist are read
  CHECK(mv::detail::exif_orientation(many) == 6);
}

TEST_CASE("exif: the byte order is II or MM, and what has neither is upright", "[data]") {
  const auto tiff = [](const char* order, bool little) {  // one entry: orientation 6
    Bytes out{static_cast<std::byte>(order[0]), static_cast<std::byte>(order[1])};
    const auto put = [&](unsigned value, int bytes) {
      for (int i = 0; i < bytes; ++i)
        out.push_back(static_cast<std::byte>(value >> 8 * (little ? i : bytes - 1 - i) & 255u));
    };
    for (const auto& [value, bytes] : {std::pair(42u, 2), std::pair(8u, 4), std::pair(1u, 2), std::pair(0x0112u, 2),
                                       std::pair(3u, 2), std::pair(1u, 4), std::pair(6u, 2), std::pair(0u, 2)})
      put(value, bytes);
    return out;
  };
  CHECK(mv::detail::exif_orientation(tiff("II", true)) == 6);
  CHECK(mv::detail::exif_orientation(tiff("MM", false)) == 6);
  for (const bool little : {true, false})
    for (const char* const order : {"IM", "MI", "Ix", "xI", "Mx", "xM", "ii", "mm", "xx", little ? "MM" : "II"}) {
      CAPTURE(little, order);
      CHECK(mv::detail::exif_orientation(tiff(order, little)) == 1);
    }
}

TEST_CASE("decode: a PNG chunk of an unknown kind that must be understood is refused", "[data]") {
  Bytes bad = file("rgb8.png");
  const Bytes chunk{std::byte{0},   std::byte{0},   std::byte{0},    std::byte{0},    std::byte{'A'},  std::byte{'B'},
                    std::byte{'C'}, std::byte{'D'}, std::byte{0xDB}, std::byte{0x17}, std::byte{0x20}, std::byte{0xA5}};
  bad.insert(bad.begin() + 33, chunk.begin(), chunk.end());
  CHECK(contains(refusal(bad), "must not be passed over"));
}

TEST_CASE("decode: more scans than any encoder writes are refused before decoding", "[data]") {
  const Bytes whole = file("jpeg_progressive.jpg");
  const auto scan = whole.begin() + static_cast<mv::Index>(scan_of(whole));
  Bytes bad(whole.begin(), scan);
  for (int i = 0; i < 300; ++i) bad.insert(bad.end(), scan, whole.end() - 2);
  bad.insert(bad.end(), whole.end() - 2, whole.end());
  CHECK(contains(refusal(bad), "too many scans"));
}

TEST_CASE("decode: a BMP with unknown masks, a cut palette or a wrong start is refused", "[data]") {
  Bytes bad = file("bmp32_masks.bmp");
  bad[54] = std::byte{1};
  CHECK(contains(refusal(bad), "unknown colour masks"));
  bad = file("bmp16_565.bmp");
  bad[30] = std::byte{1};
  CHECK(contains(refusal(bad), "compressed BMP files are not supported"));
  bad = file("bmp8.bmp");
  bad[10] = bad[11] = std::byte{0xFF};
  CHECK(contains(refusal(bad), "pixels start outside the file"));
  bad = file("bmp8.bmp");
  bad.resize(500);
  CHECK(contains(refusal(bad), "cut off inside the BMP's palette"));
}

#ifdef MINIVIT_WITH_LIBJPEG
TEST_CASE("decode: stb_image's JPEG pixels stay near libjpeg's", "[data]") {
  int most = 0;
  for (const auto& e : pillow()) {
    if (!e.is(".jpg")) continue;
    CAPTURE(e.name);
    const Bytes bytes = file(e.name);
    const auto header = mv::detail::check_jpeg(bytes, e.name);
    const int d = difference(mv::detail::stb_decode_jpeg(bytes, e.name, header),
                             mv::read_image(images / e.name, {.upright = false}));
    CHECK(d <= 5);  // half-resolution chroma is spread by other weights; the rest differs by one rounding or two
    most = std::max(most, d);
  }
  CHECK(most > 0);  // else the two are equal, and the documentation is wrong
}

TEST_CASE("decode: damaged JPEG data that libjpeg only warns of are refused, or guessed on request", "[data]") {
  Bytes bad = file("jpeg_444.jpg");
  const std::size_t scan = scan_of(bad) + 40;
  for (std::size_t i = scan; i < scan + 60; i += 2) {  // sixteen ones, which no code has
    bad[i] = std::byte{0xFF};
    bad[i + 1] = std::byte{0};
  }
  CHECK(contains(refusal(bad), "libjpeg's words"));
  const auto guessed = mv::decode_image(bad, "some.file", {.tolerant = true});
  CHECK(guessed.width == 37);
  CHECK(guessed == mv::decode_image(bad, "some.file", {.tolerant = true}));
}
#endif

#ifdef MINIVIT_WITH_LIBPNG
TEST_CASE("decode: damaged PNG data are refused in libpng's words", "[data]") {
  const auto with_data = [](const Bytes& raw) {  // rgb8.png with other compressed data and right checksums
    Bytes out = file("rgb8.png");
    out.resize(33);
    const auto put = [&](std::uint32_t v) {
      for (int i = 3; i >= 0; --i) out.push_back(static_cast<std::byte>(v >> 8 * i & 255u));
    };
    const auto chunk = [&](const char* kind, const Bytes& body) {
      put(static_cast<std::uint32_t>(body.size()));
      const std::size_t start = out.size();
      for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::byte>(kind[i]));
      out.insert(out.end(), body.begin(), body.end());
      put(mv::detail::png_crc({out, "t"}, start, out.size()));
    };
    chunk("IDAT", raw);
    chunk("IEND", {});
    return out;
  };
  const Bytes whole = file("rgb8.png");
  const Bytes raw(whole.begin() + 41, whole.end() - 16);
  CHECK(refusal(with_data(raw)).empty());
  Bytes bad = raw;
  bad.back() ^= std::byte{1};  // the checksum behind the pixels
  CHECK(contains(refusal(with_data(bad)), "libpng's words"));
  bad = raw;
  bad.resize(raw.size() / 2);
  CHECK(contains(refusal(with_data(bad)), "damaged"));
  bad = raw;
  for (int i = 0; i < 20; ++i) bad.push_back(std::byte{0});  // more than the pixels
  CHECK(contains(refusal(with_data(bad)), "libpng's words"));
  CHECK(mv::decode_image(with_data(bad), "t", {.tolerant = true}) == mv::read_image(images / "rgb8.png"));
}
#endif

TEST_CASE("decode: a damaged byte in any kind of picture gives a refusal or the same pixels each time", "[data]") {
  const mv::Random random(11);
  std::uint64_t draw = 0;
  for (const auto& e : pillow()) {
    const Bytes whole = file(e.name);
    for (int k = 0; k < 40; ++k) {
      Bytes bad = whole;
      const std::size_t at = random.bits(draw++) % bad.size();
      bad[at] = static_cast<std::byte>(random.bits(draw++) & 255u);
      mv::Image first;
      try {
        first = mv::decode_image(bad, "some.file");
      } catch (const mv::Error& error) {
        const std::string text = error.what();
        CHECK(text.starts_with("decode some.file: "));
        CHECK(text.find('\n') == std::string::npos);
        CHECK(text.size() <= 500);
        continue;
      }
      CHECK(mv::decode_image(bad, "some.file") == first);
    }
  }
}

TEST_CASE("decoders: their names tell what the build uses", "[data]") {
  const auto names = mv::image_decoders();
  CHECK(names.bmp == "built in");
  CHECK(has_libjpeg == names.jpeg.starts_with("libjpeg"));
  CHECK(has_libpng == names.png.starts_with("libpng 1."));
}

}  // namespace decode_test
