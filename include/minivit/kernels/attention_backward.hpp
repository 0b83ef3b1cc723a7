// SPDX-License-Identifier: MIT
// Backward of attention.hpp for one image or window, in the same blocks of query rows. The probabilities are computed again
// from qkv: two products and a softmax per block cost less than writing and reading H * N * N numbers.
#pragma once

#include <minivit/kernels/attention.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

namespace detail {

/// Working memory of backward, on top of forward's block.
template <class Arch, class T>
struct AttentionBackwardBlock {
  AttentionBlock<Arch, T> forward;
  Index key_size, value_size, table_size;  // packed elements per head
  T* keys_plain;                           // [H] packed k (N x D), for dq
  T* values_t;                             // [H] packed v^T (D x N'), for dW'
  T *table_t, *dproducts;                  // packed table^T (columns x D); [rows, columns] gradient of q . table
  T* soft;                                 // [H, rows, N'] probabilities; equals forward.scores when heads are not mixed
  T *outer, *inner;                        // [H, rows, N'] gradients on their way from W' to S
  T* dquery;                               // [rows, D]
  T* panel;                                // scratch of gemm_unpacked

  constexpr AttentionBackwardBlock(Cutter<T>& cut, const AttentionShape& s)
      : forward(cut, s),
        key_size(packed_size<Arch, T>(s.tokens, s.head_dim)),
        value_size(packed_size<Arch, T>(s.head_dim, forward.padded)),
        table_size(s.relative ? packed_size<Arch, T>(s.columns(), s.head_dim) : 0) {
    keys_plain = cut.take(s.heads * key_size);
    values_t = cut.take(s.heads * value_size);
    table_t = cut.take(table_size);
    dproducts = cut.take(s.relative ? forward.rows * s.columns() : 0);
    soft = s.mix ? cut.take(s.heads * forward.plane) : forward.scores;
    outer = cut.take(s.heads * forward.plane);
    inner = s.mix ? cut.take(s.heads * forward.plane) : outer;
    dquery = cut.take(forward.rows * s.head_dim);
    panel = cut.take(unpacked_scratch<Arch, T>(std::max(forward.rows, s.head_dim)));
  }
};

}  // namespace detail

/// Elements of scratch for attention_backward().
template <class Arch, class T>
constexpr Index attention_backward_scratch(const AttentionShape& s) {
  detail::Cutter<T> cut(nullptr);
  detail::AttentionBackwardBlock<Arch, T> block(cut, s);
  return std::max(cut.used(), Index{6} * s.heads * s.tokens);  // the scalar reference works in the same scratch
}

/// dqkv [N, 3 * H * D] (row stride ldq) is overwritten; the gradients of the transformations are added to `g`, that of the
/// position bias to p.dbias.
template <class Arch, class T>
MINIVIT_KERNEL void attention_backward(T* dqkv, const AttentionGradients<T>& g, const T* dout, Index ldo, const T* qkv,
                                       Index ldq, const AttentionShape& s, const AttentionWeights<T>& w, T* scratch,
                                       const ScorePlanes<T>& p = {}) {
  detail::Cutter<T> cut(scratch);
  const detail::AttentionBackwardBlock<Arch, T> b(cut, s);
  const auto& f = b.forward;
  const Index N = s.tokens, H = s.heads, D = s.head_dim;
  const T scale = T{1} / std::sqrt(static_cast<T>(D));

  f.prepare(qkv, ldq, s, w, 0, H);
  for (Index h = 0; h < H; ++h) {
    pack<Arch, T>(b.keys_plain + h * b.key_size, qkv + s.dim() + h * D, ldq, Order::plain, N, D);
    pack<Arch, T>(b.values_t + h * b.value_size, qkv + 2 * s.dim() + h * D, ldq, Order::transposed, D, N);
  }
  if (s.relative) pack<Arch, T>(b.table_t, w.table, s.columns(), Order::transposed, s.columns(), D);

  each_block(0, N, f.rows, [&](Index first, Index count) {
    const Index used = count * f.padded;  // elements of a plane
    const Epilogue<T> none{};
    // forward again: S, W = softmax(A1 S + mask), W' = A2 W + b2
    f.score(qkv, ldq, first, count, s, w, p);
    const T* probabilities = b.soft;
    if (s.mix) mix_heads<Arch>(b.soft, f.scores, w.mix_before, false, H, f.plane, used);
    detail::softmax_planes<Arch>(b.soft, f.plane, f.padded, first, count, s, p);
    if (s.mix) {
      mix_heads<Arch>(f.mixed, b.soft, w.mix_after, false, H, f.plane, used, w.mix_after_bias);
      probabilities = f.mixed;
    }
    // out = W' v
    for (Index h = 0; h < H; ++h) {
      const T* const dy = dout + first * ldo + h * D;  // [count, D]
      T* const dv = dqkv + 2 * s.dim() + h * D;        // [N, D]
      gemm<Arch>(b.outer + h * f.plane, f.padded, dy, ldo, b.values_t + h * b.value_size, count, f.padded, D);
      gemm_unpacked<Arch>(dv, ldq, probabilities + h * f.plane, f.padded, Order::transposed, dy, ldo, Order::plain, N, D,
                          count, b.panel, first == 0 ? none : Epilogue<T>{.residual = dv, .ldr = ldq});
    }
    // W' = A2 W + b2, W = softmax(S' + mask), S' = A1 S
    if (s.mix) {
      if (w.mix_after_bias) mix_heads_bias_gradient<Arch>(g.mix_after_bias, b.outer, H, f.plane, used);
      mix_heads_gradient<Arch>(g.mix_after, b.outer, b.soft, H, f.plane, used);
      mix_heads<Arch>(b.inner, b.outer, w.mix_after, true, H, f.plane, used);
    }
    for (Index h = 0; h < H; ++h) {
      T* const d = b.inner + h * f.plane;
      softmax_backward<Arch>(d, f.padded, d, f.padded, b.soft + h * f.plane, f.padded, count, N);
    }
    const T* dscores = b.inner;
    if (s.mix) {
      mix_heads_gradient<Arch>(g.mix_before, b.inner, f.scores, H, f.plane, used);
      mix_heads<Arch>(b.outer, b.inner, w.mix_before, true, H, f.plane, used);
      dscores = b.outer;
    }
    // S = (q scale) (k + table) + bias
    for (Index h = 0; h < H; ++h) {
      if (p.dbias) detail::add_plane<Arch>(p.dbias + (h * N + first) * f.padded, dscores + h * f.plane, used);
      const T* const ds = dscores + h * f.plane;    // [count, N']
      const T* const q = f.query + h * f.rows * D;  // [count, D], scaled
      T* const dk = dqkv + s.dim() + h * D;         // [N, D]
      gemm<Arch>(b.dquery, D, ds, f.padded, b.keys_plain + h * b.key_size, count, D, N);
      gemm_unpacked<Arch>(dk, ldq, ds, f.padded, Order::transposed, q, D, Order::plain, N, D, count, b.panel,
                          first == 0 ? none : Epilogue<T>{.residual = dk, .ldr = ldq});
      if (s.relative) {
        std::fill_n(b.dproducts, count * s.columns(), T{0});
        for (Index r = 0; r < count; ++r)
          f.each_bucket(first + r, s, w.offsets,
                        [&](Index j, Index bucket) { b.dproducts[r * s.columns() + bucket] += ds[r * f.padded + j]; });
        gemm<Arch>(b.dquery, D, b.dproducts, s.columns(), b.table_t, count, D, s.columns(),
                   {.residual = b.dquery, .ldr = D});
        gemm_unpacked<Arch>(g.table, s.columns(), q, D, Order::transposed, b.dproducts, s.columns(), Order::plain, D,
                            s.columns(), count, b.panel, {.residual = g.table, .ldr = s.columns()});
      }
      for (Index r = 0; r < count; ++r)
        for (Index c = 0; c < D; ++c) dqkv[(first + r) * ldq + h * D + c] = b.dquery[r * D + c] * scale;
    }
  });
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
