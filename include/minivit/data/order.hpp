// SPDX-License-Identifier: MIT
// The order in which a data set is visited: a shuffle by counter-based keys, the same on every machine and with every
// standard library, and its cut into batches.
#pragma once

#include <minivit/core/random.hpp>

#include <range/v3/view/chunk.hpp>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// The numbers 0 .. count-1, ordered by a random key each; equal keys keep their order.
inline std::vector<Index> shuffled(Index count, const Random& random) {
  std::vector<std::pair<std::uint64_t, Index>> keyed;
  keyed.reserve(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) keyed.emplace_back(random.bits(static_cast<std::uint64_t>(i)), i);
  std::sort(keyed.begin(), keyed.end());
  std::vector<Index> order(keyed.size());
  std::transform(keyed.begin(), keyed.end(), order.begin(), [](const auto& pair) { return pair.second; });
  return order;
}

/// `count` of the numbers 0 .. total-1, chosen by random keys, in rising order; all of them when count is 0 or too large.
inline std::vector<Index> sample_of(Index total, Index count, const Random& random) {
  if (count <= 0 || count >= total) {
    std::vector<Index> all(static_cast<std::size_t>(total));
    std::iota(all.begin(), all.end(), Index{0});
    return all;
  }
  std::vector<Index> sample = shuffled(total, random);
  sample.resize(static_cast<std::size_t>(count));
  std::sort(sample.begin(), sample.end());
  return sample;
}

/// Images of an epoch: all, or with repeated augmentation as many as the reference takes (DeiT's RASampler), whole groups of
/// 256 of the data set's size, so that an epoch stays as long and sees a part of the images only. Smaller sets keep their
/// size, where the reference would be left with nothing.
constexpr Index epoch_images(Index images, int repeats) {
  return repeats > 1 && images >= 256 ? images / 256 * 256 : images;
}

/// The first `count` numbers when each number of the order stands `repeats` times in a row.
/// Precondition: count <= repeats * order.size().
inline std::vector<Index> repeated(const std::vector<Index>& order, int repeats, Index count) {
  std::vector<Index> images(static_cast<std::size_t>(count));
  for (Index i = 0; i < count; ++i) images[static_cast<std::size_t>(i)] = order[static_cast<std::size_t>(i / repeats)];
  return images;
}

/// Batches of an epoch: all whole ones, and the shorter last one unless it is dropped.
constexpr Index batch_count(Index images, Index batch, bool drop_last) {
  return drop_last ? images / batch : (images + batch - 1) / batch;
}

/// An order cut into batches; the last may be shorter. Random access: `batches_of(order, 32)[3]`. Keeps a reference.
inline auto batches_of(const std::vector<Index>& order, Index batch) { return ranges::views::chunk(order, batch); }

}  // namespace minivit::inline MINIVIT_ISA
