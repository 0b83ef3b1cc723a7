// SPDX-License-Identifier: MIT
// CIFAR-10 in its binary form (Krizhevsky, 2009): data_batch_1.bin ... data_batch_5.bin and test_batch.bin, records of
// one label byte and 3072 pixel bytes in planes. Names come from batches.meta.txt when it is there.
#pragma once

#include <minivit/data/dataset.hpp>

namespace minivit::inline MINIVIT_ISA {

inline std::vector<std::string> cifar10_class_names() {
  return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
}

/// Appends the records of one CIFAR-10 binary file. Throws Error that names the file (and the record): the size is not
/// a positive multiple of 3073 bytes, or a label is above 9.
inline void append_cifar10_file(Dataset& data, const std::filesystem::path& path) {
  constexpr std::size_t pixels = 3072, record = pixels + 1;
  const auto bytes = read_file(path, std::uint64_t{1} << 30);
  const std::string where = "load " + path.string();
  if (bytes.empty() || bytes.size() % record != 0)
    detail::fail_with(where, "not a CIFAR-10 binary file", "a size that is a multiple of 3073 bytes",
                      std::to_string(bytes.size()));
  const std::size_t count = bytes.size() / record, had = data.labels.size();
  data.labels.resize(had + count);
  data.pixels.resize((had + count) * pixels);
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte* const from = bytes.data() + i * record;
    const int label = std::to_integer<int>(from[0]);
    if (label >= data.classes) {
      const std::string what = "record " + std::to_string(i) + " has a label out of range";
      detail::fail_with(where, what, "0 to 9", std::to_string(label));
    }
    data.labels[had + i] = label;
    std::memcpy(data.pixels.data() + (had + i) * pixels, from + 1, pixels);
  }
}

/// One split of CIFAR-10 from a folder with the binary files, 32x32.
inline Dataset load_cifar10(const std::filesystem::path& folder, Split split) {
  Dataset data(0, 32, cifar10_class_names());
  if (const auto names = folder / "batches.meta.txt"; std::filesystem::is_regular_file(names)) {
    const auto bytes = read_file(names, 4096);
    std::vector<std::string> found(1);
    for (const std::byte b : bytes) {
      const char c = static_cast<char>(std::to_integer<unsigned char>(b));
      if (c == '\n' && !found.back().empty()) found.emplace_back();
      if (c != '\n' && c != '\r') found.back() += c;
    }
    if (found.back().empty()) found.pop_back();
    if (found.size() == data.class_names.size()) data.class_names = found;
  }
  if (split == Split::test) {
    append_cifar10_file(data, folder / "test_batch.bin");
    return data;
  }
  for (int i = 1; i <= 5; ++i) append_cifar10_file(data, folder / ("data_batch_" + std::to_string(i) + ".bin"));
  return data;
}

}  // namespace minivit::inline MINIVIT_ISA
