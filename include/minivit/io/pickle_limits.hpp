// SPDX-License-Identifier: MIT
// How much of a pickle is read; apart from the reader (pickle_reader.hpp), so that options can name it without compiling
// one.
#pragma once

#include <minivit/core/isa.hpp>

#include <cstddef>

namespace minivit::inline MINIVIT_ISA::pickle {

/// How much of a pickle is read before it is refused. The largest published checkpoints with optimiser state have some
/// 50,000 values.
struct Limits {
  std::size_t bytes = std::size_t{16} << 20;  ///< of the pickle; numbers of tensors stand outside of it
  std::size_t values = 400'000;               ///< put on the stack or remembered: at most 50 MB of memory
  std::size_t marks = 1'000;                  ///< containers begun inside each other; Python itself stops there
};

}  // namespace minivit::inline MINIVIT_ISA::pickle
