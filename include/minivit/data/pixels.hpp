// SPDX-License-Identifier: MIT
// Image: 8-bit RGB pixels in memory. As files: image.hpp reads them, image_write.hpp writes them.
#pragma once

#include <minivit/core/view.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// Pixels in rows from top to bottom, each pixel red, green, blue.
struct Image {
  int width = 0;                  ///< pixels in a row
  int height = 0;                 ///< rows
  std::vector<std::uint8_t> rgb;  ///< (height, width, 3)

  Image() = default;  ///< no pixels
  /// A black image. Precondition: both sides are positive.
  Image(int w, int h) : width(w), height(h), rgb(static_cast<std::size_t>(w) * static_cast<std::size_t>(h) * 3) {}
  std::uint8_t* row(int y) { return rgb.data() + Index{y} * width * 3; }              ///< precondition: 0 <= y < height
  const std::uint8_t* row(int y) const { return rgb.data() + Index{y} * width * 3; }  ///< same, to read
  bool operator==(const Image&) const = default;                                      ///< same size and pixels
};

}  // namespace minivit::inline MINIVIT_ISA
