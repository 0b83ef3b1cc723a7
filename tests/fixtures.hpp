// SPDX-License-Identifier: MIT
// Where the files in tests/fixtures are. One source knows it, so that the others compile to the same in every folder and a
// compiler cache serves them all.
#pragma once

#include <string>

namespace fixtures {

/// The folder tests/fixtures.
const std::string& folder();

/// A file in it.
inline std::string path(const std::string& name) { return folder() + "/" + name; }

}  // namespace fixtures
