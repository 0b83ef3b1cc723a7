// SPDX-License-Identifier: MIT
// Inputs that the parity fixtures define by name instead of storing them: kind `input` of their generator.
#pragma once

#include "../fixtures.hpp"

#include <minivit/core/buffer.hpp>
#include <minivit/core/random.hpp>

#include <string>

namespace fixtures {

/// `count` numbers of kind `input`, rounded to float as the reference saw them.
template <class T>
minivit::Buffer<T> input(std::string_view key, minivit::Index count) {
  minivit::Buffer<T> out(count);
  for (minivit::Index i = 0; i < count; ++i) {
    const auto bits = minivit::mix_bits(minivit::hash_name(key) + static_cast<std::uint64_t>(i + 1) * 0x9E3779B97F4A7C15u);
    out.data()[i] = static_cast<T>(static_cast<float>(2 * (static_cast<double>(bits >> 11) * 0x1p-52 - 1)));
  }
  return out;
}

}  // namespace fixtures
