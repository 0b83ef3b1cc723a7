// SPDX-License-Identifier: MIT
// Attention of one image or window from bf16 queries, keys and values: the products in bf16 words, everything between them
// (relative position, position bias, head mixing, softmax) in float32. Blocks of query rows, all heads at once, as in
// kernels/attention.hpp, whose definition this follows; probabilities are rounded to bf16 before they meet v.
#pragma once

#include <minivit/kernels/attention.hpp>
#include <minivit/kernels/dot/gemm.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

namespace detail {

/// bf16 memory out of a Cutter of floats.
constexpr bf16* cut_bf16(Cutter<float>& cut, Index count) {
  float* const memory = cut.take((count + 1) / 2);
  return memory ? reinterpret_cast<bf16*>(memory) : nullptr;
}

/// to [count, width] (row stride ldt) = from [count, n] rounded, zeros behind n. Precondition: ldt >= width >= n.
template <class Arch>
void round_rows(bf16* to, Index ldt, const float* from, Index ldf, Index count, Index n, Index width) {
  for (Index r = 0; r < count; ++r) {
    simd::sweep<Arch, float>(n, [&](Index i, auto io, auto) { io.store(to + r * ldt + i, io.load(from + r * ldf + i)); });
    std::fill(to + r * ldt + n, to + r * ldt + width, bf16{});
  }
}

/// What forward and backward need of an image: packed keys, and the scores of a block of query rows.
template <class Arch>
struct DotAttentionBlock {
  AttentionShape shape;
  Index padded, rows, plane;  // N rounded up to whole panels; rows of a block; elements of one head's plane
  Index key_size;             // packed elements per head
  bf16 *keys, *table;         // [H] packed k^T (D x N); packed lookup table (D x columns)
  float *products, *scores;   // [rows, columns] q . table; [H, rows, N'] before any mixing

  constexpr DotAttentionBlock(Cutter<float>& cut, const AttentionShape& s)
      : shape(s),
        padded(stride(s)),
        rows(std::min(s.tokens, attention_rows)),
        plane(rows * padded),
        key_size(dot_packed_size<bf16>(s.head_dim, s.tokens)) {
    keys = cut_bf16(cut, s.heads * key_size);
    table = cut_bf16(cut, s.relative ? dot_packed_size<bf16>(s.head_dim, s.columns()) : 0);
    take_private(cut);
  }

  static constexpr Index stride(const AttentionShape& s) { return dot_columns(s.tokens); }

  /// What every thread needs for itself.
  constexpr void take_private(Cutter<float>& cut) {
    products = cut.take(shape.relative ? rows * shape.columns() + 8 : 0);  // simd::Pick reads eight at a time
    scores = cut.take(shape.heads * plane + simd::lanes<float, Arch>);     // write_relative runs over the end
  }

  /// Packs `count` heads from `head`; the table with head 0.
  MINIVIT_KERNEL void prepare(const bf16* qkv, Index ldq, const AttentionWeights<float>& w, Index head, Index count) const {
    for (Index h = head; h < head + count; ++h)
      dot_pack(keys + h * key_size, qkv + shape.dim() + h * shape.head_dim, ldq, Order::transposed, shape.head_dim,
               shape.tokens);
    if (shape.relative && head == 0)
      dot_pack(table, w.table, shape.columns(), Order::plain, shape.head_dim, shape.columns());
  }

  /// scores[h, i, j] = (q_i . k_j + relative) / sqrt(D) + bias for `count` rows from `first`. Columns behind N may become
  /// anything.
  MINIVIT_KERNEL void score(const bf16* qkv, Index ldq, Index first, Index count, const AttentionWeights<float>& w,
                            const ScorePlanes<float>& p) const {
    const Profile::Scope profile("attn scores");
    const Index D = shape.head_dim;
    const float scale = 1 / std::sqrt(static_cast<float>(D));
    for (Index h = 0; h < shape.heads; ++h) {
      const bf16* const q = qkv + first * ldq + h * D;
      float* const start = scores + h * plane;
      const float* const bias = p.bias ? p.bias + (h * shape.tokens + first) * padded : nullptr;
      if (shape.relative) {
        const Profile::Scope relative("attn relative position");
        dot_gemm<Arch>(products, shape.columns(), q, ldq, table, count, shape.columns(), D, {.scale = scale});
        for (Index r = 0; r < count; ++r)
          AttentionBlock<Arch, float>::write_relative(start + r * padded, products + r * shape.columns(), first + r, shape,
                                                      w.offsets);
        if (bias) add_plane<Arch>(start, bias, count * padded);
      }
      dot_gemm<Arch>(start, padded, q, ldq, keys + h * key_size, count, shape.tokens, D,
                     {.residual = shape.relative ? start : bias, .ldr = padded, .scale = scale});
    }
  }
};

}  // namespace detail

/// Forward of one image or window: prepare all heads, then any rows. Threads share what prepare() made and need a worker()
/// each. Precondition: head_dim is even.
template <class Arch>
class DotAttention {
 public:
  static constexpr Index block_rows = detail::attention_rows;  ///< at most in one call of rows()
  /// Row length of the ScorePlanes that it reads; the same for backward.
  static constexpr Index stride(const AttentionShape& s) { return detail::DotAttentionBlock<Arch>::stride(s); }

  /// Cuts its memory out of `cut`; a Cutter without memory only counts.
  constexpr DotAttention(detail::Cutter<float>& cut, const AttentionShape& s)
      : s_(s),
        block_(cut, s),
        value_size_(dot_packed_size<bf16>(s.tokens, s.head_dim)),
        values_(detail::cut_bf16(cut, s.heads * value_size_)) {
    take_private(cut);
  }

  /// The same image for another thread, with working memory of its own.
  constexpr DotAttention worker(detail::Cutter<float>& cut) const {
    DotAttention copy = *this;
    copy.block_.take_private(cut);
    copy.take_private(cut);
    return copy;
  }

  /// Packs keys and values of `count` heads from `head`, and with head 0 the table; qkv [N, 3 H D] with row stride ldq.
  MINIVIT_KERNEL void prepare(const bf16* qkv, Index ldq, const AttentionWeights<float>& w, Index head, Index count) const {
    const Profile::Scope profile("attn pack k, v");
    block_.prepare(qkv, ldq, w, head, count);
    for (Index h = head; h < head + count; ++h)
      dot_pack(values_ + h * value_size_, qkv + 2 * s_.dim() + h * s_.head_dim, ldq, Order::plain, s_.tokens, s_.head_dim);
  }

  /// out [count, H D] (row stride ldo) for the query rows [first, first + count); count <= block_rows.
  MINIVIT_KERNEL void rows(float* out, Index ldo, const bf16* qkv, Index ldq, Index first, Index count,
                           const AttentionWeights<float>& w, const ScorePlanes<float>& p = {}) const {
    const Index padded = block_.padded, plane = block_.plane, used = count * padded;  // elements of a plane
    block_.score(qkv, ldq, first, count, w, p);                                       // S  [H, rows, N]
    float* planes = block_.scores;
    if (s_.mix) mix_heads<Arch>(planes = mixed_, block_.scores, w.mix_before, false, s_.heads, plane, used);  // S' = A1 S
    detail::softmax_planes<Arch>(planes, plane, padded, first, count, s_, p);  // W  = softmax(S' + mask)
    if (s_.mix) {
      mix_heads<Arch>(block_.scores, planes, w.mix_after, false, s_.heads, plane, used, w.mix_after_bias);  // W' = A2 W + b2
      planes = block_.scores;
    }
    const Profile::Scope profile("attn values");
    for (Index h = 0; h < s_.heads; ++h) {  // out = W' v
      detail::round_rows<Arch>(probabilities_, padded, planes + h * plane, padded, count, s_.tokens,
                               dot_stride<bf16>(s_.tokens));
      dot_gemm<Arch>(out + h * s_.head_dim, ldo, probabilities_, padded, values_ + h * value_size_, count, s_.head_dim,
                     s_.tokens);
    }
  }

 private:
  constexpr void take_private(detail::Cutter<float>& cut) {
    mixed_ = cut.take(s_.mix ? s_.heads * block_.plane : 0);
    probabilities_ = detail::cut_bf16(cut, block_.plane);
  }

  AttentionShape s_;
  detail::DotAttentionBlock<Arch> block_;
  Index value_size_;     // packed elements per head
  bf16* values_;         // [H] packed v (N x D)
  float* mixed_;         // [H, rows, N'] after the first mixing
  bf16* probabilities_;  // [rows, N'] of one head
};

}  // namespace minivit::inline MINIVIT_ISA::kernels
