// SPDX-License-Identifier: MIT
// The header of a safetensors file: a strict parser and every rule about sizes and offsets. Works on the header's text
// and the number of data bytes behind it, and allocates nothing whose size a claimed number decides.
// Format: https://github.com/huggingface/safetensors. Stricter than its reference reader on repeated keys (refused
// after unescaping), unknown fields of a record (refused) and rank (at most 8).
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/checked.hpp>
#include <minivit/io/dtype.hpp>
#include <minivit/io/json_strict.hpp>
#include <minivit/io/sorted.hpp>
#include <minivit/io/tensor_info.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// A checked header: tensors in the order of their data, without holes or overlaps.
struct SafeTensorsHeader {
  std::vector<TensorInfo> tensors;              ///< without holes or overlaps
  std::map<std::string, std::string> metadata;  ///< keys and texts of "__metadata__"
};

namespace detail {

inline constexpr std::size_t most_axes = 8;
inline constexpr std::string_view metadata_key = "__metadata__";
inline constexpr std::string_view damaged_file = "the file is damaged or was not written by a safetensors writer";

/// A record as claimed by the file, nothing checked but its form.
struct ClaimedTensor {
  std::string name;
  DType dtype = DType::F32;
  std::array<std::uint64_t, most_axes> shape{};
  std::size_t axes = 0;
  std::array<std::uint64_t, 2> offsets{};
  std::size_t offset_count = 0;
  bool has_dtype = false, has_shape = false, has_offsets = false;

  std::span<const std::uint64_t> extents() const { return {shape.data(), axes}; }
};

/// Accepts {"__metadata__": {text: text}, NAME: {"dtype": text, "shape": [n...], "data_offsets": [n, n]}} and nothing else.
class HeaderHandler final : public JsonHandler {
 public:
  std::vector<ClaimedTensor> tensors;
  std::map<std::string, std::string> metadata;

  /// The tensor or key being read, for messages; empty at the top.
  std::string where() const {
    if (at_ == At::start || at_ == At::root || at_ == At::end) return {};
    if (at_ == At::metadata_value || at_ == At::metadata) return std::string(metadata_key);
    if (at_ == At::metadata_text) return concat({metadata_key, " key ", in_quotes(metadata_name_)});
    return concat({"tensor ", in_quotes(tensors.back().name)});
  }

  bool null() override { return unexpected("null"); }
  bool boolean(bool value) override { return unexpected(value ? "true" : "false"); }
  bool number_integer(Json::number_integer_t value) override { return unexpected(std::to_string(value)); }
  bool number_float(Json::number_float_t /*value*/, const std::string& text) override {
    return unexpected(printable(text, 40));
  }
  bool number_unsigned(Json::number_unsigned_t value) override {
    if (at_ == At::shape) {
      ClaimedTensor& tensor = tensors.back();
      if (tensor.axes == most_axes) return refuse("too many axes", concat({"at most ", most_axes}), "more");
      tensor.shape[tensor.axes++] = value;
      return true;
    }
    if (at_ == At::offsets) {
      ClaimedTensor& tensor = tensors.back();
      if (tensor.offset_count == 2) return refuse("too many data_offsets", "2 numbers", "more");
      tensor.offsets[tensor.offset_count++] = value;
      return true;
    }
    return unexpected(std::to_string(value));
  }
  bool string(std::string& value) override {
    if (at_ == At::metadata_text) {
      metadata[metadata_name_] = std::move(value);
      at_ = At::metadata;
      return true;
    }
    if (at_ == At::dtype_value) {
      const auto dtype = dtype_of(value);
      if (!dtype) return refuse("unknown dtype", "one of the 22 safetensors types", in_quotes(value));
      tensors.back().dtype = *dtype;
      at_ = At::record;
      return true;
    }
    return unexpected(concat({"the text ", in_quotes(value)}));
  }
  bool start_object(std::size_t /*size*/) override {
    switch (at_) {
      case At::start: at_ = At::root; return true;
      case At::metadata_value: at_ = At::metadata; return true;
      case At::record_value: at_ = At::record; return true;
      default: return unexpected("an object");
    }
  }
  bool end_object() override {
    if (at_ == At::record) {
      const ClaimedTensor& tensor = tensors.back();
      if (!tensor.has_dtype) return refuse("missing field", "'dtype'", "none");
      if (!tensor.has_shape) return refuse("missing field", "'shape'", "none");
      if (!tensor.has_offsets) return refuse("missing field", "'data_offsets'", "none");
    }
    at_ = at_ == At::root ? At::end : At::root;
    return true;
  }
  bool start_array(std::size_t /*size*/) override {
    switch (at_) {
      case At::shape_value: at_ = At::shape; return true;
      case At::offsets_value: at_ = At::offsets; return true;
      default: return unexpected("an array");
    }
  }
  bool end_array() override {
    if (at_ == At::offsets && tensors.back().offset_count != 2)
      return refuse("too few data_offsets", "2 numbers", std::to_string(tensors.back().offset_count));
    at_ = At::record;
    return true;
  }
  bool key(std::string& name) override {
    if (at_ == At::metadata) {
      metadata_name_ = name;
      at_ = At::metadata_text;
      return metadata.emplace(std::move(name), "").second || refuse("repeated key", "each key once", "a second one");
    }
    if (at_ == At::record) return record_key(name);
    if (name == metadata_key) {
      at_ = At::metadata_value;
      return !std::exchange(has_metadata_, true) || refuse("repeated key", "each key once", "a second one");
    }
    tensors.emplace_back().name = std::move(name);
    at_ = At::record_value;
    return true;
  }

 private:
  /// What comes next.
  enum class At {
    start,
    root,
    end,
    metadata_value,
    metadata,
    metadata_text,
    record_value,
    record,
    dtype_value,
    shape_value,
    shape,
    offsets_value,
    offsets
  };

  bool record_key(const std::string& name) {
    ClaimedTensor& tensor = tensors.back();
    bool repeated = false;
    if (name == "dtype") at_ = At::dtype_value, repeated = std::exchange(tensor.has_dtype, true);
    else if (name == "shape") at_ = At::shape_value, repeated = std::exchange(tensor.has_shape, true);
    else if (name == "data_offsets") at_ = At::offsets_value, repeated = std::exchange(tensor.has_offsets, true);
    else return refuse("unknown field", "'dtype', 'shape' or 'data_offsets'", in_quotes(name));
    return !repeated || refuse("repeated field", "each field once", concat({"'", name, "' twice"}));
  }
  bool unexpected(std::string_view found) {
    const char* what = "wrong value";
    const char* expected = "";
    // clang-format off
    switch (at_) {
      case At::start: what = "wrong header", expected = "a JSON object"; break;
      case At::metadata_value: expected = "an object of texts"; break;
      case At::metadata_text: expected = "a text"; break;
      case At::record_value: expected = "an object with dtype, shape and data_offsets"; break;
      case At::dtype_value: what = "wrong dtype", expected = "a text"; break;
      case At::shape_value: what = "wrong shape", expected = "an array of unsigned integers"; break;
      case At::offsets_value: what = "wrong data_offsets", expected = "an array of 2 unsigned integers"; break;
      case At::shape: what = "wrong number in shape", expected = "an unsigned 64-bit integer"; break;
      case At::offsets: what = "wrong number in data_offsets", expected = "an unsigned 64-bit integer"; break;
      default: break;  // between keys the parser itself lets nothing else through
    }
    // clang-format on
    return refuse(what, expected, found);
  }

  At at_ = At::start;
  bool has_metadata_ = false;
  std::string metadata_name_;
};

[[noreturn, gnu::cold]] inline void fail_tensor(std::string_view where, std::string_view name, std::string_view what,
                                                std::string_view expected, std::string_view found,
                                                std::string_view hint = damaged_file) {
  fail({.where = where,
        .what = concat({"tensor ", in_quotes(name), ": ", what}),
        .expected = expected,
        .found = found,
        .hint = hint});
}

/// Elements and bytes that shape and dtype ask for: the one place where bytes are derived.
struct TensorSize {
  std::uint64_t elements;
  std::uint64_t bytes;
};
inline TensorSize tensor_size(DType dtype, std::span<const std::uint64_t> shape, const std::string& name,
                              std::string_view where) {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<Index>::max());
  std::optional<std::uint64_t> elements = 1;
  bool fits = true;
  for (const std::uint64_t extent : shape) {
    elements = elements ? checked::mul(*elements, extent) : std::nullopt;
    fits = fits && extent <= most;
  }
  const auto bits = elements ? checked::mul(*elements, static_cast<std::uint64_t>(bits_of(dtype))) : std::nullopt;
  if (!bits || !fits) fail_tensor(where, name, "shape is too large", "a size below 2^63 bits", shape_text(shape));
  if (*bits % 8 != 0)
    fail_tensor(where, name, "does not end on a byte", "a multiple of 8 bits", concat({*bits, " bits of ", name_of(dtype)}));
  return {*elements, *bits / 8};
}

/// Checks sizes, offsets and names of all records against `data_bytes` and sorts them by offset.
inline std::vector<TensorInfo> check_layout(std::vector<ClaimedTensor> claimed, std::uint64_t data_bytes,
                                            std::string_view where) {
  const auto by_name = sorted(claimed.size(),
                              [&](std::size_t a, std::size_t b) { return claimed[a].name < claimed[b].name; });
  for (std::size_t i = 1; i < by_name.size(); ++i)
    if (claimed[by_name[i]].name == claimed[by_name[i - 1]].name)
      fail_tensor(where, claimed[by_name[i]].name, "repeated name", "each name once", "two tensors");
  for (const std::size_t i : by_name) {
    const ClaimedTensor& t = claimed[i];
    const auto [begin, end] = t.offsets;
    if (end < begin || end > data_bytes)
      fail_tensor(where, t.name, "wrong data_offsets", concat({"begin <= end <= ", data_bytes}), shape_text(t.offsets),
                  end > data_bytes ? "the file is cut short or damaged" : damaged_file);
    const TensorSize size = tensor_size(t.dtype, t.extents(), t.name, where);
    if (size.bytes != end - begin)
      fail_tensor(where, t.name, "size differs from shape and dtype",
                  concat({size.bytes, " bytes for ", name_of(t.dtype), " ", shape_text(t.extents())}),
                  concat({end - begin, " bytes"}));
  }
  // names decide nothing: equal offsets are empty or refused
  const auto by_place = sorted(claimed.size(),
                               [&](std::size_t a, std::size_t b) { return claimed[a].offsets < claimed[b].offsets; });
  std::uint64_t covered = 0;
  std::vector<TensorInfo> tensors;
  tensors.reserve(claimed.size());
  for (const std::size_t i : by_place) {
    ClaimedTensor& t = claimed[i];
    const auto [begin, end] = t.offsets;
    if (begin != covered)
      fail_tensor(where, t.name, begin < covered ? "overlaps the tensor before it" : "leaves a hole before it",
                  concat({"begin at byte ", covered}), std::to_string(begin));
    covered = end;
    const TensorSize size = tensor_size(t.dtype, t.extents(), t.name, where);
    TensorInfo& info = tensors.emplace_back();
    for (const std::uint64_t extent : t.extents()) info.shape.push_back(static_cast<Index>(extent));
    info.name = std::move(t.name);
    info.dtype = t.dtype;
    info.offset = static_cast<Index>(begin);
    info.bytes = static_cast<Index>(size.bytes);
    info.size = static_cast<Index>(size.elements);
  }
  if (covered != data_bytes)
    fail({.where = where,
          .what = "the data does not end with the last tensor",
          .expected = concat({covered, " bytes of data"}),
          .found = std::to_string(data_bytes),
          .hint = damaged_file});
  return tensors;
}

}  // namespace detail

/// Parses and checks a header. `text` is the JSON with its padding, `data_bytes` what follows it in the file, `where` begins
/// every message. Throws Error.
inline SafeTensorsHeader parse_safetensors_header(std::string_view text, std::uint64_t data_bytes, std::string_view where) {
  detail::HeaderHandler handler;
  if (const auto fault = parse_json_events(text, handler)) {
    const std::string place = handler.where();
    std::string what = concat({place, place.empty() ? "header: " : ": ", fault->what});
    if (fault->position) what = concat({what, " at byte ", 8 + *fault->position, " of the file"});
    fail({.where = where, .what = what, .expected = fault->expected, .found = fault->found, .hint = detail::damaged_file});
  }
  return {detail::check_layout(std::move(handler.tensors), data_bytes, where), std::move(handler.metadata)};
}

}  // namespace minivit::inline MINIVIT_ISA
