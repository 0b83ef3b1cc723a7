// SPDX-License-Identifier: MIT
// Seeds of pictures: PNG, JPEG and BMP files whose sums are right, so that what is behind them is reached.
#include "../data/jpeg_parts.hpp"
#include "seeds.hpp"

#include <cstdint>
#include <fstream>
#include <string>

namespace seeds {

using namespace parts;

namespace {

void put(const Folder& folder, const std::string& name, const Bytes& bytes) {
  std::ofstream(folder / name, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

Bytes chunk(std::string_view type, const Bytes& body) {
  const Bytes inside = joined({text(type), body});
  return joined({big(static_cast<std::uint32_t>(body.size()), 4), inside,
                 big(minivit::detail::png_crc({inside, "a chunk"}, 0, inside.size()), 4)});
}
Bytes header(std::uint32_t depth, std::uint32_t colour, std::uint32_t interlaced = 0) {
  return joined({text("\x89PNG\r\n\x1A\n"), chunk("IHDR", joined({big(2, 4), big(2, 4), big(depth, 1), big(colour, 1),
                                                                  zeros(2), big(interlaced, 1)}))});
}
/// zlib data of one stored block; with `sum` added to what its check sum should be.
Bytes stored(const Bytes& content, std::uint32_t sum = 0) {
  std::uint32_t a = 1, b = 0;
  for (const std::byte c : content) a = (a + std::to_integer<std::uint32_t>(c)) % 65521, b = (b + a) % 65521;
  const auto size = static_cast<std::uint32_t>(content.size());
  return joined(
      {raw({0x78, 0x01, 0x01}), little(size, 2), little(~size & 0xFFFFu, 2), content, big((b << 16 | a) + sum, 4)});
}

/// Pictures of 2 x 2 pixels.
void write_png(const Folder& folder) {
  const Bytes end = chunk("IEND", {}), palette = chunk("PLTE", zeros(768)), begin = header(8, 2);
  const auto data = [](std::size_t bytes) { return chunk("IDAT", stored(zeros(bytes))); };
  const Bytes rows = data(14), all = joined({begin, rows, end});
  for (const std::uint32_t colour : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u})
    for (const std::uint32_t depth : {1u, 2u, 3u, 4u, 8u, 16u})
      put(folder, "png_" + std::to_string(colour) + "_" + std::to_string(depth),
          joined({header(depth, colour, depth == 4 ? 1 : 0), palette, data(34), end}));
  const auto put_png = [&](const char* name, const Bytes& bytes) { put(folder, std::string("png_") + name, bytes); };
  put_png("sound", all);
  for (const std::size_t length : {12u, 14u})
    put_png(length == 12 ? "header_12" : "header_14",
            joined({text("\x89PNG\r\n\x1A\n"),
                    chunk("IHDR", first_of(joined({big(2, 4), big(2, 4), raw({8, 2}), zeros(9)}), length)), rows, end}));
  put_png("no_data", joined({begin, end}));
  put_png("no_palette", joined({header(8, 3), data(6), end}));
  for (const std::size_t length : {0u, 1u, 3u, 767u, 771u})
    put_png(("palette_" + std::to_string(length)).c_str(),
            joined({header(8, 3), chunk("PLTE", zeros(length)), data(6), end}));
  put_png("palette_twice", joined({header(8, 3), palette, palette, data(6), end}));
  put_png("palette_behind", joined({begin, rows, palette, end}));
  put_png("critical_chunk", joined({begin, chunk("ABCD", {}), rows, end}));
  put_png("other_chunk", joined({begin, chunk("aBCD", zeros(3)), rows, end}));
  put_png("end_with_data", joined({begin, rows, chunk("IEND", zeros(3))}));
  put_png("rows_missing", joined({begin, data(13), end}));
  put_png("rows_too_many", joined({begin, data(28), end}));
  put_png("behind_the_stream", joined({begin, chunk("IDAT", joined({stored(zeros(14)), zeros(9)})), end}));
  put_png("chunk_behind_data", joined({begin, rows, chunk("tIME", zeros(7)), rows, end}));
  put_png("data_damaged", joined({begin, chunk("IDAT", raw({1, 2, 3})), end}));
  put_png("data_empty", joined({begin, chunk("IDAT", {}), end}));
  put_png("wrong_sum", joined({begin, chunk("IDAT", stored(zeros(14), 1)), end}));
  put_png("filter_5", joined({begin, chunk("IDAT", stored(joined({raw({5}), zeros(13)}))), end}));
  put_png("two_chunks", joined({begin, chunk("IDAT", first_of(stored(zeros(14)), 9)),
                                chunk("IDAT", Bytes(stored(zeros(14)).begin() + 9, stored(zeros(14)).end())), end}));
  for (const char* order : {"II", "MM", "IM", "MI", "XX"})
    for (const std::uint32_t turned : {0u, 6u, 9u}) {
      const bool little_end = order[0] == 'I';
      const auto number = [&](std::uint32_t n, int bytes) { return little_end ? little(n, bytes) : big(n, bytes); };
      put_png((std::string("exif_") + order + std::to_string(turned)).c_str(),
              joined({begin,
                      chunk("eXIf", joined({text(order), number(42, 2), number(8, 4), number(1, 2), number(0x0112, 2),
                                            number(3, 2), number(1, 4), number(turned, 2), zeros(2)})),
                      rows, end}));
    }
}

void write_jpeg(const Folder& folder) {
  using namespace parts::jpeg;
  const auto put_jpeg = [&](const char* name, const Bytes& bytes) { put(folder, std::string("jpeg_") + name, bytes); };
  put_jpeg("sound", joined({tables, rest}));
  put_jpeg("wide_table", joined({soi, dqt(0x10), dht(0x00), dht(0x10), rest}));
  put_jpeg("restarts", joined({tables, segment(0xDD, zeros(2)), rest}));
  put_jpeg("restarts_3", joined({tables, segment(0xDD, zeros(3)), rest}));
  Bytes scans = joined({tables, frame(grey, 0xC2)});
  for (int i = 0; i < 257; ++i) scans = joined({scans, segment(0xDA, scan_body(one, 0, 0))});
  put_jpeg("257_scans", joined({scans, eoi}));
}

/// 2 x 2 pixels of 24 bits with masks.
void write_bmp(const Folder& folder) {
  for (const std::uint32_t blue : {0xFFu, 0xFEu})
    put(folder, "bmp_masks_" + std::to_string(blue),
        joined({text("BM"), zeros(8), little(66, 4), little(40, 4), little(2, 4), little(2, 4), little(1, 2), little(24, 2),
                little(3, 4), zeros(20), little(0xFF0000, 4), little(0xFF00, 4), little(blue, 4), zeros(16)}));
}

}  // namespace

void write_pictures(const Folder& all) {
  const Folder folder = all / "image";
  write_png(folder);
  write_jpeg(folder);
  write_bmp(folder);
  put(folder, "empty", {});
  put(folder, "one_byte", raw({0xFF}));
}

}  // namespace seeds
