// SPDX-License-Identifier: MIT
// main() of every test program where Catch2 2 was installed without its own.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
