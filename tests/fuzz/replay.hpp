// SPDX-License-Identifier: MIT
// Feeds a target its corpus: a tar archive (POSIX ustar) of plain files, as run.sh writes it.
#pragma once

#include "../fixtures.hpp"

#include <minivit/core/file.hpp>

#include <charconv>
#include <filesystem>
#include <span>
#include <string>

namespace fuzz {

/// Calls target(bytes) for every file of the corpus of that name; returns how many there are.
template <class Target>
int replay(const std::string& name, Target&& target) {
  constexpr std::size_t block = 512, size_at = 124, size_digits = 11, type_at = 156;
  const auto path = std::filesystem::path(fixtures::folder()).parent_path() / "fuzz" / "corpus" / (name + ".tar");
  const auto archive = minivit::read_file(path, 64 << 20);
  const auto* const text = reinterpret_cast<const char*>(archive.data());
  int count = 0;
  for (std::size_t at = 0; at + block <= archive.size() && text[at] != '\0';) {  // a block of zeros is the end
    std::size_t size = 0;
    std::from_chars(text + at + size_at, text + at + size_at + size_digits, size, 8);
    const std::size_t content = at + block;
    if (size > archive.size() - content) minivit::fail({.where = path.string(), .what = "the corpus is cut short"});
    if (text[at + type_at] == '0') {
      target(std::span<const std::byte>(archive).subspan(content, size));
      ++count;
    }
    at = content + (size + block - 1) / block * block;
  }
  return count;
}

}  // namespace fuzz
