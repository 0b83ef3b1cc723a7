// SPDX-License-Identifier: MIT
// Random resized crop (torchvision's RandomResizedCrop, as timm uses it): a part of the image, of random area and
// proportions, at the size of the whole. The resizing equals Pillow's crop and resize to the last bit. Stored images are
// square and as large as the model's, so a crop is only ever enlarged.
#pragma once

#include <minivit/core/random.hpp>
#include <minivit/data/image_ops.hpp>
#include <minivit/data/resize.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Settings of the random resized crop; the defaults are those of the published models. At 32 x 32 a smallest area of 0.08
/// leaves 9 x 9 pixels; DeiT takes padding instead there.
struct ResizedCrop {
  double min_area = 0.08;                                ///< of the image, uniform
  double max_area = 1;                                   ///< of the image
  double min_ratio = 3.0 / 4;                            ///< width / height, uniform in its logarithm
  double max_ratio = 4.0 / 3;                            ///< width / height
  Interpolation interpolation = Interpolation::bicubic;  ///< filter of the enlarging
  bool operator==(const ResizedCrop&) const = default;   ///< equal in every field
};

/// Throws Error that names the field when a value makes no sense.
inline void check(const ResizedCrop& r) {
  const auto require = [](bool good, const char* field, const char* expected, double found) {
    if (!good) detail::fail_with("resized crop", std::string("wrong ") + field, expected, std::to_string(found));
  };
  require(r.min_area > 0 && r.min_area <= r.max_area, "crop min_area", "more than 0, at most max_area", r.min_area);
  require(r.max_area <= 1, "crop max_area", "at most 1", r.max_area);
  require(r.min_ratio > 0 && r.min_ratio <= r.max_ratio, "crop min_ratio", "more than 0, at most max_ratio", r.min_ratio);
  require(std::isfinite(r.max_ratio), "crop max_ratio", "a finite number", r.max_ratio);
}

/// The part of a square image that is kept. After ten shapes that did not fit: the largest middle part of a ratio that is
/// allowed.
inline PixelBox draw_resized_crop(const ResizedCrop& r, int side, const Random& random) {
  const auto whole = [](double x) { return static_cast<int>(std::nearbyint(x)); };
  for (std::uint64_t attempt = 0; attempt < 10; ++attempt) {
    const Random draw = random.fork(attempt);
    const double area = (r.min_area + (r.max_area - r.min_area) * draw.uniform(0)) * side * side;
    const double low = std::log(r.min_ratio), ratio = std::exp(low + (std::log(r.max_ratio) - low) * draw.uniform(1));
    const double width = std::nearbyint(std::sqrt(area * ratio)), height = std::nearbyint(std::sqrt(area / ratio));
    if (!(width > 0 && width <= side && height > 0 && height <= side)) continue;
    PixelBox box{.height = whole(height), .width = whole(width)};
    box.top = static_cast<int>(draw.below(2, side - box.height + 1));
    box.left = static_cast<int>(draw.below(3, side - box.width + 1));
    return box;
  }
  PixelBox box{.height = side, .width = side};
  if (r.min_ratio > 1) box.height = std::max(whole(side / r.min_ratio), 1);
  if (r.max_ratio < 1) box.width = std::max(whole(side * r.max_ratio), 1);
  box.top = (side - box.height) / 2;
  box.left = (side - box.width) / 2;
  return box;
}

/// Memory of resize_box; after the first use with a side and a filter it does not grow.
struct ResizeScratch {
  detail::ResizeTaps across, down;  ///< taps of both passes
  std::vector<std::uint8_t> rows;   ///< (box height, side) of one channel
  std::vector<int> sums;            ///< (side)
};

/// Writes the pixels of `box` in the planes `from` (3, S, S) to `to`, enlarged to S x S, as Pillow's crop and resize.
/// Precondition: the box lies in the image and is not empty; the planes do not overlap.
inline void resize_box(const std::uint8_t* from, const PixelBox& box, Interpolation kind, ResizeScratch& scratch,
                       PixelPlanes to) {
  const int side = to.side;
  const auto at = [](const std::vector<int>& list, int i) { return list[static_cast<std::size_t>(i)]; };
  if (box.width < side) detail::fill_resize_taps(scratch.across, box.width, side, kind);
  if (box.height < side) detail::fill_resize_taps(scratch.down, box.height, side, kind);
  scratch.rows.resize(static_cast<std::size_t>(to.plane()));
  scratch.sums.resize(static_cast<std::size_t>(side));
  for (int c = 0; c < 3; ++c) {
    for (int y = 0; y < box.height; ++y) {
      const std::uint8_t* const row = from + c * to.plane() + Index{box.top + y} * side + box.left;
      std::uint8_t* const out = scratch.rows.data() + Index{y} * side;
      if (box.width == side) std::copy_n(row, side, out);
      for (int x = 0; x < side && box.width < side; ++x) {
        const int* const weights = scratch.across.weights.data() + Index{x} * scratch.across.most;
        const std::uint8_t* const first = row + at(scratch.across.first, x);
        int sum = 1 << 21;
        for (int k = 0; k < at(scratch.across.count, x); ++k) sum += weights[k] * first[k];
        out[x] = detail::resize_clip(sum);
      }
    }
    if (box.height == side) std::copy(scratch.rows.begin(), scratch.rows.end(), to.channel(c));
    for (int y = 0; y < side && box.height < side; ++y) {
      std::fill(scratch.sums.begin(), scratch.sums.end(), 1 << 21);
      for (int k = 0; k < at(scratch.down.count, y); ++k) {
        const int weight = scratch.down.weights[static_cast<std::size_t>(y * scratch.down.most + k)];
        const std::uint8_t* const row = scratch.rows.data() + Index{at(scratch.down.first, y) + k} * side;
        for (int x = 0; x < side; ++x) scratch.sums[static_cast<std::size_t>(x)] += weight * row[x];
      }
      std::transform(scratch.sums.begin(), scratch.sums.end(), to.channel(c) + Index{y} * side, detail::resize_clip);
    }
  }
}

}  // namespace minivit::inline MINIVIT_ISA
