// SPDX-License-Identifier: MIT
// What the program sees of the functions that are compiled for each instruction set.
#pragma once

#include <minivit/core/dispatch.hpp>

#include <string>
#include <vector>

/// The instruction set that a version says it was compiled for, and the logits of a small model for a made-up image.
struct Answer {
  std::string isa;
  std::vector<float> logits;
};

MINIVIT_DISPATCH(answer, Answer());
MINIVIT_DISPATCH(refuse, void(const std::string& what));  ///< throws std::runtime_error
