// SPDX-License-Identifier: MIT
// Scalar attention, one query row at a time: the definition that kernels/attention.hpp is tested against, and what the
// compiler runs. MiniViT section 3.1 with the order of operations of the published code: iRPE on keys from the scaled query,
// position bias, first mixing, mask, softmax, second mixing and its bias.
#pragma once

#include <minivit/kernels/attention_shape.hpp>
#include <minivit/kernels/reference/rows.hpp>

namespace minivit::inline MINIVIT_ISA::kernels::reference {

/// Elements of scratch for attention and attention_backward.
constexpr Index attention_scratch(const AttentionShape& s) { return 6 * s.heads * s.tokens; }

namespace detail {

/// Row i of: scores [H, N], probabilities after softmax [H, N], and after the second mixing [H, N].
template <class T>
constexpr void attention_row(T* scores, T* soft, T* mixed, const T* qkv, Index ldq, Index i, const AttentionShape& s,
                             const AttentionWeights<T>& w, const ScorePlanes<T>& p = {}) {
  const T scale = T{1} / static_cast<T>(sqrt(static_cast<double>(s.head_dim)));
  const Index N = s.tokens, H = s.heads, D = s.head_dim;
  for (Index h = 0; h < H; ++h)
    for (Index j = 0; j < N; ++j) {
      const T* const q = qkv + i * ldq + h * D;
      const T* const k = qkv + j * ldq + s.dim() + h * D;
      T sum{0};
      for (Index c = 0; c < D; ++c) sum += q[c] * scale * k[c];
      if (w.table) {
        const Index bucket = relative_bucket(w.offsets, i, j, s.side, s.extra_tokens);
        for (Index c = 0; c < D; ++c) sum += q[c] * scale * w.table[c * s.columns() + bucket];
      }
      scores[h * N + j] = p.bias ? sum + p.bias[(h * N + i) * p.stride + j] : sum;
    }
  for (Index o = 0; o < H; ++o)
    for (Index j = 0; j < N; ++j) {
      T sum{0};
      for (Index h = 0; w.mix_before && h < H; ++h) sum += w.mix_before[o * H + h] * scores[h * N + j];
      soft[o * N + j] = w.mix_before ? sum : scores[o * N + j];
      if (p.mask) soft[o * N + j] += p.mask[i * p.stride + j];
    }
  softmax(soft, N, soft, N, H, N);
  for (Index o = 0; o < H; ++o)
    for (Index j = 0; j < N; ++j) {
      T sum = w.mix_after_bias ? w.mix_after_bias[o] : T{0};
      for (Index h = 0; w.mix_after && h < H; ++h) sum += w.mix_after[o * H + h] * soft[h * N + j];
      mixed[o * N + j] = w.mix_after ? sum : soft[o * N + j];
    }
}

}  // namespace detail

/// out [N, H * D] (row stride ldo) for one image or window.
template <class T>
constexpr void attention(T* out, Index ldo, const T* qkv, Index ldq, const AttentionShape& s, const AttentionWeights<T>& w,
                         T* scratch, const ScorePlanes<T>& p = {}) {
  const Index N = s.tokens, H = s.heads, D = s.head_dim;
  T* const scores = scratch;
  T* const soft = scores + H * N;
  T* const mixed = soft + H * N;
  for (Index i = 0; i < N; ++i) {
    detail::attention_row(scores, soft, mixed, qkv, ldq, i, s, w, p);
    for (Index h = 0; h < H; ++h)
      for (Index c = 0; c < D; ++c) {
        T sum{0};
        for (Index j = 0; j < N; ++j) sum += mixed[h * N + j] * qkv[j * ldq + 2 * s.dim() + h * D + c];
        out[i * ldo + h * D + c] = sum;
      }
  }
}

/// dqkv [N, 3 * H * D] is overwritten; gradients of the transformations are added to `g`, that of the position bias to
/// p.dbias.
template <class T>
constexpr void attention_backward(T* dqkv, const AttentionGradients<T>& g, const T* dout, Index ldo, const T* qkv, Index ldq,
                                  const AttentionShape& s, const AttentionWeights<T>& w, T* scratch,
                                  const ScorePlanes<T>& p = {}) {
  const T scale = T{1} / static_cast<T>(sqrt(static_cast<double>(s.head_dim)));
  const Index N = s.tokens, H = s.heads, D = s.head_dim, HN = H * N;
  T* const scores = scratch;
  T* const soft = scores + HN;
  T* const mixed = soft + HN;
  T* const dmixed = mixed + HN;
  T* const dsoft = dmixed + HN;
  T* const dscores = dsoft + HN;
  for (Index i = 0; i < N; ++i)
    for (Index c = 0; c < 3 * s.dim(); ++c) dqkv[i * ldq + c] = T{0};
  for (Index i = 0; i < N; ++i) {
    detail::attention_row(scores, soft, mixed, qkv, ldq, i, s, w, p);
    for (Index h = 0; h < H; ++h)
      for (Index j = 0; j < N; ++j) {
        T sum{0};
        for (Index c = 0; c < D; ++c) {
          const T d = dout[i * ldo + h * D + c];
          sum += d * qkv[j * ldq + 2 * s.dim() + h * D + c];
          dqkv[j * ldq + 2 * s.dim() + h * D + c] += mixed[h * N + j] * d;
        }
        dmixed[h * N + j] = sum;
        if (w.mix_after_bias) g.mix_after_bias[h] += sum;
      }
    for (Index h = 0; h < H; ++h)
      for (Index j = 0; j < N; ++j) {
        T sum = w.mix_after ? T{0} : dmixed[h * N + j];
        for (Index o = 0; w.mix_after && o < H; ++o) {
          sum += w.mix_after[o * H + h] * dmixed[o * N + j];
          g.mix_after[o * H + h] += dmixed[o * N + j] * soft[h * N + j];
        }
        dsoft[h * N + j] = sum;
      }
    softmax_backward(dsoft, N, dsoft, N, soft, N, H, N);
    for (Index h = 0; h < H; ++h)
      for (Index j = 0; j < N; ++j) {
        T sum = w.mix_before ? T{0} : dsoft[h * N + j];
        for (Index o = 0; w.mix_before && o < H; ++o) {
          sum += w.mix_before[o * H + h] * dsoft[o * N + j];
          g.mix_before[o * H + h] += dsoft[o * N + j] * scores[h * N + j];
        }
        dscores[h * N + j] = sum;
        if (p.dbias) p.dbias[(h * N + i) * p.stride + j] += sum;
      }
    for (Index h = 0; h < H; ++h)
      for (Index j = 0; j < N; ++j) {
        const T d = dscores[h * N + j] * scale;
        const T* const q = qkv + i * ldq + h * D;
        for (Index c = 0; c < D; ++c) {
          dqkv[i * ldq + h * D + c] += d * qkv[j * ldq + s.dim() + h * D + c];
          dqkv[j * ldq + s.dim() + h * D + c] += d * q[c];
        }
        if (w.table) {
          const Index bucket = relative_bucket(w.offsets, i, j, s.side, s.extra_tokens);
          for (Index c = 0; c < D; ++c) {
            dqkv[i * ldq + h * D + c] += d * w.table[c * s.columns() + bucket];
            g.table[c * s.columns() + bucket] += d * q[c];
          }
        }
      }
  }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels::reference
