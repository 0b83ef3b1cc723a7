// SPDX-License-Identifier: MIT
// All that is done to one training image, from stored 8-bit planes to what the model reads: resized crop or crop with
// padding, flip, RandAugment, normalisation, erasing, in timm's order. Mixing whole batches is in augment.hpp.
#pragma once

#include <minivit/data/augment.hpp>

namespace minivit::inline MINIVIT_ISA {

/// Memory in which one thread augments images of side S, one after the other.
template <int S>
struct AugmentScratch {
  /// As much as `a` needs: none for crop, flip and erasing alone.
  explicit AugmentScratch(const Augmentation& a) : pixels(a.rand_augment || a.resized_crop ? 6 * S * S : 0) {}
  PixelPlanes image() { return {pixels.data(), S}; }              ///< planes that are worked on
  PixelPlanes other() { return {pixels.data() + 3 * S * S, S}; }  ///< planes for operations that cannot work in place

  std::vector<std::uint8_t> pixels;  ///< two images
  ResizeScratch resize;              ///< of resized crops
};

/// The crop of crop_flip_normalise on 8-bit planes, not normalised.
inline void crop_flip(const std::uint8_t* pixels, int padding, const CropFlip& where, PixelPlanes out) {
  const int side = out.side;
  for (int c = 0; c < 3; ++c)
    for (int y = 0; y < side; ++y) {
      const int from_y = y + where.y - padding;
      const std::uint8_t* const row = pixels + (Index{c} * side + from_y) * side;
      std::uint8_t* const to = out.channel(c) + Index{y} * side;
      for (int x = 0; x < side; ++x) {
        const int from_x = (where.mirror ? side - 1 - x : x) + where.x - padding;
        to[x] = from_y >= 0 && from_y < side && from_x >= 0 && from_x < side ? row[from_x] : std::uint8_t{0};
      }
    }
}

/// Everything that is done to one image (C, S, S) before its batch is mixed. `random`: the image's own stream; `scratch`:
/// made for the same `a`, not used by another thread at the same time.
template <int C, int S>
void augment_image(const Augmentation& a, const std::uint8_t* pixels, const Random& random, AugmentScratch<S>& scratch,
                   View<float, C, S, S> out) {
  const CropFlip where = draw_crop_flip(a, random);
  if (a.rand_augment || a.resized_crop) {
    PixelPlanes image = scratch.image(), other = scratch.other();
    if (a.resized_crop) {
      const PixelBox box = draw_resized_crop(*a.resized_crop, S, random.fork("resized_crop"));
      resize_box(pixels, box, a.resized_crop->interpolation, scratch.resize, other);
      crop_flip(other.data, 0, {.mirror = where.mirror}, image);
    } else {
      crop_flip(pixels, a.padding, where, image);
    }
    if (a.rand_augment)
      rand_augment(*a.rand_augment, random.fork("rand_augment"), image, other, mean_colour(a.preprocessing));
    crop_flip_normalise<C, S>(image.data, 0, {}, a.preprocessing, out);
  } else {
    crop_flip_normalise<C, S>(pixels, a.padding, where, a.preprocessing, out);
  }
  erase_randomly<C, S>(a.erasing, random.fork("erasing"), out);
}

}  // namespace minivit::inline MINIVIT_ISA
