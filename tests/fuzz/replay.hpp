// SPDX-License-Identifier: MIT
// Feeds a target the files of its corpus.
#pragma once

#include <minivit/core/file.hpp>

#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace fuzz {

/// Calls target(bytes) for every file of the corpus of that name; returns how many there are.
template <class Target>
int replay(const std::string& name, Target&& target) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(MINIVIT_TEST_FIXTURES).parent_path() / "fuzz" / "corpus" / name)) files.push_back(entry.path());
  std::ranges::sort(files);
  for (const auto& file : files) {
    const auto bytes = minivit::read_file(file, 1 << 20);
    target(std::span<const std::byte>(bytes));
  }
  return static_cast<int>(files.size());
}

}  // namespace fuzz
