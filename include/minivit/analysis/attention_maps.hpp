// SPDX-License-Identifier: MIT
// Where a model looks: the attention of every layer and head for one image, with position bias, relative position and head
// mixing as the model itself applies them, and attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928), which follows
// it through the layers. The gradient plays no part: these are maps of what was mixed, not of what mattered for a class.
#pragma once

#include <minivit/analysis/matrix.hpp>
#include <minivit/core/errors.hpp>
#include <minivit/kernels/reference/attention.hpp>
#include <minivit/kernels/windows.hpp>
#include <minivit/ops/attention.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace minivit::inline MINIVIT_ISA {

/// What the values of each token of one layer are multiplied with. Without head mixing a row is a distribution over tokens.
/// With it the second mixing comes after softmax: rows sum to anything and hold negative numbers. Between tokens of
/// different windows stand zeros.
template <class T>
struct LayerMaps {
  Index heads = 0;         ///< of the layer
  Index tokens = 0;        ///< of the image, extra ones included
  Index side = 0;          ///< of the map, in tokens
  Index extra_tokens = 0;  ///< class and distillation token, in front of the map
  std::vector<T> values;   ///< [heads, tokens, tokens]: head, query, key

  /// [tokens, tokens]
  const T* map(Index head) const { return values.data() + head * tokens * tokens; }
  T* map(Index head) { return values.data() + head * tokens * tokens; }  ///< same, to write
  /// A copy of the same.
  Matrix matrix(Index head) const {
    Matrix out(tokens, tokens);
    std::copy_n(map(head), tokens * tokens, out.values.begin());
    return out;
  }
};

/// Those of all layers, in the order of the network.
template <class T>
using AttentionMaps = std::vector<LayerMaps<T>>;

namespace detail {

/// Maps of one layer `attn`, an Attention, for one image from its queries, keys and values [windows, tokens of a window, 3
/// D].
template <class T, class Attn>
LayerMaps<T> layer_maps(const Attn& attn, const T* qkv, const Threads& threads) {
  constexpr kernels::AttentionShape shape = Attn::config.shape();
  constexpr Index N = Attn::N, W = Attn::W, H = shape.heads;
  const auto weights = attn.weights();
  const ops::Windowing windowing = attn.windowing();
  const kernels::WindowMap& order = windowing.map;

  std::vector<T> bias(weights.bias_table ? H * W * W : 0);         // [H, W, W]
  std::vector<T> masks(windowing.mask_shift > 0 ? 4 * W * W : 0);  // [border, W, W]
  for (Index h = 0; weights.bias_table && h < H; ++h)
    for (Index i = 0; i < W; ++i)
      for (Index j = 0; j < W; ++j)
        bias[static_cast<std::size_t>((h * W + i) * W + j)] =
            weights.bias_table[kernels::position_bias_row(shape.side, i, j) * H + h];
  for (int border = 0; windowing.mask_shift > 0 && border < 4; ++border)
    kernels::window_mask(masks.data() + border * W * W, W, order.window, windowing.mask_shift, border);

  LayerMaps<T> maps{H, N, Attn::config.side, shape.extra_tokens, std::vector<T>(static_cast<std::size_t>(H * N * N))};
  const auto token = [&](Index row) { return windowing.windowed() ? order.token(row) : row; };
  threads.for_each(N, [&](Index row) {  // of the window order
    const Index window = row / W, first = window * W;
    const kernels::ScorePlanes<T> planes{.stride = W,
                                         .bias = bias.empty() ? nullptr : bias.data(),
                                         .mask = masks.empty() ? nullptr : masks.data() + order.border(window) * W * W};
    std::vector<T> rows(3 * H * W);
    T* const mixed = rows.data() + 2 * H * W;
    kernels::reference::detail::attention_row<T>(rows.data(), rows.data() + H * W, mixed, qkv + first * 3 * shape.dim(),
                                                 3 * shape.dim(), row - first, shape, weights, planes);
    for (Index h = 0; h < H; ++h)
      for (Index j = 0; j < W; ++j) maps.map(h)[token(row) * N + token(first + j)] = mixed[h * W + j];
  });
  return maps;
}

}  // namespace detail

/// The maps of `model` for one normalised image [1, channels, image, image], computed again from the queries and keys of a
/// forward pass in the model's own type. Takes heads x tokens^2 numbers for each layer (Swin-T at 224: 290 MB in float,
/// nearly all of it in the first stage) and about a second for DeiT-B. Throws Error unless there is one image.
template <class Model>
AttentionMaps<typename Model::Scalar> attention_maps(const Model& model, typename Model::Images image,
                                                     const Threads& threads = Threads()) {
  using T = typename Model::Scalar;
  using Net = typename Model::ConstNet;
  constexpr int K = Model::config.classes;
  if (image.batch() != 1)
    fail({.where = "attention_maps", .what = "number of images", .expected = "1", .found = std::to_string(image.batch())});
  constexpr auto forward = [](const Net& net, typename Model::Images images, Arena<T>& arena) {
    const auto logits = arena.template take<Dyn, K>(1);
    return net.forward(images, {logits, arena.template take<Dyn, K>(Model::distilled ? 1 : 0)}, arena);
  };
  constexpr Index memory_size = [forward] {
    Arena<T> arena(Memory::keep);
    forward(Net{}, typename Model::Images(nullptr, 1), arena);
    return arena.peak();
  }();
  Buffer<T> memory(memory_size);
  Arena<T> arena(memory.data(), memory.size(), Memory::keep);
  const Net net = model.net();
  const auto saved = forward(net, image, arena);
  AttentionMaps<T> maps;
  net.each_layer(saved, [&](int /*l*/, const auto& layer, const auto& kept) {
    maps.push_back(detail::layer_maps<T>(layer.attention(), kept.attn.qkv.data(), threads));
  });
  return maps;
}

/// One layer's heads averaged: [tokens, tokens], nothing negative, rows sum to one.
///
/// Of each head the magnitudes are taken and its rows scaled to sum to one, which changes nothing without head mixing. With
/// it, sign and size of a head's map say nothing by themselves: a model whose map is turned round or doubled and whose value
/// weights are turned round or halved computes the same. Cutting negative numbers off instead would lose a head that is
/// negative throughout. A head whose row is all zeros attends to nothing and is left out; if all are, the token keeps to
/// itself.
template <class T>
Matrix mean_attention(const LayerMaps<T>& maps) {
  const Index N = maps.tokens;
  Matrix mean(N, N);
  for (Index i = 0; i < N; ++i) {
    double* const to = mean.row(i);
    Index heads = 0;
    for (Index h = 0; h < maps.heads; ++h) {
      const T* const from = maps.map(h) + i * N;
      double sum = 0;
      for (Index j = 0; j < N; ++j) sum += std::abs(static_cast<double>(from[j]));
      if (sum == 0) continue;
      ++heads;
      for (Index j = 0; j < N; ++j) to[j] += std::abs(static_cast<double>(from[j])) / sum;
    }
    for (Index j = 0; j < N && heads > 0; ++j) to[j] /= static_cast<double>(heads);
    if (heads == 0) to[i] = 1;
  }
  return mean;
}

namespace detail {
/// Rows for the tokens behind a PatchMerging: the mean of the four that it joins. [side^2, n] gives [side^2 / 4, n].
inline Matrix merged_rows(const Matrix& rows, Index side) {
  const Index half = side / 2;
  Matrix out(half * half, rows.columns);
  for (Index p = 0; p < side * side; ++p) {
    const double* const from = rows.row(p);
    double* const to = out.row(p / side / 2 * half + p % side / 2);
    for (Index j = 0; j < rows.columns; ++j) to[j] += from[j] / 4;
  }
  return out;
}
}  // namespace detail

/// Attention rollout: the product, last layer first, of (1 - residual) A_l + residual I, where A_l is mean_attention and the
/// identity stands for the residual connection. Row i says how much each input token flows into output token i; rows sum to
/// one. The MLPs and the sizes of the values are not looked at. Where patches are merged between layers, the new token takes
/// a quarter from each of its four (the paper, which knows no such layers, says nothing).
template <class T>
Matrix attention_rollout(const AttentionMaps<T>& maps, double residual = 0.5) {
  const Index inputs = maps.empty() ? 0 : maps.front().tokens;
  Matrix rollout(inputs, inputs);
  for (Index i = 0; i < inputs; ++i) rollout(i, i) = 1;
  for (std::size_t l = 0; l < maps.size(); ++l) {
    const Index N = maps[l].tokens;
    if (N != rollout.rows) rollout = detail::merged_rows(rollout, maps[l - 1].side);
    const Matrix attention = mean_attention(maps[l]);
    Matrix next(N, inputs);
    for (Index i = 0; i < N; ++i) {
      double* const to = next.row(i);
      for (Index k = 0; k < N; ++k) {
        const double weight = (1 - residual) * attention(i, k) + (i == k ? residual : 0);
        if (weight == 0) continue;  // another window
        const double* const from = rollout.row(k);
        for (Index j = 0; j < inputs; ++j) to[j] += weight * from[j];
      }
    }
    rollout = std::move(next);
  }
  return rollout;
}

/// What an attention [queries, tokens], of a head or a rollout, says about the patches: [side, side], rows from top to
/// bottom. With a class token its row, without one, for a model that pools all tokens, the mean over all rows. What goes to
/// the extra tokens is left out, and of the distillation token nothing is shown. Throws Error when the sizes do not fit.
inline Matrix patch_grid(const Matrix& attention, Index side, Index extra_tokens) {
  const Index N = side * side + extra_tokens;
  if (attention.columns != N || attention.rows < 1)
    fail({.where = "patch_grid",
          .what = "size of the attention",
          .expected = "1 or more x " + std::to_string(N),
          .found = std::to_string(attention.rows) + " x " + std::to_string(attention.columns)});
  Matrix grid(side, side);
  const Index queries = extra_tokens > 0 ? 1 : attention.rows;
  for (Index i = 0; i < queries; ++i)
    for (Index p = 0; p < side * side; ++p)
      grid.values[static_cast<std::size_t>(p)] += attention(i, extra_tokens + p) / static_cast<double>(queries);
  return grid;
}

/// The rollout of one image as a grid over its patches. Precondition: there are layers.
template <class T>
Matrix rollout_grid(const AttentionMaps<T>& maps) {
  return patch_grid(attention_rollout(maps), maps.front().side, maps.front().extra_tokens);
}

/// One head of one layer as a grid over the tokens of its map; with head mixing it can be negative.
template <class T>
Matrix head_grid(const LayerMaps<T>& maps, Index head) {
  return patch_grid(maps.matrix(head), maps.side, maps.extra_tokens);
}

}  // namespace minivit::inline MINIVIT_ISA
