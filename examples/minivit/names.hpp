// SPDX-License-Identifier: MIT
// Names that strangers chose, such as those of classes in their weights and lists: how they may be shown.
#pragma once

#include <minivit/core/errors.hpp>

#include <string>

namespace cli {

/// `name` in a table: no control characters, which could rewrite the terminal, and not long.
inline std::string shown(const std::string& name) { return minivit::printable(name, 60); }

/// `name` as a part of a file name: it leads to no other folder.
inline std::string file_name(std::string name) {
  for (char& c : name)
    if (c == '/' || c == '\\' || static_cast<unsigned char>(c) <= ' ') c = '_';
  return name;
}

}  // namespace cli
