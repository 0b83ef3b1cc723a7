// SPDX-License-Identifier: MIT
// RandAugment (Cubuk et al., CVPR Workshops 2020) as timm runs it for the published models, `rand-m9-mstd0.5-inc1`: a few of
// the 15 operations of its "increasing" set, drawn with replacement, each with a magnitude of its own. Every choice is a
// function of the random stream that is passed in. timm's other set, in which some operations grow weaker with the
// magnitude, is not built.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/random.hpp>
#include <minivit/data/affine.hpp>

#include <charconv>
#include <limits>
#include <optional>
#include <utility>

namespace minivit::inline MINIVIT_ISA {

/// Settings of RandAugment; the defaults are timm's `rand-m9-mstd0.5-inc1`.
struct RandAugment {
  int operations = 2;          ///< drawn for each image
  double magnitude = 9;        ///< in [0, 10]
  double magnitude_std = 0.5;  ///< of each operation's magnitude around `magnitude`; infinite: uniform in [0, magnitude]
  double probability = 0.5;    ///< of each drawn operation to be done at all
  /// How rotated, sheared and moved pixels are read; none: drawn for each operation, timm's default. DeiT sets bicubic.
  std::optional<Interpolation> interpolation{};
  bool operator==(const RandAugment&) const = default;  ///< equal in every field
};

/// timm's increasing set, in its order. In timm's names Posterize, Solarize, Color, Contrast, Brightness and Sharpness end
/// in "Increasing", TranslateX and TranslateY in "Rel".
// clang-format off
enum class ImageOp {
  auto_contrast,  ///< each channel stretched to 0 to 255
  equalize,       ///< each channel's values spread evenly
  invert,         ///< 255 minus the value
  rotate,         ///< around the centre
  posterize,      ///< only the highest bits stay
  solarize,       ///< values from a threshold on are inverted
  solarize_add,   ///< values below 128 get brighter
  colour,         ///< towards grey, or away from it
  contrast,       ///< towards the mean grey, or away from it
  brightness,     ///< towards black, or away from it
  sharpness,      ///< towards a smoothed copy, or away from it
  shear_x,        ///< rows slide
  shear_y,        ///< columns slide
  translate_x,    ///< by a share of the side, to the left or right
  translate_y     ///< likewise, up or down
};
// clang-format on
inline constexpr int image_op_count = 15;  ///< of ImageOp

/// One drawn operation.
struct ImageOpDraw {
  ImageOp op = ImageOp::auto_contrast;                   ///< which of the fifteen
  bool applied = true;                                   ///< false: the image stays as it is
  double magnitude = 0;                                  ///< in [0, 10]
  bool negative = false;                                 ///< direction of what has one
  Interpolation interpolation = Interpolation::bicubic;  ///< for what moves pixels
};

/// What a magnitude means, as in timm: degrees of rotation up to 30, bits kept from 4 down to 0, threshold from 256 down to
/// 0, 0 to 110 added, factors 0.1 to 1.9, shear up to 0.3, shift up to 0.45 of the side. 0 for operations without a
/// strength.
inline double image_op_argument(ImageOp op, double magnitude, bool negative) {
  const double level = magnitude / 10.0, sign = negative ? -1.0 : 1.0;
  const auto scaled = [&](double most) { return image_ops::detail::product(level, most); };
  switch (op) {
    case ImageOp::rotate: return sign * scaled(30.0);
    case ImageOp::posterize: return 4 - static_cast<int>(scaled(4.0));
    case ImageOp::solarize: return 256 - std::min(256, static_cast<int>(scaled(256.0)));
    case ImageOp::solarize_add: return std::min(128, static_cast<int>(scaled(110.0)));
    case ImageOp::colour:
    case ImageOp::contrast:
    case ImageOp::brightness:
    case ImageOp::sharpness: return 1.0 + sign * scaled(0.9);
    case ImageOp::shear_x:
    case ImageOp::shear_y: return sign * scaled(0.3);
    case ImageOp::translate_x:
    case ImageOp::translate_y: return sign * scaled(0.45);
    case ImageOp::auto_contrast:
    case ImageOp::equalize:
    case ImageOp::invert: break;
  }
  return 0;
}

/// Draws one operation. `random`: a stream for this operation of this image.
inline ImageOpDraw draw_image_op(const RandAugment& settings, const Random& random) {
  ImageOpDraw drawn;
  drawn.op = static_cast<ImageOp>(random.below(0, image_op_count));
  drawn.applied = random.uniform(1) < settings.probability;
  const double m = settings.magnitude;
  const double noisy = std::isinf(settings.magnitude_std)
                           ? random.uniform(2) * m
                           : m + image_ops::detail::product(settings.magnitude_std, random.normal(2));
  drawn.magnitude = std::clamp(noisy, 0.0, 10.0);
  drawn.negative = random.uniform(6) < 0.5;  // normal(2) is made of numbers 4 and 5
  const bool bilinear = random.uniform(7) < 0.5;
  drawn.interpolation = settings.interpolation.value_or(bilinear ? Interpolation::bilinear : Interpolation::bicubic);
  return drawn;
}

/// Does one drawn operation. The result is in `image`; the two views may have changed places, and the other's pixels are
/// lost. `fill`: red, green and blue of what comes from outside the image. Precondition: both have the same side and do not
/// overlap.
inline void apply_image_op(const ImageOpDraw& drawn, PixelPlanes& image, PixelPlanes& scratch,
                           const std::array<std::uint8_t, 3>& fill) {
  if (!drawn.applied) return;
  const double argument = image_op_argument(drawn.op, drawn.magnitude, drawn.negative);
  const auto move = [&](const AffineMap& map) {
    image_ops::affine(image, scratch, map, drawn.interpolation, fill);
    std::swap(image, scratch);
  };
  switch (drawn.op) {
    case ImageOp::auto_contrast: return image_ops::auto_contrast(image);
    case ImageOp::equalize: return image_ops::equalize(image);
    case ImageOp::invert: return image_ops::invert(image);
    case ImageOp::rotate: return move(image_ops::rotation(argument, image.side));
    case ImageOp::posterize: return image_ops::posterize(image, static_cast<int>(argument));
    case ImageOp::solarize: return image_ops::solarize(image, static_cast<int>(argument));
    case ImageOp::solarize_add: return image_ops::solarize_add(image, static_cast<int>(argument));
    case ImageOp::colour: return image_ops::colour(image, argument);
    case ImageOp::contrast: return image_ops::contrast(image, argument);
    case ImageOp::brightness: return image_ops::brightness(image, argument);
    case ImageOp::sharpness: return image_ops::sharpness(image, argument, scratch);
    case ImageOp::shear_x: return move(image_ops::shear_x(argument));
    case ImageOp::shear_y: return move(image_ops::shear_y(argument));
    case ImageOp::translate_x: return move(image_ops::translation(argument * image.side, 0));
    case ImageOp::translate_y: return move(image_ops::translation(0, argument * image.side));
  }
}

/// All operations of one image, as apply_image_op. `random`: the image's stream for RandAugment.
inline void rand_augment(const RandAugment& settings, const Random& random, PixelPlanes& image, PixelPlanes& scratch,
                         const std::array<std::uint8_t, 3>& fill) {
  for (int k = 0; k < settings.operations; ++k)
    apply_image_op(draw_image_op(settings, random.fork(static_cast<std::uint64_t>(k))), image, scratch, fill);
}

/// Throws Error that names the field when a value makes no sense.
inline void check(const RandAugment& settings) {
  const auto require = [](bool good, const char* field, const char* expected, double found) {
    if (!good)
      fail({.where = "RandAugment",
            .what = std::string("wrong ") + field,
            .expected = expected,
            .found = std::to_string(found)});
  };
  require(settings.operations >= 0 && settings.operations <= 100, "operations", "0 to 100", settings.operations);
  require(settings.magnitude >= 0 && settings.magnitude <= 10, "magnitude", "0 to 10", settings.magnitude);
  require(settings.magnitude_std >= 0, "magnitude_std", "0 or more", settings.magnitude_std);
  require(settings.probability >= 0 && settings.probability <= 1, "probability", "0 to 1", settings.probability);
}

namespace detail {
/// A decimal number without sign or exponent; none when the text is something else or has more than 15 digits.
inline std::optional<double> plain_decimal(std::string_view text) {
  double digits = 0, scale = 1;
  int count = 0;
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point && count > 0) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      digits = digits * 10 + (c - '0');
      if (point) scale *= 10;
      ++count;
    } else {
      return {};
    }
  }
  if (count == 0 || count > 15) return {};
  return digits / scale;  // both are exact, so this is the nearest double
}
}  // namespace detail

/// Reads timm's text form: "rand" and parts after hyphens, in any order, each at most once: mM magnitude (10 when left out),
/// nN operations (2), mstdX magnitude_std (0; above 100: infinite), pP probability (0.5), and inc1, which must stand there:
/// without it the text means timm's other set. Unlike timm, magnitudes may have decimals. Throws Error that names the part.
inline RandAugment parse_rand_augment(std::string_view text) {
  const std::string where = "RandAugment '" + printable(text, 80) + "'";
  RandAugment settings{.magnitude = 10, .magnitude_std = 0};
  std::string_view rest = text;
  const auto next_part = [&] {
    const std::string_view part = rest.substr(0, rest.find('-'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    return part;
  };
  if (next_part() != "rand")
    fail({.where = where, .what = "does not begin with 'rand'", .hint = "for example rand-m9-mstd0.5-inc1"});
  bool increasing = false;
  std::string seen = " ";  // keys with spaces around them
  for (bool more = text.size() > 4; more;) {
    more = rest.find('-') != std::string_view::npos;
    const std::string_view part = next_part();
    const auto refuse = [&](const char* what, const char* expected) {
      fail({.where = where, .what = std::string(what) + " '" + printable(part, 40) + "'", .expected = expected});
    };
    const std::string key(part.substr(0, part.find_first_of("0123456789.")));
    const auto value = detail::plain_decimal(part.substr(key.size()));
    const bool known = key == "m" || key == "n" || key == "p" || key == "mstd" || key == "inc";
    if (!known) refuse("unknown part", "m, n, p, mstd or inc and a number");
    if (!value) refuse("no number in", "a number such as 9 or 0.5");
    if (seen.find(" " + key + " ") != std::string::npos) refuse("a second", "each part once");
    seen += key + " ";
    if (key == "m") settings.magnitude = *value;
    if (key == "p") settings.probability = *value;
    if (key == "mstd") settings.magnitude_std = *value > 100 ? std::numeric_limits<double>::infinity() : *value;
    if (key == "n") {
      if (*value != std::floor(*value) || *value > 100)
        refuse("impossible number of operations", "a whole number up to 100");
      settings.operations = static_cast<int>(*value);
    }
    if (key == "inc") {
      if (*value != 1) refuse("the set without increasing strength is not built:", "inc1");
      increasing = true;
    }
  }
  if (!increasing)
    fail({.where = where, .what = "inc1 is missing: the set without increasing strength is not built", .expected = "inc1"});
  check(settings);
  return settings;
}

/// The text form that parse_rand_augment reads; `interpolation` is not part of it.
inline std::string to_text(const RandAugment& settings) {
  const auto number = [](double x) {
    char digits[400];
    const auto end = std::to_chars(digits, digits + sizeof digits, x, std::chars_format::fixed).ptr;
    return std::string(digits, end);
  };
  std::string text = "rand-m" + number(settings.magnitude);
  if (settings.operations != 2) text += "-n" + std::to_string(settings.operations);
  if (std::isinf(settings.magnitude_std)) text += "-mstd101";
  else if (settings.magnitude_std > 0) text += "-mstd" + number(settings.magnitude_std);
  if (settings.probability != 0.5) text += "-p" + number(settings.probability);
  return text + "-inc1";
}

}  // namespace minivit::inline MINIVIT_ISA
