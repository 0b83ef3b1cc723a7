// SPDX-License-Identifier: MIT
// Prints the results of the chosen version, after the name of its instruction set.
#include "fixed_order.hpp"

#include <cstdio>

int main() { std::printf("%s\n%s", results.isa(), results().c_str()); }
