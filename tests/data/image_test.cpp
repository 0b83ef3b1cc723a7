// SPDX-License-Identifier: MIT
#include "../catch.hpp"
#include "pillow_vectors.hpp"

#include <minivit/core/random.hpp>
#include <minivit/data/image.hpp>
#include <minivit/data/image_write.hpp>

#include <cstdlib>
#include <filesystem>

namespace image_test {

namespace mv = minivit;

namespace {
using Bytes = std::vector<std::byte>;

mv::Image gradient(int width, int height) {
  mv::Image image(width, height);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      image.row(y)[3 * x] = static_cast<std::uint8_t>(x * 255 / width);
      image.row(y)[3 * x + 1] = static_cast<std::uint8_t>(y * 255 / height);
      image.row(y)[3 * x + 2] = static_cast<std::uint8_t>((x + y) % 2 * 40 + 100);
    }
  return image;
}

void put(Bytes& to, std::uint32_t value, int bytes, bool big) {
  for (int i = 0; i < bytes; ++i) to.push_back(static_cast<std::byte>(value >> 8 * (big ? bytes - 1 - i : i) & 255u));
}

/// An uncompressed 24-bit BMP; a negative height stores the top row first.
Bytes bmp(std::uint32_t width, std::int32_t height, const mv::Image& image) {
  Bytes out{std::byte{'B'}, std::byte{'M'}};
  put(out, 0, 4, false);
  put(out, 0, 4, false);
  put(out, 54, 4, false);
  put(out, 40, 4, false);
  put(out, width, 4, false);
  put(out, static_cast<std::uint32_t>(height), 4, false);
  put(out, 1, 2, false);
  put(out, 24, 2, false);
  for (int i = 0; i < 6; ++i) put(out, 0, 4, false);
  for (int k = 0; k < image.height; ++k) {
    const std::uint8_t* row = image.row(height < 0 ? k : image.height - 1 - k);
    for (int x = 0; x < image.width; ++x)
      for (int c = 2; c >= 0; --c) out.push_back(static_cast<std::byte>(row[3 * x + c]));
    while ((out.size() - 54) % 4 != 0) out.push_back(std::byte{0});
  }
  return out;
}

void png_chunk(Bytes& out, const char* type, const Bytes& body) {
  put(out, static_cast<std::uint32_t>(body.size()), 4, true);
  const std::size_t start = out.size();
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::byte>(type[i]));
  out.insert(out.end(), body.begin(), body.end());
  put(out, mv::detail::png_crc(mv::detail::ByteReader(out, "test"), start, out.size()), 4, true);
}

/// A palette PNG of 4 x 1 pixels with indices 0 1 2 3 in one stored deflate block, and as many palette entries as asked.
Bytes palette_png(int entries, std::uint32_t width = 4, std::uint32_t height = 1) {
  Bytes out;
  for (const unsigned b : {0x89u, 0x50u, 0x4Eu, 0x47u, 0x0Du, 0x0Au, 0x1Au, 0x0Au}) out.push_back(static_cast<std::byte>(b));
  Bytes header;
  put(header, width, 4, true);
  put(header, height, 4, true);
  put(header, 0x08030000u, 4, true);
  put(header, 0, 1, true);
  png_chunk(out, "IHDR", header);
  Bytes palette;
  for (int i = 0; i < 3 * entries; ++i) palette.push_back(static_cast<std::byte>(10 + i));
  png_chunk(out, "PLTE", palette);
  Bytes data;
  for (const unsigned b : {0x78u, 0x01u, 0x01u, 0x05u, 0x00u, 0xFAu, 0xFFu, 0u, 0u, 1u, 2u, 3u, 0u, 0x0Fu, 0u, 7u})
    data.push_back(static_cast<std::byte>(b));
  png_chunk(out, "IDAT", data);
  png_chunk(out, "IEND", {});
  return out;
}

Bytes progressive() {
  Bytes out;
  for (const auto b : progressive_jpeg) out.push_back(static_cast<std::byte>(b));
  return out;
}
Bytes png() { return mv::detail::encode_png(gradient(21, 14), "test"); }
Bytes jpeg() { return mv::detail::encode_jpeg(gradient(21, 14), "test", 90); }

/// The picture, or an empty one when it was refused with a message that names the file in one line.
mv::Image decode_or_refuse(const Bytes& bytes) {
  try {
    return mv::decode_image(bytes, "some.file");
  } catch (const mv::Error& error) {
    const std::string text = error.what();
    REQUIRE(text.find("some.file") != std::string::npos);
    REQUIRE(text.find('\n') == std::string::npos);
    REQUIRE(text.size() <= 500);
    return {};
  }
}
/// Fills the part of the stack that the decoder will use.
[[gnu::noinline]] void leave_traces() {
  volatile unsigned char stack[1 << 16];
  for (auto& byte : stack) byte = 0xAB;
}
std::string refusal(const Bytes& bytes) {
  try {
    mv::decode_image(bytes, "some.file");
  } catch (const mv::Error& error) {
    return error.what();
  }
  return "";
}
}  // namespace

TEST_CASE("image: a PNG that was written is read back unchanged", "[data]") {
  for (const int width : {1, 2, 7, 32})
    CHECK(mv::decode_image(mv::detail::encode_png(gradient(width, 5), "t"), "t") == gradient(width, 5));
}

TEST_CASE("image: a JPEG that was written is read back nearly unchanged", "[data]") {
  mv::Image flat(24, 17);
  std::fill(flat.rgb.begin(), flat.rgb.end(), std::uint8_t{77});
  const auto read = mv::decode_image(mv::detail::encode_jpeg(flat, "t", 95), "t");
  REQUIRE(read.width == 24);
  REQUIRE(read.height == 17);
  for (const auto p : read.rgb) CHECK(std::abs(p - 77) <= 2);  // one quantisation step of the mean
}

TEST_CASE("image: a progressive JPEG decodes to the size it states", "[data]") {
  const auto image = mv::decode_image(progressive(), "t");
  CHECK(image.width == 20);
  CHECK(image.height == 14);
}

TEST_CASE("image: a BMP is read with either row order", "[data]") {
  const auto image = gradient(5, 3);
  CHECK(mv::decode_image(bmp(5, 3, image), "t") == image);
  CHECK(mv::decode_image(bmp(5, -3, image), "t") == image);
}

TEST_CASE("image: every cut of a PNG, JPEG or BMP is refused", "[data]") {
  for (const auto& whole : {png(), jpeg(), progressive(), bmp(5, 3, gradient(5, 3)), palette_png(4)}) {
    REQUIRE(decode_or_refuse(whole).width > 0);
    for (std::size_t n = 0; n < whole.size(); ++n) {
      CAPTURE(n, whole.size());
      CHECK(decode_or_refuse(Bytes(whole.begin(), whole.begin() + static_cast<mv::Index>(n))).width == 0);
    }
  }
}

TEST_CASE("image: a damaged byte never crashes and gives the same pixels each time", "[data]") {
  const mv::Random random(7);
  std::uint64_t draw = 0;
  for (const auto& whole : {png(), jpeg(), progressive(), bmp(5, 3, gradient(5, 3)), palette_png(4)}) {
    for (std::size_t n = 0; n < whole.size(); ++n) {
      Bytes bad = whole;
      bad[n] = static_cast<std::byte>(random.bits(draw++) & 255u);
      const auto first = decode_or_refuse(bad);
      CHECK(decode_or_refuse(bad) == first);
    }
  }
}

TEST_CASE("image: a damaged PNG chunk is refused by its checksum", "[data]") {
  Bytes bad = png();
  bad[bad.size() - 20] ^= std::byte{1};
  CHECK(refusal(bad).find("checksum") != std::string::npos);
}

TEST_CASE("image: impossible and huge sizes are refused before decoding", "[data]") {
  CHECK(refusal(palette_png(4, 0, 1)).find("impossible size") != std::string::npos);
  CHECK(refusal(palette_png(4, 4, 0)).find("impossible size") != std::string::npos);
  CHECK(refusal(palette_png(4, 16385, 1)).find("impossible size") != std::string::npos);
  CHECK(refusal(palette_png(4, 0xFFFFFFFFu, 0xFFFFFFFFu)).find("impossible size") != std::string::npos);
  CHECK(refusal(palette_png(4, 16384, 16384)).find("50 million") != std::string::npos);
  for (const std::int32_t height : {0, std::numeric_limits<std::int32_t>::min(), 16385})
    CHECK(refusal(bmp(5, height, gradient(5, 3))).find("impossible size") != std::string::npos);
  CHECK(refusal(bmp(0, 3, gradient(5, 3))).find("impossible size") != std::string::npos);
  CHECK(refusal(bmp(16000, 3000, gradient(5, 3))).find("cut off") != std::string::npos);
  Bytes large = jpeg();  // a small scan under a frame of 7000 x 7000: a bomb that would cost 150 MB
  for (std::size_t i = 0; i + 9 < large.size(); ++i)
    if (large[i] == std::byte{0xFF} && large[i + 1] == std::byte{0xC0})
      for (std::size_t k = 5; k < 9; k += 2) {
        large[i + k] = std::byte{0x1B};
        large[i + k + 1] = std::byte{0x58};
      }
  CHECK(refusal(large).find("too little data") != std::string::npos);
}

TEST_CASE("image: a JPEG needs a bit of data for each of its units, of 8 x 8 or 16 x 16 pixels", "[data]") {
  const auto find_marker = [](const Bytes& file, std::size_t from, unsigned char code) {
    while (file[from] != std::byte{0xFF} || file[from + 1] != std::byte{code}) ++from;
    return from;
  };
  for (const auto& [quality, side] :
       {std::pair{95, 8u}, std::pair{90, 16u}}) {  // stb writes colours at full and at half resolution
    Bytes file = mv::detail::encode_jpeg(gradient(21, 14), "test", quality);
    const std::size_t frame = find_marker(file, 2, 0xC0), header = find_marker(file, frame, 0xDA);
    const std::size_t scan = header + 2 + std::to_integer<std::size_t>(file[header + 3]),
                      end = find_marker(file, scan, 0xD9);
    const auto with_size = [&](std::size_t width, std::size_t height) {
      Bytes out = file;
      for (const auto& [at, value] : {std::pair{frame + 5, height}, std::pair{frame + 7, width}}) {
        out[at] = static_cast<std::byte>(value >> 8);
        out[at + 1] = static_cast<std::byte>(value & 255);
      }
      return refusal(out);
    };
    const std::size_t most = (end - scan) * side;  // eight rows of units
    REQUIRE(most + side <= 16384);
    CHECK(with_size(most, 8 * side).find("too little data") == std::string::npos);
    CHECK(with_size(most + 1, 8 * side).find("too little data") != std::string::npos);
    CHECK(with_size(most, 8 * side + 1).find("too little data") != std::string::npos);
  }
}

TEST_CASE("image: a chunk that claims more bytes than the file has is refused", "[data]") {
  Bytes bad = png();
  bad[33] = std::byte{0x5F};  // length of the chunk after IHDR: 1.59 GB
  CHECK(refusal(bad).find("cut off inside a PNG chunk") != std::string::npos);
}

TEST_CASE("image: an index outside the palette is a grey as in Pillow, not old memory", "[data]") {
  const Bytes file = palette_png(2);
  leave_traces();
  const auto image = mv::decode_image(file, "t");
  CHECK(image.rgb == std::vector<std::uint8_t>{10, 11, 12, 13, 14, 15, 2, 2, 2, 3, 3, 3});
  CHECK(mv::decode_image(palette_png(4), "t").rgb[9] == 19);
}

TEST_CASE("image: a palette has 1 to 256 colours", "[data]") {
  for (const int entries : {1, 256}) CHECK(mv::decode_image(palette_png(entries), "t").rgb[0] == 10);
  for (const int entries : {0, 257}) CHECK(refusal(palette_png(entries)).find("PLTE") != std::string::npos);
}

TEST_CASE("image: a Huffman table with too many codes is refused", "[data]") {
  Bytes bad = jpeg();
  for (std::size_t i = 0; i + 6 < bad.size(); ++i)
    if (bad[i] == std::byte{0xFF} && bad[i + 1] == std::byte{0xC4}) {
      bad[i + 20] = std::byte{255};  // 255 codes of 16 bits on top of the others
      break;
    }
  CHECK(refusal(bad).find("too many codes") != std::string::npos);
}

TEST_CASE("image: a file that is no image is refused", "[data]") {
  CHECK(refusal({}).find("empty") != std::string::npos);
  CHECK(refusal(Bytes(100, std::byte{'x'})).find("not an image") != std::string::npos);
}

TEST_CASE("image: files on disk, and errors that name them", "[data]") {
  const auto folder = std::filesystem::temp_directory_path() / "minivit_image_test";
  std::filesystem::create_directories(folder);
  mv::write_png(folder / "a.png", gradient(9, 4));
  CHECK(mv::read_image(folder / "a.png") == gradient(9, 4));
  mv::write_jpeg(folder / "a.jpg", gradient(9, 4));
  CHECK(mv::read_image(folder / "a.jpg").width == 9);
  const auto says = [](auto&& call, const std::string& words) {
    std::string text = "no error";
    try {
      call();
    } catch (const mv::Error& error) {
      text = error.what();
    }
    CAPTURE(text);
    CHECK(text.find(words) != std::string::npos);
  };
  says([&] { mv::read_image(folder / "none.png"); }, "none.png: No such file");
  says([&] { mv::read_image(folder); }, "a directory");
  says([&] { mv::read_file(folder / "a.png", 10); }, "too large");
  says([&] { mv::write_png(folder / "missing" / "a.png", gradient(2, 2)); }, "No such file");
  std::filesystem::remove_all(folder);
}

}  // namespace image_test
