// SPDX-License-Identifier: MIT
// Another resolution: the same weights for larger or smaller images. Position embeddings are resampled like the reference does
// before fine-tuning (bicubic, a = -0.75, half-pixel centres, edges repeated, no antialiasing: PyTorch's interpolate); everything
// else, relative position tables included, does not depend on the number of patches.
#pragma once

#include <minivit/models/vit.hpp>

#include <algorithm>
#include <cmath>

namespace minivit::inline MINIVIT_ISA {

/// to [to_side, to_side, dim] from from [from_side, from_side, dim]; cubic convolution (Keys 1981) with a = -0.75, in double.
template <class T>
void resample_positions(T* to, int to_side, const T* from, int from_side, Index dim) {
  struct Taps {
    int at[4];
    double weight[4];
  };
  const auto taps_at = [&](int out) {
    constexpr double a = -0.75;
    const double x = (out + 0.5) * from_side / to_side - 0.5, floor = std::floor(x), t = x - floor;
    const auto near = [](double d) { return ((a + 2) * d - (a + 3)) * d * d + 1; };
    const auto far = [](double d) { return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a; };
    Taps taps{{}, {far(1 + t), near(t), near(1 - t), far(2 - t)}};
    for (int k = 0; k < 4; ++k) taps.at[k] = std::clamp(static_cast<int>(floor) + k - 1, 0, from_side - 1);
    return taps;
  };
  for (int y = 0; y < to_side; ++y) {
    const Taps rows = taps_at(y);
    for (int x = 0; x < to_side; ++x) {
      const Taps columns = taps_at(x);
      for (Index c = 0; c < dim; ++c) {
        double sum = 0;
        for (int i = 0; i < 4; ++i) {
          double row = 0;
          for (int j = 0; j < 4; ++j)
            row += columns.weight[j] * static_cast<double>(from[(Index{rows.at[i]} * from_side + columns.at[j]) * dim + c]);
          sum += rows.weight[i] * row;
        }
        to[(Index{y} * to_side + x) * dim + c] = static_cast<T>(sum);
      }
    }
  }
}

/// `model` for images of another size: `at_resolution<config>(model)`. The configs may differ in `image` only. Positions of class and
/// distillation tokens are copied.
template <ViTConfig To, ViTConfig From, class T>
ViT<To, T> at_resolution(const ViT<From, T>& model) {
  static_assert([] {
    ViTConfig same = To;
    same.image = From.image;
    return same == From;
  }(), "at_resolution: the two configs may differ in image only");
  ViT<To, T> out;
  const ParameterTable& from = ViT<From, T>::parameter_table();
  const ParameterTable& to = ViT<To, T>::parameter_table();
  for (std::size_t i = 0; i < to.size(); ++i) {
    const T* const x = model.data() + from[i].offset;
    T* const y = out.data() + to[i].offset;
    if (to[i].name != "pos_embed") {
      std::copy_n(x, to[i].size, y);
      continue;
    }
    constexpr Index extra = Index{To.extra_tokens()} * To.dim;
    std::copy_n(x, extra, y);
    resample_positions(y + extra, To.grid(), x + extra, From.grid(), Index{To.dim});
  }
  return out;
}

}  // namespace minivit::inline MINIVIT_ISA
