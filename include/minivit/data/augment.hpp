// SPDX-License-Identifier: MIT
// Training transforms: their settings in one value; random crop with zero padding, horizontal flip and normalisation for one
// image; mixup and cutmix with label smoothing for a batch (as timm does them for the published models). Every choice is a
// function of the random stream that is passed in. What RandAugment, erasing and resized crops add is in augment_image.hpp.
#pragma once

#include <minivit/core/random.hpp>
#include <minivit/data/preprocess.hpp>
#include <minivit/data/rand_augment.hpp>
#include <minivit/data/random_erasing.hpp>
#include <minivit/data/resized_crop.hpp>

#include <cmath>

namespace minivit::inline MINIVIT_ISA {

/// Everything that is done to training images, in this order. The defaults only normalise.
struct Augmentation {
  int padding = 0;  ///< zeros around the image before a random crop to the old size; 4 is usual at 32x32
  std::optional<ResizedCrop> resized_crop{};  ///< instead of padding; none: off
  bool flip = false;                          ///< mirror half of the images
  std::optional<RandAugment> rand_augment{};  ///< on 8-bit pixels, filled with the mean colour of `preprocessing`; none: off
  RandomErasing erasing{};                    ///< after normalising; off by default
  double mixup = 0;                           ///< alpha of mixup; 0 off
  double cutmix = 0;                          ///< alpha of cutmix; 0 off
  double mix_probability = 1;                 ///< share of the batches that are mixed at all
  double switch_probability = 0.5;            ///< share of the mixed batches that use cutmix when both are on
  double smoothing = 0;                       ///< label smoothing s of the targets
  Preprocessing preprocessing{};              ///< mean and deviation for normalising
  bool operator==(const Augmentation&) const = default;  ///< equal in every field
};

/// Throws Error that names the field when a value makes no sense.
inline void check(const Augmentation& a) {
  const auto require = [](bool good, const char* field, const char* expected, double found) {
    if (!good) detail::fail_with("augmentation", std::string("wrong ") + field, expected, std::to_string(found));
  };
  const auto share = [](double p) { return p >= 0 && p <= 1; };
  require(a.padding >= 0 && a.padding <= detail::max_image_side, "padding", "0 or more", a.padding);
  require(a.mixup >= 0 && std::isfinite(a.mixup), "mixup", "0 or more", a.mixup);
  require(a.cutmix >= 0 && std::isfinite(a.cutmix), "cutmix", "0 or more", a.cutmix);
  require(share(a.mix_probability), "mix_probability", "0 to 1", a.mix_probability);
  require(share(a.switch_probability), "switch_probability", "0 to 1", a.switch_probability);
  require(a.smoothing >= 0 && a.smoothing < 1, "smoothing", "0 or more, below 1", a.smoothing);
  for (std::size_t c = 0; c < 3; ++c) require(a.preprocessing.std[c] > 0, "std", "more than 0", a.preprocessing.std[c]);
  if (a.rand_augment) check(*a.rand_augment);
  check(a.erasing);
  if (!a.resized_crop) return;
  check(*a.resized_crop);
  require(a.padding == 0, "padding", "0 beside a resized crop", a.padding);
}

/// Where a crop lies in the padded image and whether it is mirrored.
struct CropFlip {
  int x = 0, y = 0;     ///< offset in the padded image, 0 .. 2 * padding; `padding` means no shift
  bool mirror = false;  ///< columns run from right to left
};

/// Draws where the image of stream `random` is cut and whether it is mirrored, from a.padding and a.flip.
inline CropFlip draw_crop_flip(const Augmentation& a, const Random& random) {
  const Index places = 2 * Index{a.padding} + 1;
  return {.x = static_cast<int>(random.below(0, places)),
          .y = static_cast<int>(random.below(1, places)),
          .mirror = a.flip && random.uniform(2) < 0.5};
}

/// One image: crop of the zero-padded planes `pixels` (C, S, S), mirrored when asked, normalised. The padding is black
/// (pixel value 0 before normalisation), as in torchvision.
template <int C, int S>
void crop_flip_normalise(const std::uint8_t* pixels, int padding, const CropFlip& where, const Preprocessing& normalisation,
                         View<float, C, S, S> out) {
  static_assert(C == 3, "crop_flip_normalise: images have three channels");
  for (int c = 0; c < C; ++c) {
    const auto values = normalisation.table(c);
    for (int y = 0; y < S; ++y) {
      const int from_y = y + where.y - padding;
      const std::uint8_t* const row = pixels + (Index{c} * S + from_y) * S;
      for (int x = 0; x < S; ++x) {
        const int from_x = (where.mirror ? S - 1 - x : x) + where.x - padding;
        const bool inside = from_y >= 0 && from_y < S && from_x >= 0 && from_x < S;
        out(c, y, x) = values[inside ? row[from_x] : 0];
      }
    }
  }
}

/// Gamma(shape, 1) by Marsaglia and Tsang (ACM TOMS 26, 2000). Precondition: shape > 0.
inline double draw_gamma(double shape, Random& random) {
  if (shape < 1) {
    const double g = draw_gamma(shape + 1, random);
    return g * std::pow(1.0 - random.next(), 1.0 / shape);
  }
  const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
  for (std::uint64_t i = 0;; ++i) {
    const double x = random.fork("normal").normal(i), t = 1.0 + c * x;
    if (t <= 0) continue;
    const double v = t * t * t, u = 1.0 - random.fork("accept").uniform(i);
    if (std::log(u) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
  }
}

/// Beta(alpha, alpha): how much of an image stays. Precondition: alpha > 0.
inline double draw_beta(double alpha, const Random& random) {
  Random first = random.fork("a"), second = random.fork("b");
  const double a = draw_gamma(alpha, first), b = draw_gamma(alpha, second);
  return a + b > 0 ? a / (a + b) : (random.uniform(0) < 0.5 ? 0.0 : 1.0);  // tiny alpha: both underflow
}

/// What happens to a whole batch. Image i is mixed with image B-1-i.
struct Mix {
  /// Which pixels come from the partner.
  enum class Kind {
    none,   ///< none: the image stays as it is
    mixup,  ///< all, weighted with 1 - lambda
    cutmix  ///< those of a box
  };
  Kind kind = Kind::none;                        ///< how this batch is mixed
  double lambda = 1;                             ///< share of the image's own label
  int top = 0, bottom = 0, left = 0, right = 0;  ///< cutmix: rows [top, bottom), columns [left, right) of the partner
};

/// The cutmix box of area about (1 - lambda) around (centre_x, centre_y), clipped; lambda becomes the share that is left.
inline Mix cutmix_box(double lambda, int centre_x, int centre_y, int side) {
  const int half = static_cast<int>(side * std::sqrt(1.0 - lambda)) / 2;
  const auto clip = [side](int v) { return std::clamp(v, 0, side); };
  Mix mix{.kind = Mix::Kind::cutmix,
          .lambda = 1,
          .top = clip(centre_y - half),
          .bottom = clip(centre_y + half),
          .left = clip(centre_x - half),
          .right = clip(centre_x + half)};
  const int area = (mix.bottom - mix.top) * (mix.right - mix.left);
  mix.lambda = 1.0 - static_cast<double>(area) / (static_cast<double>(side) * side);
  return mix;
}

/// Draws what happens to a batch of images of `side` pixels: whether it is mixed, how, with which lambda and box.
inline Mix draw_mix(const Augmentation& a, int side, const Random& random) {
  if ((a.mixup <= 0 && a.cutmix <= 0) || random.uniform(0) >= a.mix_probability) return {};
  const bool cut = a.cutmix > 0 && (a.mixup <= 0 || random.uniform(1) < a.switch_probability);
  const double lambda = draw_beta(cut ? a.cutmix : a.mixup, random.fork("lambda"));
  if (!cut) return {.kind = Mix::Kind::mixup, .lambda = lambda};
  return cutmix_box(lambda, static_cast<int>(random.below(2, side)), static_cast<int>(random.below(3, side)), side);
}

/// Mixes each image of a batch with its partner in the reversed batch, in place.
template <int C, int S>
void apply_mix(const Mix& mix, View<float, Dyn, C, S, S> images) {
  if (mix.kind == Mix::Kind::none) return;
  const Index batch = images.batch();
  const auto own = static_cast<float>(mix.lambda), other = static_cast<float>(1.0 - mix.lambda);
  for (Index i = 0; i < (batch + 1) / 2; ++i) {
    const auto a = images[i], b = images[batch - 1 - i];  // (C, S, S)
    if (mix.kind == Mix::Kind::mixup) {
      for (Index k = 0; k < a.size(); ++k) {
        const float p = a.data()[k], q = b.data()[k];
        a.data()[k] = p * own + q * other;
        b.data()[k] = q * own + p * other;
      }
    } else if (i != batch - 1 - i) {
      for (int c = 0; c < C; ++c)
        for (int y = mix.top; y < mix.bottom; ++y)
          for (int x = mix.left; x < mix.right; ++x) std::swap(a(c, y, x), b(c, y, x));
    }
  }
}

/// Soft targets: `on = 1 - s + s/K` for the label, `off = s/K` elsewhere, mixed like the images.
/// Precondition: labels lie in [0, K); as many labels as rows.
template <int K>
void fill_targets(const Mix& mix, double smoothing, const std::vector<std::int32_t>& labels, View<float, Dyn, K> targets) {
  const double off = smoothing / K, on = 1.0 - smoothing + off;
  const Index batch = targets.batch();
  for (Index i = 0; i < batch; ++i) {
    const auto own = labels[static_cast<std::size_t>(i)], other = labels[static_cast<std::size_t>(batch - 1 - i)];
    for (int k = 0; k < K; ++k)
      targets(i, k) = static_cast<float>(mix.lambda * (k == own ? on : off) + (1.0 - mix.lambda) * (k == other ? on : off));
  }
}

}  // namespace minivit::inline MINIVIT_ISA
