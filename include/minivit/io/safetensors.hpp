// SPDX-License-Identifier: MIT
// SafeTensors: a whole safetensors file in memory, checked before any of its numbers is used. Rules of the header stand
// in safetensors_header.hpp, writing in safetensors_writer.hpp. Values are not checked: NaN and infinity load.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/io/file.hpp>
#include <minivit/io/safetensors_header.hpp>
#include <minivit/io/safetensors_writer.hpp>

#include <cstring>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// What a reader is willing to read.
struct SafeTensorsLimits {
  std::uint64_t file_bytes = std::uint64_t{4} << 30;  ///< ten times DeiT-B in float32
  std::uint64_t header_bytes = 100'000'000;           ///< the reference's own limit
};

/// A safetensors file. Copies of a TensorInfo stay valid as long as the object does.
class SafeTensors {
 public:
  using Limits = SafeTensorsLimits;

  /// Reads `path`. Header and layout are checked before memory for the data is taken. Throws Error: one line with file,
  /// tensor, expected, found and a hint.
  static SafeTensors open(const std::string& path, const Limits& limits = {}) {
    const std::string where = "read " + detail::shown_path(path);
    InputFile file(path, limits.file_bytes);
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
    const std::string where = "read " + detail::shown_path(name);
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

  /// All tensors in the order of their data.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// "read FILE", the beginning of messages about this file.
  const std::string& where() const { return where_; }

  /// The tensor of that name, or null.
  const TensorInfo* find(std::string_view name) const {
    const auto at =
        std::ranges::lower_bound(by_name_, name, {}, [&](std::size_t i) { return std::string_view(tensors_[i].name); });
    return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
  }
  /// The tensor of that name. Throws Error when there is none.
  const TensorInfo& at(std::string_view name) const {
    if (const TensorInfo* const tensor = find(name)) return *tensor;
    fail({.where = where_,
          .what = "no tensor " + detail::in_quotes(name),
          .found = std::to_string(tensors_.size()) + " other tensors" +
                   (tensors_.empty() ? "" : ", the first is " + detail::in_quotes(tensors_.front().name))});
  }

  /// The tensor's bytes as in the file, little-endian, of any alignment. Precondition: `tensor` is one of tensors().
  std::span<const std::byte> bytes(const TensorInfo& tensor) const {
    if (tensor.offset < 0 || tensor.bytes < 0 || tensor.bytes > data_.size() || tensor.offset > data_.size() - tensor.bytes)
      fail({.where = where_, .what = "tensor " + detail::in_quotes(tensor.name) + " does not belong to this file"});
    return {data_.data() + tensor.offset, static_cast<std::size_t>(tensor.bytes)};
  }

  /// Copies the tensor's `tensor.size` elements to dst. Floats: F16, BF16, F32 and F64 to float or double. Integers: to the
  /// same type, and U8 and I32 to wider ones. Throws Error, naming the dtype, for everything else.
  template <class T>
  void copy_to(const TensorInfo& tensor, T* dst) const {
    if (!convert_elements(tensor.dtype, bytes(tensor).data(), tensor.size, dst))
      fail({.where = where_,
            .what = "tensor " + detail::in_quotes(tensor.name) + ": dtype cannot be used here",
            .expected = std::is_floating_point_v<T> ? "F32, F16, BF16 or F64" : std::string(name_of(dtype_for<T>())),
            .found = std::string(name_of(tensor.dtype)),
            .hint = "convert the tensor before saving it"});
  }
  /// A copy of a tensor's elements, row-major. Throws Error when it is missing or of an unusable dtype.
  template <class T>
  Buffer<T> read(std::string_view name) const {
    const TensorInfo& tensor = at(name);
    Buffer<T> out(tensor.size);
    copy_to(tensor, out.data());
    return out;
  }

 private:
  explicit SafeTensors(std::string where) : where_(std::move(where)) {}

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
            .expected = "at most " + std::to_string(limits.header_bytes),
            .found = std::to_string(length),
            .hint = "is this a safetensors file?"});
    if (length > file_bytes - prefix.size())
      fail({.where = where,
            .what = "header goes past the end of the file",
            .expected = "at most " + std::to_string(file_bytes - prefix.size()) + " bytes",
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
          .found = length == 0 ? "an empty header" : "'" + printable(text.substr(0, 1)) + "'",
          .hint = "is this a safetensors file?"});
  }

  void adopt(SafeTensorsHeader header) {
    tensors_ = std::move(header.tensors);
    metadata_ = std::move(header.metadata);
    by_name_.resize(tensors_.size());
    std::iota(by_name_.begin(), by_name_.end(), std::size_t{0});
    std::ranges::sort(by_name_, {}, [&](std::size_t i) { return std::string_view(tensors_[i].name); });
  }

  std::string where_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::size_t> by_name_;  // indices into tensors_
  std::map<std::string, std::string> metadata_;
  Buffer<std::byte> data_;
};

}  // namespace minivit::inline MINIVIT_ISA
