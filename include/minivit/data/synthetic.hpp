// SPDX-License-Identifier: MIT
// The built-in data set: ten kinds of shapes, 32x32, drawn by code with random place, size, tilt, colours, textures and
// specks. Five weaves, each worn by two kinds of shape: a model must see texture and outline. Image i of a split depends on
// (seed, split, i) alone. Integer arithmetic only, so that the bytes are the same on every machine. Random place, random
// phase of the weave and dark shapes among light ones are what defeats a linear classifier.
#pragma once

#include <minivit/core/random.hpp>
#include <minivit/data/dataset.hpp>

namespace minivit::inline MINIVIT_ISA {

inline constexpr int synthetic_side = 32;  ///< width and height of its images

/// Names of the ten classes; the label is the position.
inline std::vector<std::string> synthetic_class_names() {
  return {"disc", "ring", "square", "frame", "triangle", "cross", "plus", "star", "crescent", "hourglass"};
}

namespace detail {
/// Whether (u, v) lies in the shape; the shape's radius is 1024 and v points down.
constexpr bool inside_shape(int shape, std::int64_t u, std::int64_t v) {
  const std::int64_t x = u < 0 ? -u : u, y = v < 0 ? -v : v;
  const std::int64_t square = u * u + v * v, most = std::max(x, y), least = std::min(x, y);
  switch (shape) {
    case 0: return square <= 920 * 920;
    case 1: return square <= 1000 * 1000 && square >= 580 * 580;
    case 2: return most <= 830;
    case 3: return most <= 880 && most >= 500;
    case 4: return v <= 700 && x * 1000 <= (v + 1000) * 600;
    case 5: {  // a plus turned by 45 degrees; 724 / 1024 is the sine
      const std::int64_t a = (u + v) * 724 / 1024, b = (u - v) * 724 / 1024;
      return inside_shape(6, a, b);
    }
    case 6: return least <= 270 && most <= 980;
    case 7: {  // a point of the star lies beyond exactly one of the five lines
      constexpr std::int64_t normal[5][2] = {{0, -1024}, {974, -316}, {602, 828}, {-602, 828}, {-974, -316}};
      int beyond = 0;
      for (const auto& n : normal) beyond += n[0] * u + n[1] * v > 340 * 1024 ? 1 : 0;
      return beyond <= 1;
    }
    case 8: return square <= 980 * 980 && (u - 480) * (u - 480) + v * v > 800 * 800;
    default: return y <= 880 && x * 100 <= 14000 + y * 82;
  }
}

/// A two-level pattern on pixels: plain, stripes in four directions, or a checkerboard.
struct Texture {
  int kind = 0, period = 4, shift = 0, depth = 0;

  /// The weave of a class: kind 1 + shape mod 5, random phase.
  static Texture of_shape(int shape, Random& random) {
    Texture t;
    t.kind = 1 + shape % 5;
    t.period = static_cast<int>(2 + random.next_below(2));
    t.shift = static_cast<int>(random.next_below(16));
    t.depth = static_cast<int>(20 + random.next_below(20));
    return t;
  }
  constexpr int operator()(int x, int y) const {
    const auto stripe = [&](int along) { return ((along + shift + 64) / period) % 2 == 0; };
    bool up = true;
    switch (kind) {
      case 0: return 0;
      case 1: up = stripe(x); break;
      case 2: up = stripe(y); break;
      case 3: up = stripe(x + y); break;
      case 4: up = stripe(x - y); break;
      default: up = stripe(x) == stripe(y);
    }
    return up ? depth : -depth;
  }
};
}  // namespace detail

/// Draws one image of class `shape` as planes (3, 32, 32). Precondition: 0 <= shape < 10.
inline void draw_synthetic(int shape, Random random, std::uint8_t* planes) {
  constexpr int side = synthetic_side, unit = 256, samples = 4;  // a pixel is 256 units wide and sampled 4 x 4 times
  const auto between = [&](int lo, int hi) { return lo + static_cast<int>(random.next_below(hi - lo + 1)); };
  const int radius = between(8 * unit, 12 * unit);
  const int room = (15 * unit - radius) * 3 / 4;  // so that the shape stays inside
  const int cx = 16 * unit + between(-room, room), cy = 16 * unit + between(-room, room);
  const int t = between(-34, 34);  // tangent of half the tilt in 1/256: at most 15 degrees
  const int cosine = (65536 - t * t) * 4096 / (65536 + t * t), sine = 512 * t * 4096 / (65536 + t * t);

  const int sign = random.next_below(8) == 0 ? -1 : 1;
  int back[3], fore[3];
  for (int c = 0; c < 3; ++c) {
    back[c] = between(70, 140);
    fore[c] = back[c] + sign * between(60, 110);
  }
  const detail::Texture weave = detail::Texture::of_shape(shape, random);
  struct Speck {
    int x, y, size, colour[3];
  } specks[4]{};
  const int speck_count = between(0, 4);
  for (int k = 0; k < speck_count; ++k)
    specks[k] = {
        between(0, side - 1), between(0, side - 1), between(1, 2), {between(0, 255), between(0, 255), between(0, 255)}};

  const Random noise = random.fork("noise");
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      int cover = 0;
      for (int j = 0; j < samples * samples; ++j) {
        const std::int64_t dx = x * unit + (2 * (j % samples) + 1) * unit / (2 * samples) - cx;
        const std::int64_t dy = y * unit + (2 * (j / samples) + 1) * unit / (2 * samples) - cy;
        const std::int64_t u = (dx * cosine + dy * sine) / 4096 * 1024 / radius,
                           v = (dy * cosine - dx * sine) / 4096 * 1024 / radius;
        cover += detail::inside_shape(shape, u, v) ? 1 : 0;
      }
      const std::uint64_t bits = noise.bits(static_cast<std::uint64_t>(y * side + x));
      for (int c = 0; c < 3; ++c) {
        const int b = back[c], f = fore[c] + weave(x, y);
        int value = b + (f - b) * cover / (samples * samples);
        for (int k = 0; k < speck_count; ++k) {
          const Speck& s = specks[k];
          if (x >= s.x && x < s.x + s.size && y >= s.y && y < s.y + s.size) value = s.colour[c];
        }
        value += static_cast<int>(bits >> (8 * c) & 31u) - 16;
        planes[(c * side + y) * side + x] = static_cast<std::uint8_t>(std::clamp(value, 0, 255));
      }
    }
  }
}

/// `count` images of the built-in set. Classes take turns, so any count has them evenly. Splits and seeds never share a
/// random stream.
inline Dataset synthetic_dataset(Index count, Split split, std::uint64_t seed = 0, const Threads& threads = Threads{}) {
  Dataset data(count, synthetic_side, synthetic_class_names());
  const Random stream = Random(seed).fork("synthetic").fork(split_name(split));
  threads.for_ranges(count, 64, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      const int shape = static_cast<int>(i % data.classes);
      data.labels[static_cast<std::size_t>(i)] = shape;
      draw_synthetic(shape, stream.fork(static_cast<std::uint64_t>(i)), data.image(i));
    }
  });
  return data;
}

}  // namespace minivit::inline MINIVIT_ISA
