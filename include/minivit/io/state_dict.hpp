// SPDX-License-Identifier: MIT
// StateDict: named tensors in memory, from whatever kind of file they came. Loading a model sees nothing else:
// safetensors.hpp and torch_file.hpp make StateDicts, open_weights.hpp picks by content. Values are not checked: NaN and
// infinity load.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/io/checked.hpp>
#include <minivit/io/sorted.hpp>
#include <minivit/io/tensor_info.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// Where tensors came from, for reports and messages.
struct Origin {
  std::string container{};  ///< "safetensors", "PyTorch zip", "PyTorch legacy"
  std::string entry{};      ///< the dictionary inside the file, "model"; empty: the outermost, or the format knows none
  std::string prefix{};     ///< what stood in front of every name and was removed, "module."
  std::string naming{};  ///< whose names they had, "Hugging Face ViT"; empty: those of the published DeiT, Swin and MiniViT
                         ///< code, which are ours
  /// Other dictionaries of the file and their number of tensors.
  std::vector<std::pair<std::string, std::size_t>> other_entries{};
  /// What is in the dictionary and is no tensor that can be read: "NAME: why". A hundred at most.
  std::vector<std::string> left_out{};
};

/// Tensors by name. Copies of a TensorInfo stay valid as long as the object does.
class StateDict {
 public:
  /// `where` begins messages; `tensors` lie inside `data`, in which readers have made sure of that, and have different
  /// names.
  StateDict(std::string where, std::vector<TensorInfo> tensors, std::map<std::string, std::string> metadata,
            Buffer<std::byte> data, Origin origin)
      : where_(std::move(where)), metadata_(std::move(metadata)), data_(std::move(data)), origin_(std::move(origin)) {
    set_tensors(std::move(tensors));
  }

  /// All tensors in the order of the file.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  /// Texts that travel with the tensors; empty for a format that has none.
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  /// "read FILE", the beginning of messages about this file.
  const std::string& where() const { return where_; }
  const Origin& origin() const { return origin_; }  ///< what kind of file it came from

  /// The tensor of that name, or null.
  const TensorInfo* find(std::string_view name) const {
    const auto at = std::ranges::lower_bound(by_name_, name, {},
                                             [&](std::size_t i) { return std::string_view(tensors_[i].name); });
    return at != by_name_.end() && tensors_[*at].name == name ? &tensors_[*at] : nullptr;
  }
  /// The tensor of that name. Throws Error when there is none.
  const TensorInfo& at(std::string_view name) const {
    if (const TensorInfo* const tensor = find(name)) return *tensor;
    fail({.where = where_,
          .what = concat({"no tensor ", detail::in_quotes(name)}),
          .found = concat({tensors_.size(), " other tensors",
                           tensors_.empty() ? "" : concat({", the first is ", detail::in_quotes(tensors_.front().name)})})});
  }

  /// The tensor's bytes as in the file, little-endian, of any alignment. Precondition: `tensor` is one of tensors() and
  /// in_one_piece(); packed() has no such limit.
  std::span<const std::byte> bytes(const TensorInfo& tensor) const {
    if (!tensor.in_one_piece())
      fail({.where = where_,
            .what = concat({"tensor ", detail::in_quotes(tensor.name), " does not stand in one piece"}),
            .hint = "use packed()"});
    return {place(tensor), static_cast<std::size_t>(tensor.bytes)};
  }

  /// A copy of the tensor's bytes, row-major without gaps. Precondition: `tensor` is one of tensors().
  Buffer<std::byte> packed(const TensorInfo& tensor) const {
    Buffer<std::byte> out(tensor.bytes);
    pack(tensor, out.data());
    return out;
  }

  /// Copies the tensor's `tensor.size` elements to dst, row-major. Floats: F16, BF16, F32 and F64 to float or double.
  /// Integers: to the same type, and U8 and I32 to wider ones. Throws Error, naming the dtype, for everything else.
  template <class T>
  void copy_to(const TensorInfo& tensor, T* dst) const {
    bool converted = true;
    if (!tensor.parts.empty()) {
      for (const TensorInfo& part : tensor.parts) {
        copy_to(part, dst);
        dst += part.size;
      }
    } else if (tensor.in_one_piece()) {
      converted = convert_elements(tensor.dtype, bytes(tensor).data(), tensor.size, dst);
    } else {
      converted = convert_elements(tensor.dtype, packed(tensor).data(), tensor.size, dst);
    }
    if (!converted)
      fail({.where = where_,
            .what = concat({"tensor ", detail::in_quotes(tensor.name), ": dtype cannot be used here"}),
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

  /// The same data under other names: `tensors` are made of those of this object. Throws Error when two have the same name.
  StateDict renamed(std::vector<TensorInfo> tensors, Origin origin) && {
    StateDict out = std::move(*this);
    out.origin_ = std::move(origin);
    out.set_tensors(std::move(tensors));
    return out;
  }

 protected:
  StateDict() = default;                         ///< for the readers, which fill the members below
  std::string where_;                            ///< beginning of messages
  std::map<std::string, std::string> metadata_;  ///< empty where the format has none
  Buffer<std::byte> data_;                       ///< bytes of all tensors; each begins at its TensorInfo::offset
  Origin origin_;                                ///< what kind of file it came from

  /// Sets what tensors() gives and find() finds. Throws Error when two have the same name.
  void set_tensors(std::vector<TensorInfo> tensors) {
    tensors_ = std::move(tensors);
    by_name_ = detail::sorted(tensors_.size(),
                              [&](std::size_t a, std::size_t b) { return tensors_[a].name < tensors_[b].name; });
    for (std::size_t i = 1; i < by_name_.size(); ++i)
      if (tensors_[by_name_[i]].name == tensors_[by_name_[i - 1]].name)
        fail({.where = where_,
              .what = concat({"tensor ", detail::in_quotes(tensors_[by_name_[i]].name), ": repeated name"}),
              .expected = "each name once",
              .found = "two tensors"});
  }

 private:
  static Index element_bytes(const TensorInfo& tensor) { return bits_of(tensor.dtype) / 8; }

  /// The tensor's first byte, after a check that all of it lies inside the data.
  const std::byte* place(const TensorInfo& tensor) const {
    // bytes from the first to behind the last element
    std::uint64_t reach = static_cast<std::uint64_t>(std::max<Index>(tensor.bytes, 0));
    bool inside = tensor.bytes >= 0 && tensor.offset >= 0;
    if (!tensor.strides.empty() && tensor.size > 0) {
      std::optional<std::uint64_t> last = 0;
      inside = inside && tensor.strides.size() == tensor.shape.size();
      for (std::size_t axis = 0; inside && last && axis < tensor.shape.size(); ++axis) {
        inside = tensor.strides[axis] >= 0 && tensor.shape[axis] >= 1;
        const auto step = checked::mul(static_cast<std::uint64_t>(tensor.shape[axis] - 1),
                                       static_cast<std::uint64_t>(tensor.strides[axis]));
        last = step ? checked::add(*last, *step) : std::nullopt;
      }
      const auto elements = last ? checked::add(*last, 1) : std::nullopt;
      const auto all = elements ? checked::mul(*elements, static_cast<std::uint64_t>(element_bytes(tensor))) : std::nullopt;
      inside = inside && all.has_value();
      reach = all.value_or(0);
    }
    const auto size = static_cast<std::uint64_t>(data_.size());
    if (!inside || reach > size || static_cast<std::uint64_t>(tensor.offset) > size - reach)
      fail({.where = where_, .what = concat({"tensor ", detail::in_quotes(tensor.name), " does not belong to this file"})});
    return data_.data() + tensor.offset;
  }

  void pack(const TensorInfo& tensor, std::byte* to) const {
    if (!tensor.parts.empty()) {
      for (const TensorInfo& part : tensor.parts) {
        pack(part, to);
        to += part.bytes;
      }
      return;
    }
    const std::byte* const from = place(tensor);
    if (tensor.strides.empty()) {
      std::copy_n(from, tensor.bytes, to);
      return;
    }
    const Index element = element_bytes(tensor);
    std::vector<Index> at(tensor.shape.size());  // index of the next element, last axis fastest
    Index element_at = 0;
    for (Index i = 0; i < tensor.size; ++i) {
      std::memcpy(to + i * element, from + element_at * element, static_cast<std::size_t>(element));
      for (std::size_t left = at.size(); left > 0; --left) {
        const std::size_t axis = left - 1;
        element_at += tensor.strides[axis];
        if (++at[axis] < tensor.shape[axis]) break;
        element_at -= tensor.strides[axis] * tensor.shape[axis];
        at[axis] = 0;
      }
    }
  }

  std::vector<TensorInfo> tensors_;
  std::vector<std::size_t> by_name_;  // indices into tensors_
};

}  // namespace minivit::inline MINIVIT_ISA
