// SPDX-License-Identifier: MIT
// What the program sees of the function that is compiled for each instruction set, with minivit::fixed_order.
#pragma once

#include <minivit/core/dispatch.hpp>

#include <string>

/// A line for each of many results of small models: its name, a number made of all its bits, and its first value.
MINIVIT_DISPATCH(results, std::string());
