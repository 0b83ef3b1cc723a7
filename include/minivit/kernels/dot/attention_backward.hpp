// SPDX-License-Identifier: MIT
// Backward of dot/attention.hpp for one image or window, in the same blocks of query rows: what
// kernels/attention_backward.hpp does, with the products in bf16 words. Probabilities and gradients are rounded to bf16
// before they are multiplied; softmax, head mixing and every sum stay in float32.
#pragma once

#include <minivit/kernels/dot/attention.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// Working memory and steps of one image. Precondition: head_dim is even.
template <class Arch>
class DotAttentionBackward {
 public:
  /// Cuts its memory out of `cut`; a Cutter without memory only counts.
  constexpr DotAttentionBackward(detail::Cutter<float>& cut, const AttentionShape& s) : s_(s), block_(cut, s) {
    using detail::cut_bf16;
    const Index N = s.tokens, D = s.head_dim, columns = s.relative ? s.columns() : 0, rows = block_.rows,
                even_rows = dot_stride<bf16>(rows);
    const Index planes = s.heads * block_.plane;
    values_t_ = cut_bf16(cut, s.heads * block_.key_size);
    keys_ = cut_bf16(cut, s.heads * key_size());
    table_t_ = cut_bf16(cut, dot_packed_size<bf16>(columns, D));
    soft_ = s.mix ? cut.take(planes) : block_.scores;
    mixed_ = cut.take(s.mix ? planes : 0);
    outer_ = cut.take(planes);
    inner_ = s.mix ? cut.take(planes) : outer_;
    dproducts_ = cut.take(rows * columns);
    rows_ = cut_bf16(cut, rows * std::max({block_.padded, D, dot_stride<bf16>(columns)}));
    left_ = cut_bf16(cut, even_rows * std::max(N, D));
    right_ = cut_bf16(cut, dot_packed_size<bf16>(rows, std::max(D, columns)));
  }

  /// dqkv [N, 3 H D] (row stride ldq, as qkv) is overwritten; the gradients of the transformations are added to `g`, that of
  /// the position bias to p.dbias. dout [N, H D].
  MINIVIT_KERNEL void run(float* dqkv, const AttentionGradients<float>& g, const float* dout, Index ldo, const bf16* qkv,
                          Index ldq, const AttentionWeights<float>& w, const ScorePlanes<float>& p = {}) const {
    const Index N = s_.tokens, H = s_.heads, D = s_.head_dim, plane = block_.plane, padded = block_.padded;
    block_.prepare(qkv, ldq, w, 0, H);
    for (Index h = 0; h < H; ++h) {
      dot_pack(values_t_ + h * block_.key_size, qkv + 2 * s_.dim() + h * D, ldq, Order::transposed, D, N);
      dot_pack(keys_ + h * key_size(), qkv + s_.dim() + h * D, ldq, Order::plain, N, D);
    }
    if (s_.relative) dot_pack(table_t_, w.table, s_.columns(), Order::transposed, s_.columns(), D);

    each_block(0, N, block_.rows, [&](Index first, Index count) {
      const Index used = count * padded;  // elements of a plane
      // forward again: S, W = softmax(A1 S + mask), W' = A2 W + b2
      block_.score(qkv, ldq, first, count, w, p);
      if (s_.mix) {
        clear_padding(block_.scores, count);
        mix_heads<Arch>(soft_, block_.scores, w.mix_before, false, H, plane, used);
      }
      detail::softmax_planes<Arch>(soft_, plane, padded, first, count, s_, p);
      const float* probabilities = soft_;
      if (s_.mix) {
        mix_heads<Arch>(mixed_, soft_, w.mix_after, false, H, plane, used, w.mix_after_bias);
        probabilities = mixed_;
      }
      // out = W' v
      for (Index h = 0; h < H; ++h) {
        detail::round_rows<Arch>(rows_, D, dout + first * ldo + h * D, ldo, count, D, D);
        dot_gemm<Arch>(outer_ + h * plane, padded, rows_, D, values_t_ + h * block_.key_size, count, N, D);
        add_transposed(dqkv + 2 * s_.dim() + h * D, ldq, probabilities + h * plane, rows_, D, count, first > 0, 1);
      }
      // W' = A2 W + b2, W = softmax(S' + mask), S' = A1 S
      if (s_.mix || p.dbias) clear_padding(outer_, count);
      if (s_.mix) {
        if (w.mix_after_bias) mix_heads_bias_gradient<Arch>(g.mix_after_bias, outer_, H, plane, used);
        mix_heads_gradient<Arch>(g.mix_after, outer_, soft_, H, plane, used);
        mix_heads<Arch>(inner_, outer_, w.mix_after, true, H, plane, used);
      }
      for (Index h = 0; h < H; ++h) {
        float* const d = inner_ + h * plane;
        softmax_backward<Arch>(d, padded, d, padded, soft_ + h * plane, padded, count, N);
      }
      const float* dscores = inner_;
      if (s_.mix) {
        mix_heads_gradient<Arch>(g.mix_before, inner_, block_.scores, H, plane, used);
        mix_heads<Arch>(outer_, inner_, w.mix_before, true, H, plane, used);
        dscores = outer_;
      }
      for (Index h = 0; h < H; ++h) {
        if (p.dbias) detail::add_plane<Arch>(p.dbias + (h * N + first) * padded, dscores + h * plane, used);
        query_and_key(dqkv, g, dscores + h * plane, qkv, ldq, w, h, first, count);
      }
    });
  }

 private:
  constexpr Index key_size() const { return dot_packed_size<bf16>(s_.tokens, s_.head_dim); }

  /// Zeros behind N: the gradients of the mixings and of the bias are sums over whole rows.
  void clear_padding(float* planes, Index count) const {
    for (Index h = 0; h < s_.heads; ++h, planes += block_.plane)
      for (Index r = 0; r < count; ++r)
        std::fill(planes + r * block_.padded + s_.tokens, planes + (r + 1) * block_.padded, 0.f);
  }

  /// dst [N, D] (row stride ldd) = or += scale * p^T x for `count` rows of p (a plane) and of x in bf16 (row stride ldx).
  void add_transposed(float* dst, Index ldd, const float* p, const bf16* x, Index ldx, Index count, bool accumulate,
                      float scale) const {
    const Index N = s_.tokens, D = s_.head_dim;
    dot_pack(right_, x, ldx, Order::plain, count, D);
    dot_gemm_transposed<Arch>(dst, ldd, p, block_.padded, left_, right_, N, D, count,
                              {.residual = accumulate ? dst : nullptr, .ldr = ldd, .scale = scale});
  }

  /// Head h of S = (q / sqrt(D)) (k + table) + bias, given dS [count, N'].
  void query_and_key(float* dqkv, const AttentionGradients<float>& g, const float* ds, const bf16* qkv, Index ldq,
                     const AttentionWeights<float>& w, Index h, Index first, Index count) const {
    const Index N = s_.tokens, D = s_.head_dim, padded = block_.padded;
    const float scale = 1 / std::sqrt(static_cast<float>(D));
    const bf16* const q = qkv + first * ldq + h * D;
    float* const dq = dqkv + first * ldq + h * D;
    detail::round_rows<Arch>(rows_, padded, ds, padded, count, N, dot_stride<bf16>(N));
    dot_gemm<Arch>(dq, ldq, rows_, padded, keys_ + h * key_size(), count, D, N, {.scale = scale});
    add_transposed(dqkv + s_.dim() + h * D, ldq, ds, q, ldq, count, first > 0, scale);
    if (!s_.relative) return;
    const Index columns = s_.columns(), stride = dot_stride<bf16>(columns);
    std::fill_n(dproducts_, count * columns, 0.f);
    for (Index r = 0; r < count; ++r)
      detail::AttentionBlock<Arch, float>::each_bucket(
          first + r, s_, w.offsets, [&](Index j, Index bucket) { dproducts_[r * columns + bucket] += ds[r * padded + j]; });
    detail::round_rows<Arch>(rows_, stride, dproducts_, columns, count, columns, stride);
    dot_gemm<Arch>(dq, ldq, rows_, stride, table_t_, count, D, columns, {.residual = dq, .ldr = ldq, .scale = scale});
    dot_pack(right_, dproducts_, columns, Order::plain, count, columns);
    dot_gemm_transposed<Arch>(g.table, columns, q, ldq, left_, right_, D, columns, count,
                              {.residual = g.table, .ldr = columns, .scale = scale});
  }

  AttentionShape s_;
  detail::DotAttentionBlock<Arch> block_;
  bf16 *values_t_, *keys_, *table_t_;       // [H] packed v^T (D x N) for dW'; [H] packed k (N x D) for dq; packed table^T
  float *soft_, *mixed_, *outer_, *inner_;  // [H, rows, N'] W, W', and gradients on their way from W' to S
  float* dproducts_;                        // [rows, columns] gradient of q . table
  bf16 *rows_, *left_, *right_;             // operands of one product
};

}  // namespace minivit::inline MINIVIT_ISA::kernels
