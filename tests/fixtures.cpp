// SPDX-License-Identifier: MIT
#include "fixtures.hpp"

namespace fixtures {

const std::string& folder() {
  static const std::string name = MINIVIT_TEST_FIXTURES;
  return name;
}

}  // namespace fixtures
