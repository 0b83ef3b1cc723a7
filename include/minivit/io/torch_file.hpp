// SPDX-License-Identifier: MIT
// TorchFile: a .pth or .pt file of torch.save, either container, read without Python. It lists the dictionaries of tensors
// in the file and makes a StateDict of one; only the storages of that one are read. Unknown classes are skipped, and nothing
// is ever executed: docs/reference/file_format.md has the list of what is understood.
#pragma once

#include <minivit/io/json_strict.hpp>
#include <minivit/io/load_options.hpp>
#include <minivit/io/state_dict.hpp>
#include <minivit/io/torch_container.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// A file of torch.save. Keeps the source, which must outlive it; does not copy.
class TorchFile {
 public:
  /// A dictionary that holds tensors: its keys from the outermost one on, joined by dots, and how many.
  struct Entry {
    std::string path;         ///< "state_dict"; empty: the outermost
    std::size_t tensors = 0;  ///< how many it holds
  };

  /// Reads the pickle and finds the storages. `path` stands in messages. Throws Error.
  TorchFile(const ByteSource& source, std::string_view path, const ReadOptions& options = {})
      : source_(source), where_("read " + detail::shown_path(path)), container_(open(source, where_, options.pickle)) {
    find_entries(container_.object.root, "", 0);
  }
  TorchFile(const TorchFile&) = delete;
  TorchFile& operator=(const TorchFile&) = delete;

  /// Whether a file that begins with these bytes is one of torch.save; nine or more are needed.
  static bool recognises(std::span<const std::byte> first) {
    return detail::looks_like_zip(first) || detail::looks_like_pickle(first);
  }

  /// Every dictionary with tensors under text keys, at most three keys deep, in the order of the file.
  const std::vector<Entry>& entries() const { return entries_; }

  /// The tensors of one dictionary; ReadOptions::entry says which. Throws Error when there is none such, or when a tensor
  /// reaches outside of its storage, or a storage outside of the file.
  StateDict state_dict(const std::string& entry = {}) const {
    std::string path = entry;
    const pickle::Value dict = entry.empty() ? choose(path) : look_up(entry);
    Origin origin{.container = container_.kind, .entry = path};
    for (const Entry& e : entries_)
      if (e.path != path) origin.other_entries.emplace_back(e.path, e.tensors);
    return tensors_of(dict, std::move(origin));
  }

 private:
  using Value = pickle::Value;
  using Kind = pickle::Kind;
  static constexpr int most_keys = 3;
  static constexpr std::size_t most_left_out = 100, longest_key = 100, longest_name = 1000;
  static constexpr std::string_view damaged = "the file is damaged";

  static detail::TorchContainer open(const ByteSource& source, std::string_view where, const pickle::Limits& limits) {
    std::array<std::byte, 9> first{};
    if (source.size() >= first.size()) source.read(0, first);
    return detail::looks_like_zip(first) ? detail::read_torch_zip(source, where, limits)
                                         : detail::read_torch_legacy(source, where, limits);
  }
  const pickle::Object& object() const { return container_.object; }

  void find_entries(const Value& value, const std::string& path, int depth) {
    if (value.kind != Kind::dict || !seen_.insert(value.number).second) return;  // a dictionary may hold itself
    const auto pairs = object().items(value);
    Entry entry{path, 0};
    std::string why;
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2)
      if (pairs[i].kind == Kind::text && detail::tensor_claim(object(), pairs[i + 1], why)) ++entry.tensors;
    if (entry.tensors > 0) entries_.push_back(entry);
    if (depth == most_keys) return;
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2)  // a long key may be that of very many dictionaries
      if (pairs[i].kind == Kind::text && pairs[i].length <= longest_key)
        find_entries(pairs[i + 1], (path.empty() ? "" : path + ".") + std::string(object().text(pairs[i])), depth + 1);
  }

  bool has_tensors(const std::string& path) const {
    return std::ranges::any_of(entries_, [&](const Entry& e) { return e.path == path; });
  }
  /// "model (150 tensors), ema (150 tensors)"
  std::string list_entries() const {
    std::string text;
    for (std::size_t i = 0; i < entries_.size() && i < 4; ++i)
      text += (i ? ", " : "") +
              (entries_[i].path.empty() ? std::string("the outermost") : detail::in_quotes(entries_[i].path)) + " (" +
              std::to_string(entries_[i].tensors) + " tensors)";
    return text + (entries_.size() > 4 ? ", ..." : "");
  }

  /// ReadOptions::entry has the rule. Sets `path`.
  Value choose(std::string& path) const {
    for (const char* const usual : {"model", "state_dict", "model_state_dict", "model_ema", "state_dict_ema"})
      if (has_tensors(usual)) return look_up(path = usual);
    if (has_tensors("")) return object().root;
    if (entries_.size() == 1) return look_up(path = entries_.front().path);
    const Value* const model = object().find(object().root, "model");
    const Value& shown = model != nullptr ? *model : object().root;
    if (entries_.empty())
      fail({.where = where_,
            .what = "no tensors by name in the file",
            .expected = "a dictionary of tensors",
            .found = (model != nullptr ? "under 'model' " : "") + printable(object().describe(shown), 100),
            .hint = detail::save_state_dict});
    fail({.where = where_,
          .what = "more than one dictionary of tensors",
          .found = list_entries(),
          .hint = "name one: ReadOptions::entry, --entry of the program"});
  }
  Value look_up(const std::string& path) const {
    const Value* at = &object().root;
    for (std::string_view rest = path; at != nullptr && !rest.empty();) {
      if (const Value* const whole = object().find(*at, rest)) {
        at = whole;
        break;
      }
      const std::size_t dot = std::min(rest.find('.'), rest.size());
      at = object().find(*at, rest.substr(0, dot));
      rest.remove_prefix(std::min(dot + 1, rest.size()));
    }
    if (at == nullptr || at->kind != Kind::dict)
      fail({.where = where_,
            .what = "no dictionary " + detail::in_quotes(path) + " in the file",
            .found = entries_.empty() ? "no tensors at all" : list_entries()});
    return *at;
  }

  [[noreturn]] void refuse(const std::string& name, const std::string& what, const std::string& expected = {},
                           const std::string& found = {}, std::string_view hint = damaged) const {
    fail({.where = where_,
          .what = "tensor " + detail::in_quotes(name) + ": " + what,
          .expected = expected,
          .found = found,
          .hint = hint});
  }

  StateDict tensors_of(const Value& dict, Origin origin) const {
    const auto pairs = object().items(dict);
    std::vector<TensorInfo> tensors;
    std::vector<std::string> storage_keys;                     // of tensors, index by index
    std::map<std::string, std::uint64_t, std::less<>> places;  // of storages in our data
    std::uint64_t data_bytes = 0;
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 2) {
      const std::string name(object().text(pairs[i]).substr(0, longest_name));
      std::string why;
      const auto claim = detail::tensor_claim(object(), pairs[i + 1], why);
      if (!claim || pairs[i].kind != Kind::text) {
        if (claim) why = "its key is " + object().describe(pairs[i]);
        if (origin.left_out.size() < most_left_out)
          origin.left_out.push_back(printable(name, 80) + ": " + printable(why, 80));
        continue;
      }
      if (pairs[i].length > longest_name)
        refuse(name, "its name is too long", std::to_string(longest_name) + " bytes at most",
               std::to_string(pairs[i].length));
      if (const std::size_t bad = find_invalid_utf8(name); bad != std::string::npos)
        refuse(name, "its name is not valid UTF-8");
      const detail::TorchStorage& storage = storage_of(name, *claim);
      const auto [place, first] = places.emplace(std::string(claim->storage.key), data_bytes);
      if (first)
        data_bytes += (storage.bytes + alignment - 1) / alignment *
                      alignment;  // storages share no byte: about the file's size at most
      tensors.push_back(checked_tensor(name, *claim, place->second));
    }
    Buffer<std::byte> data(static_cast<Index>(data_bytes));
    for (const auto& [key, place] : places) {
      const detail::TorchStorage& storage = container_.storages.find(key)->second;
      if (container_.kind == "PyTorch zip") read_zip_entry(source_, storage.entry, data.data() + place, where_);
      else source_.read(storage.at, {data.data() + place, static_cast<std::size_t>(storage.bytes)});
    }
    return StateDict(where_, std::move(tensors), {}, std::move(data), std::move(origin));
  }

  const detail::TorchStorage& storage_of(const std::string& name, const detail::TensorClaim& claim) const {
    const auto at = container_.storages.find(claim.storage.key);
    if (at == container_.storages.end())
      refuse(name, "its storage " + detail::in_quotes(claim.storage.key) + " is not in the file");
    if (claim.storage.view)
      refuse(name, "its storage is a part of another one", "", "", "save it again with a newer PyTorch");
    const auto bytes = checked::mul(claim.storage.elements, claim.storage.type->bytes);
    if (bytes != at->second.bytes)
      refuse(name, "its storage has another size",
             std::to_string(claim.storage.elements) + " elements of " + std::to_string(claim.storage.type->bytes) + " bytes",
             std::to_string(at->second.bytes) + " bytes");
    return at->second;
  }

  /// Every element lies inside the storage, which begins at byte `place` of our data.
  TensorInfo checked_tensor(const std::string& name, const detail::TensorClaim& claim, std::uint64_t place) const {
    const std::uint64_t in_storage = claim.storage.elements, element = claim.storage.type->bytes;
    std::optional<std::uint64_t> size = 1, last = claim.offset;
    bool row_major = true, empty = false;
    for (std::size_t axis = claim.shape.size(); axis > 0; --axis) {
      const std::uint64_t extent = claim.shape[axis - 1], stride = claim.strides[axis - 1];
      row_major = row_major && (extent == 1 || (size && stride == *size));
      empty = empty || extent == 0;
      if (size) size = checked::mul(*size, extent);
      const auto step = extent > 0 ? checked::mul(extent - 1, stride) : std::optional<std::uint64_t>(0);
      last = last && step ? checked::add(*last, *step) : std::nullopt;
    }
    if (empty) size = 0, row_major = true;
    else if (!last || *last >= in_storage)
      refuse(name, "it goes past the end of its storage", std::to_string(in_storage) + " elements",
             shape_text(claim.shape) + " from element " + std::to_string(claim.offset));
    if (!size || *size > in_storage)  // some element is used twice
      refuse(name, "it has more elements than its storage", std::to_string(in_storage) + " at most", shape_text(claim.shape),
             "an expanded tensor: save tensor.clone() instead");
    TensorInfo info;
    info.name = name;
    info.dtype = claim.dtype;
    for (const std::uint64_t extent : claim.shape) {
      if (extent > static_cast<std::uint64_t>(std::numeric_limits<Index>::max()))
        refuse(name, "shape is too large", "a size below 2^63", shape_text(claim.shape));
      info.shape.push_back(static_cast<Index>(extent));
    }
    if (!row_major)
      for (std::size_t axis = 0; axis < claim.shape.size();
           ++axis)  // along an axis of one element nothing is ever stepped over
        info.strides.push_back(claim.shape[axis] == 1 ? 0 : static_cast<Index>(claim.strides[axis]));
    info.offset = static_cast<Index>(place + (empty ? 0 : claim.offset * element));
    info.size = static_cast<Index>(*size);
    info.bytes = static_cast<Index>(*size * element);
    return info;
  }

  const ByteSource& source_;
  std::string where_;
  detail::TorchContainer container_;
  std::vector<Entry> entries_;
  std::set<std::int64_t> seen_;
};

}  // namespace minivit::inline MINIVIT_ISA
