// SPDX-License-Identifier: MIT
// AdamW with decoupled weight decay (Loshchilov and Hutter, 2019) over a model's slab, the no-decay rule of the MiniViT
// reference, and clipping by the global gradient norm. Nothing here depends on the number of threads.
#pragma once

#include <minivit/core/buffer.hpp>
#include <minivit/core/errors.hpp>
#include <minivit/core/parameters.hpp>
#include <minivit/core/threads.hpp>
#include <minivit/kernels/adamw.hpp>
#include <minivit/train/rates.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// Settings. Per element, with gradient g and step t counted from 1:
///   p *= 1 - lr * weight_decay;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
///   p -= lr * (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
struct AdamW {
  double lr = 1e-3;            ///< peak; the schedule gives the rate of each step
  double beta1 = 0.9;          ///< in [0, 1): how slowly the mean of gradients moves
  double beta2 = 0.999;        ///< in [0, 1): the same for their squares
  double eps = 1e-8;           ///< more than 0
  double weight_decay = 0.05;  ///< 0 or more; multiplied by the rate, and left out where decays() says so
  double clip_norm = 0;        ///< largest global gradient norm; 0 means no clipping

  /// Throws Error when a field is out of range.
  void check() const {
    const auto require = [](bool good, const char* field, const char* range, double value) {
      if (!good)
        fail({.where = "AdamW",
              .what = std::string(field) + " is out of range",
              .expected = range,
              .found = std::to_string(value)});
    };
    require(lr >= 0 && std::isfinite(lr), "lr", "0 or more", lr);
    require(beta1 >= 0 && beta1 < 1, "beta1", "0 <= beta1 < 1", beta1);
    require(beta2 >= 0 && beta2 < 1, "beta2", "0 <= beta2 < 1", beta2);
    require(eps > 0 && std::isfinite(eps), "eps", "more than 0", eps);
    require(weight_decay >= 0 && std::isfinite(weight_decay), "weight_decay", "0 or more", weight_decay);
    require(clip_norm >= 0, "clip_norm", "0 or more", clip_norm);
  }
  bool operator==(const AdamW&) const = default;  ///< equal in every field
};

/// What the optimiser remembers: both moments, laid out like the model's slab, and the number of steps taken. Saving these
/// three and loading them again continues as if never interrupted.
template <class T>
struct AdamWState {
  Buffer<T> m;     ///< first moment, as long as the slab
  Buffer<T> v;     ///< second moment
  Index step = 0;  ///< optimiser steps taken

  AdamWState() = default;  ///< no memory: not ready for a step
  /// Zero moments for a slab of `size` elements (`Model::size()`).
  explicit AdamWState(Index size) : m(size), v(size) {}
};

/// Whether weight decay applies (section 5 of the reference's recipe): not to tensors of one axis, biases, `pos_embed` and
/// `cls_token`, nor to Swin's bias tables and `absolute_pos_embed`. It does apply to `dist_token`, iRPE tables and head
/// mixing.
inline bool decays(const ParameterInfo& parameter) {
  const std::string_view name = parameter.name;
  if (parameter.shape.size() <= 1 || name.ends_with(".bias")) return false;
  if (name == "pos_embed" || name == "cls_token" || name == "absolute_pos_embed") return false;
  return name.find("relative_position_bias_table") == std::string_view::npos;
}

namespace detail {

/// Factor of one row of the table.
inline double scale_of(const ParameterTable& table, const ParameterInfo& p, const RateScales& scales) {
  return scales.empty() ? 1.0 : scales[static_cast<std::size_t>(&p - table.data())];
}

/// Elements per task: 64 KiB of float, so that the four arrays of an update stay in the L2 cache.
inline constexpr Index slab_grain = 16384;

/// End of the last parameter of a table, in elements. Precondition: offsets ascend.
inline Index slab_end(const ParameterTable& table) { return table.empty() ? 0 : table.back().offset + table.back().size; }

/// Calls f(parameter, begin, end) for each part of a parameter inside the slab range [begin, end); padding is skipped.
template <class F>
void for_parameters(const ParameterTable& table, Index begin, Index end, F&& f) {
  auto at = std::upper_bound(table.begin(), table.end(), begin,
                             [](Index b, const ParameterInfo& p) { return b < p.offset + p.size; });
  for (; at != table.end() && at->offset < end; ++at) {
    const Index first = std::max(begin, at->offset);
    const Index last = std::min(end, at->offset + at->size);
    if (first < last) f(*at, first, last);
  }
}

/// Sum of squares in double: eight running sums, so that it vectorises without changing the order.
template <class T>
double sum_of_squares(const T* x, Index n) {
  std::array<double, 8> sum{};
  Index i = 0;
  for (; i + 8 <= n; i += 8)
    for (Index k = 0; k < 8; ++k)
      sum[static_cast<std::size_t>(k)] += static_cast<double>(x[i + k]) * static_cast<double>(x[i + k]);
  for (; i < n; ++i) sum[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

}  // namespace detail

/// Euclidean norm over all parameters that are not frozen, in double, in an order fixed by the table alone. NaN or infinite
/// when any of their gradients is.
template <class T>
double global_norm(const ParameterTable& table, const T* gradients, const Threads& threads, const RateScales& scales = {}) {
  const Index end = detail::slab_end(table);
  std::vector<double> parts(static_cast<std::size_t>((end + detail::slab_grain - 1) / detail::slab_grain));
  threads.for_ranges(end, detail::slab_grain, [&](Index first, Index last) {
    double sum = 0;
    detail::for_parameters(table, first, last, [&](const ParameterInfo& p, Index b, Index e) {
      if (detail::scale_of(table, p, scales) != 0) sum += detail::sum_of_squares(gradients + b, e - b);
    });
    parts[static_cast<std::size_t>(first / detail::slab_grain)] = sum;
  });
  double total = 0;
  for (const double part : parts) total += part;
  return std::sqrt(total);
}

/// Factor that brings a gradient of this norm down to `max_norm`: min(1, max_norm / (norm + 1e-6)). `max_norm` 0 means 1.
/// Precondition: `norm` is finite; the caller stops before it multiplies infinities.
inline double clip_factor(double norm, double max_norm) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + 1e-6)) : 1.0;
}

/// One optimiser step: counts it in `state` and updates `weights` from `gradients * gradient_scale` at rate `lr_now`.
/// `weights`, `gradients` and both moments have the layout of `table`; padding between parameters is left alone.
/// `scales` multiply the rate. Throws Error when the state or the scales belong to another slab.
template <class T>
void step(const AdamW& settings, AdamWState<T>& state, const ParameterTable& table, T* weights, const T* gradients,
          double lr_now, double gradient_scale, const Threads& threads, const RateScales& scales = {}) {
  const Index end = detail::slab_end(table);
  if (state.m.size() < end || state.v.size() < end)
    fail({.where = "AdamW",
          .what = "the state does not fit the model",
          .expected = std::to_string(end) + " elements",
          .found = std::to_string(std::min(state.m.size(), state.v.size()))});
  if (!scales.empty() && scales.size() != table.size())
    fail({.where = "AdamW",
          .what = "the rate factors do not fit the model",
          .expected = std::to_string(table.size()) + " factors",
          .found = std::to_string(scales.size())});
  ++state.step;
  kernels::AdamWStep common{};
  common.lr = lr_now;
  common.beta1 = settings.beta1;
  common.beta2 = settings.beta2;
  common.eps = settings.eps;
  common.weight_decay = settings.weight_decay;
  common.bias_correction1 = 1 - std::pow(settings.beta1, static_cast<double>(state.step));
  common.bias_correction2 = 1 - std::pow(settings.beta2, static_cast<double>(state.step));

  threads.for_ranges(end, detail::slab_grain, [&](Index first, Index last) {
    detail::for_parameters(table, first, last, [&](const ParameterInfo& p, Index b, Index e) {
      const double scale = detail::scale_of(table, p, scales);
      if (scale == 0) return;
      kernels::AdamWStep now = common;
      now.lr *= scale;
      if (!decays(p)) now.weight_decay = 0;
      kernels::adamw<simd::best, T>(weights + b, state.m.data() + b, state.v.data() + b, gradients + b, e - b, now,
                                    static_cast<T>(gradient_scale));
    });
  });
}

}  // namespace minivit::inline MINIVIT_ISA
