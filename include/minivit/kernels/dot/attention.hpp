// SPDX-License-Identifier: MIT
// Attention of one image from bf16 queries, keys and values: the products in bf16 words, everything between them (relative
// position, head mixing, softmax) in float32. Blocks of query rows, all heads at once, as in kernels/attention.hpp, whose
// definition this follows; probabilities are rounded to bf16 before they meet v.
#pragma once

#include <minivit/kernels/attention.hpp>
#include <minivit/kernels/dot/gemm.hpp>

namespace minivit::inline MINIVIT_ISA::kernels {

/// Working memory and steps of one image. Precondition: head_dim is even.
template <class Arch>
class DotAttention {
 public:
  /// Query rows of one block: three full tiles.
  static constexpr Index block_rows = 3 * dot_rows;

  /// Cuts its memory out of `cut`; a Cutter without memory only counts.
  constexpr DotAttention(detail::Cutter<float>& cut, const AttentionShape& s)
      : s_(s),
        padded_(dot_columns(s.tokens)),
        rows_(std::min(s.tokens, block_rows)),
        plane_(rows_ * padded_),
        key_size_(dot_packed_size<bf16>(s.head_dim, s.tokens)),
        value_size_(dot_packed_size<bf16>(s.tokens, s.head_dim)) {
    keys_ = narrow(cut, s.heads * key_size_);
    values_ = narrow(cut, s.heads * value_size_);
    table_ = narrow(cut, s.relative ? dot_packed_size<bf16>(s.head_dim, s.columns()) : 0);
    take_private(cut);
  }

  /// The same image for another thread, with working memory of its own.
  constexpr DotAttention worker(detail::Cutter<float>& cut) const {
    DotAttention copy = *this;
    copy.take_private(cut);
    return copy;
  }

  /// Packs keys and values of `count` heads from `head`, and with head 0 the table; qkv [N, 3 H D] with row stride ldq.
  void prepare(const bf16* qkv, Index ldq, const AttentionWeights<float>& w, Index head, Index count) const {
    const Profile::Scope profile("attn pack k, v");
    for (Index h = head; h < head + count; ++h) {
      dot_pack(keys_ + h * key_size_, qkv + s_.dim() + h * s_.head_dim, ldq, Order::transposed, s_.head_dim, s_.tokens);
      dot_pack(values_ + h * value_size_, qkv + 2 * s_.dim() + h * s_.head_dim, ldq, Order::plain, s_.tokens, s_.head_dim);
    }
    if (s_.relative && head == 0)
      dot_pack_values(table_, s_.head_dim, s_.columns(), [&](Index p, Index j) { return bf16(w.table[p * s_.columns() + j]); });
  }

  /// out [count, H D] (row stride ldo) for the query rows [first, first + count); count <= block_rows.
  void rows(float* out, Index ldo, const bf16* qkv, Index ldq, Index first, Index count, const AttentionWeights<float>& w) const {
    const Index D = s_.head_dim;
    const float scale = 1 / std::sqrt(static_cast<float>(D));
    for (Index h = 0; h < s_.heads; ++h) {                                                  // S  [H, rows, N]
      const Profile::Scope profile("attn scores");
      const bf16* const q = qkv + first * ldq + h * D;
      float* const scores = scores_ + h * plane_;
      if (s_.relative) {
        const Profile::Scope relative("attn relative position");
        dot_gemm<Arch>(products_, s_.columns(), q, ldq, table_, count, s_.columns(), D, {.scale = scale});
        for (Index r = 0; r < count; ++r)
          detail::AttentionBlock<Arch, float>::write_relative(scores + r * padded_, products_ + r * s_.columns(), first + r, s_, w.offsets);
      }
      dot_gemm<Arch>(scores, padded_, q, ldq, keys_ + h * key_size_, count, s_.tokens, D,
                     {.residual = s_.relative ? scores : nullptr, .ldr = padded_, .scale = scale});
    }
    float* planes = scores_;
    if (s_.mix) mix_heads<Arch>(planes = mixed_, scores_, w.mix_before, false, s_.heads, plane_);   // S' = A1 S
    detail::softmax_planes<Arch>(planes, plane_, padded_, count, s_);                       // W  = softmax(S')
    if (s_.mix) mix_heads<Arch>(scores_, planes, w.mix_after, false, s_.heads, plane_), planes = scores_;  // W' = A2 W
    const Profile::Scope profile("attn values");
    for (Index h = 0; h < s_.heads; ++h) {                                                  // out = W' v
      for (Index r = 0; r < count; ++r) {
        const float* const from = planes + h * plane_ + r * padded_;
        bf16* const to = probabilities_ + r * padded_;
        simd::sweep<Arch, float>(s_.tokens, [&](Index i, auto io, auto) { io.store(to + i, io.load(from + i)); });
        if (s_.tokens % 2 != 0) to[s_.tokens] = bf16{};
      }
      dot_gemm<Arch>(out + h * D, ldo, probabilities_, padded_, values_ + h * value_size_, count, D, s_.tokens);
    }
  }

 private:
  constexpr void take_private(detail::Cutter<float>& cut) {
    products_ = cut.take(s_.relative ? rows_ * s_.columns() + 8 : 0);  // simd::Pick reads eight at a time
    scores_ = cut.take(s_.heads * plane_ + simd::lanes<float, Arch>);  // write_relative runs over the end
    mixed_ = cut.take(s_.mix ? s_.heads * plane_ : 0);
    probabilities_ = narrow(cut, plane_);
  }
  static constexpr bf16* narrow(detail::Cutter<float>& cut, Index count) {
    float* const memory = cut.take((count + 1) / 2);
    return memory ? reinterpret_cast<bf16*>(memory) : nullptr;
  }

  AttentionShape s_;
  Index padded_, rows_, plane_;  // N rounded up to whole panels; rows of a block; elements of one head's plane
  Index key_size_, value_size_;  // packed elements per head
  bf16 *keys_, *values_, *table_;
  float *products_, *scores_, *mixed_;  // [rows, columns] q . table; [H, rows, N'] before and after a mixing
  bf16* probabilities_;                 // [rows, N'] of one head
};

}  // namespace minivit::inline MINIVIT_ISA::kernels
