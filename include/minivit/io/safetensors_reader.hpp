// SPDX-License-Identifier: MIT
// SafeTensors: a whole safetensors file in memory, checked before any of its numbers is used. Rules of the header stand
// in safetensors_header.hpp, writing in safetensors_writer.hpp, what can be asked of its tensors in state_dict.hpp.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/io/file.hpp>
#include <minivit/io/safetensors_header.hpp>
#include <minivit/io/state_dict.hpp>

#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace minivit::inline MINIVIT_ISA {

/// What a reader is willing to read.
struct SafeTensorsLimits {
  std::uint64_t file_bytes = std::uint64_t{4} << 30;  ///< ten times DeiT-B in float32
  std::uint64_t header_bytes = 100'000'000;           ///< the reference's own limit
};

/// A safetensors file: a StateDict.
class SafeTensors : public StateDict {
 public:
  using Limits = SafeTensorsLimits;  ///< what open() is willing to read

  /// Reads `path`. Header and layout are checked before memory for the data is taken. Throws Error: one line with file,
  /// tensor, expected, found and a hint.
  static SafeTensors open(const std::string& path, const Limits& limits = {}) {
    InputFile file(path, limits.file_bytes);
    return from(file, path, limits);
  }

  /// The same from a file that was just opened; `path` stands in messages.
  static SafeTensors from(InputFile& file, const std::string& path, const Limits& limits = {}) {
    const std::string where = concat({"read ", detail::shown_path(path)});
    std::array<std::byte, 8> prefix{};
    if (file.size() >= prefix.size()) file.read(prefix);
    const std::uint64_t length = header_length(prefix, file.size(), limits, where);
    std::string text(1, '\0');  // the first byte is judged before memory for the rest is taken
    if (length > 0) file.read(std::as_writable_bytes(std::span(text)));
    check_first_byte(text, length, where);
    text.resize(static_cast<std::size_t>(length));
    file.read(std::as_writable_bytes(std::span(text).subspan(1)));

    SafeTensors out(where);
    const std::uint64_t data_bytes = file.size() - prefix.size() - length;
    out.adopt(parse_safetensors_header(text, data_bytes, where));
    out.data_ = Buffer<std::byte>(static_cast<Index>(data_bytes));
    file.read({out.data_.data(), static_cast<std::size_t>(data_bytes)});
    return out;
  }

  /// The same from memory; `name` stands for the file in messages.
  static SafeTensors parse(std::span<const std::byte> bytes, std::string_view name, const Limits& limits = {}) {
    const std::string where = concat({"read ", detail::shown_path(name)});
    std::array<std::byte, 8> prefix{};
    if (bytes.size() >= prefix.size()) std::memcpy(prefix.data(), bytes.data(), prefix.size());
    const std::uint64_t length = header_length(prefix, bytes.size(), limits, where);
    const std::span<const std::byte> rest = bytes.subspan(prefix.size());
    const std::string_view text(reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(length));
    check_first_byte(text, length, where);
    const std::span<const std::byte> data = rest.subspan(static_cast<std::size_t>(length));

    SafeTensors out(where);
    out.adopt(parse_safetensors_header(text, data.size(), where));
    out.data_ = Buffer<std::byte>(static_cast<Index>(data.size()));
    std::ranges::copy(data, out.data_.begin());
    return out;
  }

 private:
  explicit SafeTensors(std::string where) {
    where_ = std::move(where);
    origin_.container = "safetensors";
  }

  /// Length of the header from the first 8 bytes. Checked against the file's size.
  static std::uint64_t header_length(std::span<const std::byte, 8> prefix, std::uint64_t file_bytes, const Limits& limits,
                                     std::string_view where) {
    const std::string size = std::to_string(file_bytes);
    if (file_bytes < prefix.size())
      fail({.where = where,
            .what = "too short for a safetensors file",
            .expected = "8 bytes or more",
            .found = size,
            .hint = file_bytes == 0 ? "the file is empty" : detail::damaged_file});
    std::uint64_t length = 0;
    for (std::size_t i = 0; i < prefix.size(); ++i) length |= static_cast<std::uint64_t>(prefix[i]) << (8 * i);
    if (length > limits.header_bytes)
      fail({.where = where,
            .what = "header length in bytes 0 to 7 is too large",
            .expected = concat({"at most ", limits.header_bytes}),
            .found = std::to_string(length),
            .hint = "is this a safetensors file?"});
    if (length > file_bytes - prefix.size())
      fail({.where = where,
            .what = "header goes past the end of the file",
            .expected = concat({"at most ", file_bytes - prefix.size(), " bytes"}),
            .found = std::to_string(length),
            .hint = "the file is cut short or damaged"});
    return length;
  }
  /// A header begins with "{", or with JSON white space, as the reference reader allows.
  static void check_first_byte(std::string_view text, std::uint64_t length, std::string_view where) {
    if (length > 0 && std::string_view("{ \t\r\n").find(text[0]) != std::string_view::npos) return;
    fail({.where = where,
          .what = "header: wrong first byte, byte 8 of the file",
          .expected = "'{'",
          .found = length == 0 ? "an empty header" : concat({"'", printable(text.substr(0, 1)), "'"}),
          .hint = "is this a safetensors file?"});
  }

  void adopt(SafeTensorsHeader header) {
    metadata_ = std::move(header.metadata);
    set_tensors(std::move(header.tensors));
  }
};

}  // namespace minivit::inline MINIVIT_ISA
