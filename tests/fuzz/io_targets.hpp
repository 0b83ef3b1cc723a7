// SPDX-License-Identifier: MIT
// Fuzz targets of the floor io: each takes bytes from a stranger. run.sh fuzzes them, tests/io/fuzz_replay_test.cpp replays
// what was found.
#pragma once

#include "../scratch_folder.hpp"
#include "check.hpp"

#include <minivit/io/checkpoint.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

#include <fstream>
#include <optional>
#include <string>

namespace fuzz {

using Bytes = std::span<const std::byte>;

/// A dictionary inside another one, as ReadOptions::entry names it; seeds_torch.cpp has some of that name.
inline constexpr const char* entry_name = "ema.state.";

/// Both hold the same tensors.
inline bool equal(const mv::StateDict& a, const mv::StateDict& b) {
  return std::ranges::equal(a.tensors(), b.tensors(), [&](const mv::TensorInfo& x, const mv::TensorInfo& y) {
    const auto in_a = a.packed(x), in_b = b.packed(y);
    return x.name == y.name && x.dtype == y.dtype && x.shape == y.shape && std::ranges::equal(in_a, in_b);
  });
}

/// A file of weights of any kind: every tensor is read, and what the metadata say. From memory and from a disk, with the
/// same outcome; then one dictionary by its name.
inline void weights(Bytes bytes) {
  static const scratch::Folder folder;
  static const std::string path = folder / input_name;
  std::optional<mv::StateDict> from_disk;
  std::ofstream(path, std::ios::binary).write(as_text(bytes).data(), static_cast<std::streamsize>(bytes.size()));
  refuse_or_accept([&] { from_disk = mv::open_weights(path); });
  refuse_or_accept([&] {
    const mv::StateDict file = mv::parse_weights(bytes, input_name);
    if (!from_disk || !equal(file, *from_disk)) std::abort();
    from_disk.reset();
    for (const mv::TensorInfo& tensor : file.tensors()) {
      const auto packed = file.packed(tensor);
      look_at(packed.data(), static_cast<std::size_t>(packed.size()));
      refuse_or_accept([&] { file.read<float>(tensor.name); });
      refuse_or_accept([&] { file.read<double>(tensor.name); });
      refuse_or_accept([&] { file.read<std::int64_t>(tensor.name); });
    }
    refuse_or_accept([&] {
      const auto config = mv::read_config(file);
      const mv::CheckpointInfo info = mv::read_info(file);
      if (config) mv::metadata_of(*config, info, file.where());
    });
  });
  if (from_disk) std::abort();  // only there
  refuse_or_accept([&] { mv::parse_weights(bytes, input_name, {.entry = entry_name}); });
}

using ViT = mv::ViT<mv::ViTConfig{.image = 8,
                                  .patch = 4,
                                  .dim = 4,
                                  .depth = 2,
                                  .heads = 2,
                                  .mlp_ratio = 1,
                                  .classes = 2,
                                  .sharing = {.repeat = 2, .mix_heads = true}}>;
using Swin = mv::Swin<mv::SwinConfig{.image = 8,
                                     .patch = 2,
                                     .dim = 4,
                                     .depths = {2, 1},
                                     .heads = {1, 2},
                                     .blocks = {2, 1},
                                     .window = 2,
                                     .mlp_ratio = 1,
                                     .classes = 2}>;

/// The same, loaded into small models with everything adapted that may be.
inline void model(Bytes bytes) {
  refuse_or_accept([&] {
    const mv::StateDict file = mv::parse_weights(bytes, input_name);
    const mv::LoadOptions adapted{.replace_head = true, .resample = true};
    refuse_or_accept([&] { mv::load<ViT>(file, adapted); });
    refuse_or_accept([&] { mv::load<Swin>(file, adapted); });
    refuse_or_accept([&] {
      for (const std::string& line : mv::report_of<ViT>(file).lines()) look_at(line.data(), line.size());
    });
  });
}

/// A pickle by itself.
inline void pickle(Bytes bytes) {
  refuse_or_accept([&] {
    const mv::pickle::Object object = mv::pickle::read(as_text(bytes), input_name);
    for (std::size_t i = 0; i < object.node_count(); ++i)
      for (const auto& value : object.node(i)) look_at(object.describe(value).data(), object.describe(value).size());
  });
}

/// Configs and preprocessing as JSON. What was read is written and read again: the same.
inline void settings(Bytes bytes) {
  refuse_or_accept([&] {
    const mv::AnyConfig config = mv::config_from_json(as_text(bytes), input_name);
    if (mv::config_from_json(mv::to_json(config), input_name) != config) std::abort();
  });
  refuse_or_accept([&] {
    const mv::Preprocessing how = mv::preprocessing_from_json(as_text(bytes), input_name);
    if (mv::preprocessing_from_json(mv::to_json(how), input_name) != how) std::abort();
  });
}

}  // namespace fuzz
