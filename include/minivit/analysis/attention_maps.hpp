// SPDX-License-Identifier: MIT
// Where a model looks: the attention of every layer and head for one image, with relative position and head mixing as the
// model itself applies them, and attention rollout (Abnar and Zuidema 2020, arXiv 2005.00928), which follows it through the
// layers. The gradient plays no part: these are maps of what was mixed, not of what mattered for a class.
#pragma once

#include <minivit/analysis/matrix.hpp>
#include <minivit/core/errors.hpp>
#include <minivit/kernels/reference/attention.hpp>
#include <minivit/models/vit.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace minivit::inline MINIVIT_ISA {

/// What the values of each token are multiplied with. Without head mixing a row is a distribution over tokens. With it the
/// second mixing comes after softmax: rows sum to anything and hold negative numbers.
template <class T>
struct AttentionMaps {
  Index layers = 0;
  Index heads = 0;
  Index tokens = 0;
  Index side = 0;          ///< patches per side of the image
  Index extra_tokens = 0;  ///< class and distillation token, in front of the patches
  std::vector<T> values;   // [layers, heads, tokens, tokens]: layer, head, query, key

  /// [tokens, tokens]
  const T* map(Index layer, Index head) const { return values.data() + (layer * heads + head) * tokens * tokens; }
  T* map(Index layer, Index head) { return values.data() + (layer * heads + head) * tokens * tokens; }
  /// A copy of the same.
  Matrix matrix(Index layer, Index head) const {
    Matrix out(tokens, tokens);
    std::copy_n(map(layer, head), tokens * tokens, out.values.begin());
    return out;
  }
};

/// The maps of `model` for one normalised image [1, channels, image, image], computed again from the queries and keys of a
/// forward pass in the model's own type. Takes depth x heads x N^2 numbers and about a second for DeiT-B. Throws Error
/// unless there is one image.
template <class Model>
AttentionMaps<typename Model::Scalar> attention_maps(const Model& model, typename Model::Images image,
                                                     const Threads& threads = Threads()) {
  using T = typename Model::Scalar;
  using Net = typename Model::ConstNet;
  constexpr int N = Model::tokens, K = Model::config.classes;
  constexpr kernels::AttentionShape shape = Net::block_config.attention.shape();
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

  AttentionMaps<T> maps{Model::config.depth, shape.heads, N, shape.side, shape.extra_tokens, {}};
  maps.values.resize(static_cast<std::size_t>(maps.layers * maps.heads * N * N));
  threads.for_each(maps.layers, [&](Index l) {
    const auto layer = net.layers.layer(static_cast<int>(l));
    const auto weights = typename decltype(layer)::Attn{layer.shared.attn, layer.own.attn}.weights();
    const T* const qkv = saved.layers[static_cast<std::size_t>(l)].attn.qkv.data();
    const Index plane = shape.heads * N;
    std::vector<T> row(static_cast<std::size_t>(3 * plane));
    for (Index i = 0; i < N; ++i) {
      T* const mixed = row.data() + 2 * plane;
      kernels::reference::detail::attention_row<T>(row.data(), row.data() + plane, mixed, qkv, 3 * shape.dim(), i, shape,
                                                   weights);
      for (Index h = 0; h < shape.heads; ++h) std::copy_n(mixed + h * N, N, maps.map(l, h) + i * N);
    }
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
Matrix mean_attention(const AttentionMaps<T>& maps, Index layer) {
  const Index N = maps.tokens;
  Matrix mean(N, N);
  for (Index i = 0; i < N; ++i) {
    double* const to = mean.row(i);
    Index heads = 0;
    for (Index h = 0; h < maps.heads; ++h) {
      const T* const from = maps.map(layer, h) + i * N;
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

/// Attention rollout: the product, last layer first, of (1 - residual) A_l + residual I, where A_l is mean_attention and the
/// identity stands for the residual connection. Row i says how much each input token flows into output token i; rows sum to
/// one. The MLPs and the sizes of the values are not looked at.
template <class T>
Matrix attention_rollout(const AttentionMaps<T>& maps, double residual = 0.5) {
  const Index N = maps.tokens;
  Matrix rollout(N, N);
  for (Index i = 0; i < N; ++i) rollout(i, i) = 1;
  for (Index l = 0; l < maps.layers; ++l) {
    const Matrix attention = mean_attention(maps, l);
    Matrix next(N, N);
    for (Index i = 0; i < N; ++i) {
      double* const to = next.row(i);
      for (Index k = 0; k < N; ++k) {
        const double weight = (1 - residual) * attention(i, k) + (i == k ? residual : 0);
        const double* const from = rollout.row(k);
        for (Index j = 0; j < N; ++j) to[j] += weight * from[j];
      }
    }
    rollout = std::move(next);
  }
  return rollout;
}

/// What an attention [tokens, tokens], of a head or a rollout, says about the patches: [side, side], rows from top to
/// bottom. With a class token its row, without one, for a model that pools all tokens, the mean over all rows. What goes to
/// the extra tokens is left out, and of the distillation token nothing is shown. Throws Error when the sizes do not fit.
inline Matrix patch_grid(const Matrix& attention, Index side, Index extra_tokens) {
  const Index N = side * side + extra_tokens;
  if (attention.rows != N || attention.columns != N)
    fail({.where = "patch_grid", .what = "size of the attention", .expected = std::to_string(N) + " x " + std::to_string(N),
          .found = std::to_string(attention.rows) + " x " + std::to_string(attention.columns)});
  Matrix grid(side, side);
  const Index queries = extra_tokens > 0 ? 1 : N;
  for (Index i = 0; i < queries; ++i)
    for (Index p = 0; p < side * side; ++p)
      grid.values[static_cast<std::size_t>(p)] += attention(i, extra_tokens + p) / static_cast<double>(queries);
  return grid;
}

/// The rollout of one image as a grid over its patches.
template <class T>
Matrix rollout_grid(const AttentionMaps<T>& maps) {
  return patch_grid(attention_rollout(maps), maps.side, maps.extra_tokens);
}

/// One head of one layer as a grid over the patches; with head mixing it can be negative.
template <class T>
Matrix head_grid(const AttentionMaps<T>& maps, Index layer, Index head) {
  return patch_grid(maps.matrix(layer, head), maps.side, maps.extra_tokens);
}

}  // namespace minivit::inline MINIVIT_ISA
