// SPDX-License-Identifier: MIT
// open_weights: tensors under our names from a file of any kind we read. The content says what it is, not the file's name:
// safetensors, or what torch.save wrote in either container; then common prefixes go, and other projects' names become ours
// (key_names.hpp). Files that this library wrote are taken as they are.
#pragma once

#include <minivit/io/key_names.hpp>
#include <minivit/io/load_options.hpp>
#include <minivit/io/safetensors_reader.hpp>
#include <minivit/io/torch_file.hpp>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

namespace detail {

/// A safetensors file knows no dictionaries, so none can be asked for.
inline StateDict without_entry(StateDict file, const ReadOptions& options) {
  if (!options.entry.empty())
    fail({.where = file.where(),
          .what = "no dictionary " + in_quotes(options.entry) + " in the file",
          .found = "a safetensors file, which has none",
          .hint = "to take a part of it by its names use ReadOptions::prefix"});
  return file;
}

inline constexpr std::string_view own_metadata = "minivit.config";  // there only in files of ours

/// Removes `prefix` from every name; those without it are left out.
inline std::vector<TensorInfo> with_prefix(const std::vector<TensorInfo>& tensors, std::string_view prefix) {
  std::vector<TensorInfo> out;
  for (const TensorInfo& t : tensors)
    if (t.name.size() > prefix.size() && t.name.starts_with(prefix))
      out.push_back(t), out.back().name.erase(0, prefix.size());
  return out;
}

/// Prefixes and names as ReadOptions and key_names.hpp say.
inline StateDict named_as_ours(StateDict file, const ReadOptions& options) {
  if (file.metadata().contains(std::string(own_metadata))) return file;
  Origin origin = file.origin();
  std::vector<TensorInfo> tensors = file.tensors();
  origin.prefix = options.prefix;
  if (!options.prefix.empty()) {
    tensors = with_prefix(tensors, options.prefix);
    if (tensors.empty())
      fail({.where = file.where(),
            .what = "no name begins with " + in_quotes(options.prefix),
            .found = file.tensors().empty() ? "no tensors" : "for example " + in_quotes(file.tensors().front().name)});
  }
  for (bool more = options.prefix.empty(); more;) {
    more = false;
    for (const std::string_view usual : {"module.", "_orig_mod.", "model."}) {
      auto shorter = with_prefix(tensors, usual);
      if (tensors.empty() || shorter.size() != tensors.size()) continue;
      tensors = std::move(shorter);
      origin.prefix += usual;
      more = true;
    }
  }
  if (const KeyNaming* const naming = naming_of(tensors)) {
    tensors = with_our_names(std::move(tensors), *naming);
    origin.naming = naming->name;
  }
  return std::move(file).renamed(std::move(tensors), std::move(origin));
}

}  // namespace detail

/// Reads `path`: safetensors, or a state dict of torch.save in a zip or legacy container. Throws Error: one line with file,
/// place, what is wrong and a hint.
inline StateDict open_weights(const std::string& path, const ReadOptions& options = {}) {
  InputFile file(path, options.file_bytes);
  std::array<std::byte, 9> first{};
  const bool long_enough = file.size() >= first.size();
  if (long_enough) file.read_at(0, first);
  if (!long_enough || !TorchFile::recognises(first))
    return detail::named_as_ours(
        detail::without_entry(SafeTensors::from(file, path, {.file_bytes = options.file_bytes}), options), options);
  const FileBytes source(file);
  return detail::named_as_ours(TorchFile(source, path, options).state_dict(options.entry), options);
}

/// The same from memory; `name` stands for the file in messages.
inline StateDict parse_weights(std::span<const std::byte> bytes, std::string_view name, const ReadOptions& options = {}) {
  if (bytes.size() < 9 || !TorchFile::recognises(bytes.first(9)))
    return detail::named_as_ours(detail::without_entry(SafeTensors::parse(bytes, name), options), options);
  const MemoryBytes source(bytes, "read " + detail::shown_path(name));
  return detail::named_as_ours(TorchFile(source, name, options).state_dict(options.entry), options);
}

}  // namespace minivit::inline MINIVIT_ISA
