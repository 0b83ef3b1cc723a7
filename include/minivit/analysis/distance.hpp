// SPDX-License-Identifier: MIT
// How far the features of two models of one width lie apart, layer by layer: for a model and its weight-sharing twin. Unlike
// kernel alignment (cka.hpp) this compares number with number, so a rotation counts; it says little about models trained
// apart.
#pragma once

#include <minivit/analysis/features.hpp>

#include <cmath>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// Distance of features A from features B.
struct FeatureDistance {
  double relative = 0;  ///< ||A - B|| / ||B|| over all tokens of all images, Euclidean
  double cosine = 0;    ///< mean over all tokens of cos(a, b); a token of length zero counts as 0
};

/// Adds up over tokens, in double.
class DistanceSums {
 public:
  /// a and b: [tokens, width].
  template <class T, class U>
  void add(const T* a, const U* b, Index tokens, Index width) {
    for (Index t = 0; t < tokens; ++t, a += width, b += width) {
      double aa = 0, bb = 0, ab = 0, apart = 0;
      for (Index c = 0; c < width; ++c) {
        const auto x = static_cast<double>(a[c]), y = static_cast<double>(b[c]);
        aa += x * x;
        bb += y * y;
        ab += x * y;
        apart += (x - y) * (x - y);  // not aa + bb - 2 ab, which cancels when they are close
      }
      apart_ += apart;
      reference_ += bb;
      cosine_ += aa == 0 || bb == 0 ? 0 : ab / (std::sqrt(aa) * std::sqrt(bb));
    }
    tokens_ += tokens;
  }

  /// `relative` is NaN or infinite when B is all zeros, both are NaN without tokens.
  FeatureDistance value() const {
    return {std::sqrt(apart_) / std::sqrt(reference_), cosine_ / static_cast<double>(tokens_)};
  }

 private:
  double apart_ = 0, reference_ = 0, cosine_ = 0;
  Index tokens_ = 0;
};

/// The distance of a's features from b's, for each layer. Both models have the same depth, width and number of tokens.
template <class A, class V, class B, class W>
std::vector<FeatureDistance> feature_distance(Features<A, V>& a, Features<B, W>& b, typename Features<A, V>::Images images) {
  using FA = Features<A, V>;
  using FB = Features<B, W>;
  static_assert(std::is_same_v<typename FA::Images, typename FB::Images>,
                "feature_distance: both models must read the same images");
  static_assert(FA::layers == FB::layers, "feature_distance: both models must have the same depth");
  static_assert(
      [] {
        for (int l = 0; l < FA::layers; ++l)
          if (FA::extents(l) != FB::extents(l)) return false;
        return true;
      }(),
      "feature_distance: both models must have the same width and number of tokens; cka() compares models of any width");
  const auto depth = static_cast<std::size_t>(FA::layers);
  std::vector<DistanceSums> sums(depth);
  const Index count = images.batch(), most = std::min(a.max_batch(), b.max_batch());
  for (Index first = 0; first < count; first += most) {
    const auto part = images.slice(first, std::min(most, count - first));
    const auto ya = a(part);
    const auto yb = b(part);
    a.threads().for_each(FA::layers, [&](Index l) {
      const auto i = static_cast<std::size_t>(l);
      sums[i].add(ya[i].data(), yb[i].data(), part.batch() * ya[i].tokens(), ya[i].width());
    });
  }
  std::vector<FeatureDistance> out;
  for (const DistanceSums& s : sums) out.push_back(s.value());
  return out;
}

}  // namespace minivit::inline MINIVIT_ISA
