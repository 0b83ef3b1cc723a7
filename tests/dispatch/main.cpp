// SPDX-License-Identifier: MIT
// Prints the chosen instruction set, what the version itself says of it, and the logits; an error thrown inside arrives
// here.
#include "logits.hpp"

#include <cstdio>
#include <exception>

int main() {
  try {
    const Answer a = answer();
    std::printf("%s %s", answer.isa(), a.isa.c_str());
    for (const float v : a.logits) std::printf(" %.7g", static_cast<double>(v));
    std::printf("\n");
  } catch (const std::exception& e) {
    std::printf("error: %s\n", e.what());
    return 1;
  }
  try {
    refuse("as it should");
  } catch (const std::exception& e) {
    std::printf("%s\n", e.what());
    return 0;
  }
  return 2;
}
