// SPDX-License-Identifier: MIT
// coverage FOLDER: gives every file of FOLDER/TARGET to that fuzz target, all in one program; see coverage.sh.
#include "data_targets.hpp"
#include "io_targets.hpp"

#include <minivit/core/file.hpp>

#include <cstdio>
#include <filesystem>
#include <utility>

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: coverage FOLDER\n"), 2;
  using Target = void (*)(std::span<const std::byte>);
  const std::pair<const char*, Target> targets[] = {{"weights", fuzz::weights}, {"model", fuzz::model},
                                                    {"pickle", fuzz::pickle},   {"settings", fuzz::settings},
                                                    {"image", fuzz::image},     {"lists", fuzz::lists}};
  for (const auto& [name, target] : targets)
    for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(argv[1]) / name))
      target(minivit::read_file(entry.path(), 1 << 24));
}
