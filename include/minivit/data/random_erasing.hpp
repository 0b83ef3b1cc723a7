// SPDX-License-Identifier: MIT
// Random erasing (Zhong et al., AAAI 2020) as timm runs it: a rectangle of some of the normalised images is overwritten with
// normal noise. Every choice is a function of the random stream that is passed in.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/random.hpp>
#include <minivit/data/image_ops.hpp>

#include <algorithm>
#include <optional>

namespace minivit::inline MINIVIT_ISA {

/// Settings of random erasing. Off by default; the published models use probability 0.25 and the defaults.
struct RandomErasing {
  /// timm's pixel (a normal number for each value), rand (one for each channel), const.
  enum class Fill {
    noise,   ///< a normal number for each value
    colour,  ///< one for each channel
    zero     ///< 0, which is the mean
  };
  double probability = 0;                                 ///< share of the images
  Fill fill = Fill::noise;                                ///< what a rectangle is filled with
  int count = 1;                                          ///< rectangles in such an image; they share the area
  double min_area = 0.02;                                 ///< of the image
  double max_area = 1.0 / 3;                              ///< of the image, for all rectangles together
  double min_aspect = 0.3;                                ///< height / width, uniform in its logarithm up to 1 / min_aspect
  bool operator==(const RandomErasing&) const = default;  ///< equal in every field
};

/// Throws Error that names the field when a value makes no sense.
inline void check(const RandomErasing& e) {
  const auto require = [](bool good, const char* field, const char* expected, double found) {
    if (!good)
      fail({.where = "random erasing",
            .what = std::string("wrong ") + field,
            .expected = expected,
            .found = std::to_string(found)});
  };
  require(e.probability >= 0 && e.probability <= 1, "erasing probability", "0 to 1", e.probability);
  require(e.count >= 1 && e.count <= 100, "erasing count", "1 to 100", e.count);
  require(e.min_area >= 0 && e.min_area <= e.max_area, "erasing min_area", "0 to max_area", e.min_area);
  require(e.max_area <= 1, "erasing max_area", "at most 1", e.max_area);
  require(e.min_aspect > 0 && e.min_aspect <= 1, "erasing min_aspect", "more than 0, at most 1", e.min_aspect);
}

/// One rectangle in a square image; none when ten drawn shapes were all as high or as wide as the image.
inline std::optional<PixelBox> draw_erase_box(const RandomErasing& e, int side, const Random& random) {
  const double most = std::log(1.0 / e.min_aspect);
  for (std::uint64_t attempt = 0; attempt < 10; ++attempt) {
    const Random r = random.fork(attempt);
    const double share = e.min_area + (e.max_area - e.min_area) * r.uniform(0);
    const double area = share * side * side / e.count, aspect = std::exp(most * (2 * r.uniform(1) - 1));
    const int height = static_cast<int>(std::nearbyint(std::sqrt(area * aspect)));
    const int width = static_cast<int>(std::nearbyint(std::sqrt(area / aspect)));
    if (height < side && width < side)
      return PixelBox{.top = static_cast<int>(r.below(2, side - height + 1)),
                      .left = static_cast<int>(r.below(3, side - width + 1)),
                      .height = height,
                      .width = width};
  }
  return {};
}

/// Erases parts of a normalised image, or not. `random`: the image's stream for erasing.
template <int C, int S>
void erase_randomly(const RandomErasing& e, const Random& random, View<float, C, S, S> image) {
  if (!(random.uniform(0) < e.probability)) return;
  for (int k = 0; k < e.count; ++k) {
    const Random stream = random.fork(static_cast<std::uint64_t>(k));
    const auto box = draw_erase_box(e, S, stream.fork("box"));
    if (!box) continue;
    const Random noise = stream.fork("noise");
    std::uint64_t i = 0;
    for (int c = 0; c < C; ++c) {
      const auto colour = e.fill == RandomErasing::Fill::colour
                              ? static_cast<float>(noise.normal(static_cast<std::uint64_t>(c)))
                              : 0.0F;
      for (int y = box->top; y < box->top + box->height; ++y)
        for (int x = box->left; x < box->left + box->width; ++x)
          image(c, y, x) = e.fill == RandomErasing::Fill::noise ? static_cast<float>(noise.normal(i++)) : colour;
    }
  }
}

}  // namespace minivit::inline MINIVIT_ISA
