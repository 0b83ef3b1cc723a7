// SPDX-License-Identifier: MIT
// Writes safetensors files: the same tensors give the same bytes. Tensors stand by size of their type, largest first, then
// by name; the header is padded with spaces so that data starts at a multiple of 64.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/io/file.hpp>
#include <minivit/io/json_text.hpp>
#include <minivit/io/safetensors_header.hpp>

#include <bit>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

static_assert(std::endian::native == std::endian::little,
              "minivit: safetensors files are read and written on little-endian machines");

/// A tensor to be saved. Does not own `data`, which holds the elements row-major.
struct TensorToWrite {
  std::string name;            ///< its key in the file
  DType dtype = DType::F32;    ///< of the elements
  std::vector<Index> shape;    ///< extents, slowest first; none: a single number
  const void* data = nullptr;  ///< not null unless there are no elements
};

/// A list of numbers as a tensor of one axis. Does not own them.
template <class T>
TensorToWrite array_to_write(std::string name, std::span<const T> values) {
  return {std::move(name), dtype_for<T>(), {static_cast<Index>(values.size())}, values.data()};
}

namespace detail {
/// What stands in the file: header bytes (with length and padding), then each tensor's bytes in this order.
struct SafeTensorsPlan {
  std::string head;
  std::vector<std::span<const std::byte>> data;
};

inline SafeTensorsPlan plan_safetensors(const std::vector<TensorToWrite>& tensors,
                                        const std::map<std::string, std::string>& metadata, std::string_view where) {
  const auto order = sorted(tensors.size(), [&](std::size_t i, std::size_t j) {
    const TensorToWrite &a = tensors[i], &b = tensors[j];
    return bits_of(a.dtype) != bits_of(b.dtype) ? bits_of(a.dtype) > bits_of(b.dtype) : a.name < b.name;
  });

  std::string json = "{";
  if (!metadata.empty()) {
    json += "\"" + std::string(metadata_key) + "\":{";
    for (bool first = true; const auto& [key, value] : metadata) {
      json += (first ? "" : ",") + json_quoted(key, where, "metadata key") + ":" +
              json_quoted(value, where, "metadata value");
      first = false;
    }
    json += "}";
  }
  SafeTensorsPlan plan;
  std::uint64_t offset = 0;
  std::set<std::string_view> names;
  for (const std::size_t i : order) {
    const TensorToWrite* const t = &tensors[i];
    if (t->name == metadata_key || !names.insert(t->name).second)
      fail_tensor(where, t->name, "name cannot be used", "a name of its own", "a repeated or reserved one", "");
    if (t->shape.size() > most_axes)
      fail_tensor(where, t->name, "too many axes", "at most " + std::to_string(most_axes), std::to_string(t->shape.size()),
                  "");
    std::vector<std::uint64_t> shape;
    for (const Index extent : t->shape) {
      if (extent < 0) fail_tensor(where, t->name, "negative extent in shape", "0 or more", shape_text(t->shape), "");
      shape.push_back(static_cast<std::uint64_t>(extent));
    }
    const TensorSize size = tensor_size(t->dtype, shape, t->name, where);
    const auto end = checked::add(offset, size.bytes);
    if (!end) fail_tensor(where, t->name, "the file would be too large", "below 2^64 bytes", "more", "");
    if (size.bytes > 0 && t->data == nullptr)
      fail_tensor(where, t->name, "has no data", std::to_string(size.bytes) + " bytes", "null", "");
    plan.data.emplace_back(static_cast<const std::byte*>(t->data), static_cast<std::size_t>(size.bytes));
    json += (json.size() > 1 ? "," : "") + json_quoted(t->name, where, "tensor name") + ":{\"dtype\":\"" +
            std::string(name_of(t->dtype)) +
            "\",\"shape\":" + json_list(shape, [](std::uint64_t extent) { return std::to_string(extent); }) +
            ",\"data_offsets\":[" + std::to_string(offset) + "," + std::to_string(*end) + "]}";
    offset = *end;
  }
  json += "}";
  json.resize((8 + json.size() + alignment - 1) / alignment * alignment - 8, ' ');
  if (json.size() > 100'000'000)
    fail({.where = where,
          .what = "the header would be too large",
          .expected = "at most 100000000 bytes",
          .found = std::to_string(json.size())});
  for (std::size_t i = 0; i < 8; ++i) plan.head += static_cast<char>((json.size() >> (8 * i)) & 255u);
  plan.head += json;
  return plan;
}
}  // namespace detail

/// Writes a safetensors file in one step: after an error the old file is intact. Values are written as they are, also NaN.
/// Throws Error for a repeated name, a name or metadata text that is not UTF-8, more than 8 axes, or a failing disk.
inline void write_safetensors(const std::string& path, const std::vector<TensorToWrite>& tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  const detail::SafeTensorsPlan plan = detail::plan_safetensors(tensors, metadata, "write " + detail::shown_path(path));
  AtomicFile file(path);
  file.write(plan.head);
  for (const std::span<const std::byte> data : plan.data) file.write(data);
  file.commit();
}

}  // namespace minivit::inline MINIVIT_ISA
