// SPDX-License-Identifier: MIT
// Attention of one image or window, a block of query rows at a time, all heads at once: scores, relative position or
// position bias, head mixing, mask, softmax, second mixing and the product with v stay in L2. Head mixing couples the heads,
// so they cannot be streamed one by one. Nothing of it is kept for backward, which computes the probabilities of its block
// again.
#pragma once

#include <minivit/core/profile.hpp>
#include <minivit/kernels/attention_shape.hpp>
#include <minivit/kernels/gemm.hpp>
#include <minivit/kernels/head_mixing.hpp>
#include <minivit/kernels/rows.hpp>
#include <minivit/simd/pick.hpp>

#include <cmath>

namespace minivit::inline MINIVIT_ISA::kernels {

/// Calls f(first, count) for the rows [begin, begin + rows), cut into equal blocks of at most `limit`.
template <class F>
constexpr void each_block(Index begin, Index rows, Index limit, F&& f) {
  const Index blocks = (rows + limit - 1) / limit;
  for (Index b = 0; b < blocks; ++b) f(begin + rows * b / blocks, rows * (b + 1) / blocks - rows * b / blocks);
}

namespace detail {

/// Query rows of one block: the 49 of a window in one, 197 in four; with 12 heads and 197 tokens a plane set is half a
/// megabyte. 32 to 68 rows take the same time but for backward of windows, which takes 3 to 5 % less in one block.
inline constexpr Index attention_rows = 52;

/// Cuts scratch into aligned pieces; with a null base it only counts.
template <class T>
class Cutter {
 public:
  explicit constexpr Cutter(T* base) : base_(base) {}
  constexpr T* take(Index count) {
    T* const at = base_ ? base_ + used_ : nullptr;
    used_ += aligned_count<T>(count);
    return at;
  }
  constexpr Index used() const { return used_; }

 private:
  T* base_;
  Index used_ = 0;
};

/// dst += src, `length` elements, a multiple of the lanes.
template <class Arch, class T>
void add_plane(T* dst, const T* src, Index length) {
  for (Index i = 0; i < length; i += simd::lanes<T, Arch>)
    simd::store<Arch>(dst + i, simd::load<Arch>(dst + i) + simd::load<Arch>(src + i));
}

/// Working memory of forward. N' is N rounded up to whole registers; columns behind N are zero everywhere.
template <class Arch, class T>
struct AttentionBlock {
  Index padded, rows, plane;  // N', query rows per block, elements of one head's plane (rows * N')
  T* keys;                    // [H] packed k^T (D x N')
  T *table, *products;        // packed lookup table (D x columns); [rows, columns'] products q . table
  T* query;                   // [H, rows, D] scaled queries
  T *scores, *mixed;          // [H, rows, N'] before and after a mixing

  constexpr AttentionBlock(Cutter<T>& cut, const AttentionShape& s)
      : padded(stride(s)), rows(std::min(s.tokens, attention_rows)), plane(rows * padded) {
    keys = cut.take(s.heads * packed_size<Arch, T>(s.head_dim, padded));
    table = cut.take(s.relative ? packed_size<Arch, T>(s.head_dim, s.columns()) : 0);
    take_private(cut, s);
  }

  static constexpr Index stride(const AttentionShape& s) { return round_up(s.tokens, simd::lanes<T, Arch>); }

  /// What every thread needs for itself.
  constexpr void take_private(Cutter<T>& cut, const AttentionShape& s) {
    products = cut.take(s.relative ? rows * s.columns() + 8 : 0);  // simd::Pick reads eight at a time
    query = cut.take(s.heads * rows * s.head_dim);
    scores = cut.take(s.heads * plane + simd::lanes<T, Arch>);  // write_relative runs over the end
    mixed = cut.take(s.mix ? s.heads * plane : 0);
  }

  /// Packs what every block of rows needs of `count` heads from `head`; the table with head 0.
  MINIVIT_KERNEL void prepare(const T* qkv, Index ldq, const AttentionShape& s, const AttentionWeights<T>& w, Index head,
                              Index count) const {
    const Index D = s.head_dim, size = packed_size<Arch, T>(D, padded);
    for (Index h = head; h < head + count; ++h)
      pack<Arch, T>(keys + h * size, qkv + s.dim() + h * D, ldq, Order::transposed, D, s.tokens);
    if (s.relative && head == 0) pack<Arch, T>(table, w.table, s.columns(), Order::plain, D, s.columns());
  }

  /// scores[h, i, j] = (q_i . k_j + relative) / sqrt(D) + bias for `count` rows from `first`, before any mixing.
  MINIVIT_KERNEL void score(const T* qkv, Index ldq, Index first, Index count, const AttentionShape& s,
                            const AttentionWeights<T>& w, const ScorePlanes<T>& p) const {
    const Profile::Scope profile("attn scores");
    const Index D = s.head_dim, size = packed_size<Arch, T>(D, padded);
    const T scale = T{1} / std::sqrt(static_cast<T>(D));
    for (Index r = 0; r < count; ++r)
      for (Index h = 0; h < s.heads; ++h) {
        const T* const from = qkv + (first + r) * ldq + h * D;
        T* const to = query + (h * rows + r) * D;
        simd::sweep<Arch, T>(
            D, [&](Index i, auto io, auto) { io.store(to + i, io.load(from + i) * simd::Batch<T, Arch>(scale)); });
      }
    for (Index h = 0; h < s.heads; ++h) {
      const T* const q = query + h * rows * D;
      T* const start = scores + h * plane;
      const T* const bias = p.bias ? p.bias + (h * s.tokens + first) * padded : nullptr;
      if (s.relative) {
        const Profile::Scope relative("attn relative position");
        gemm<Arch>(products, s.columns(), q, D, table, count, s.columns(), D);
        for (Index r = 0; r < count; ++r) {
          write_relative(start + r * padded, products + r * s.columns(), first + r, s, w.offsets);
          std::fill(start + r * padded + s.tokens, start + (r + 1) * padded, T{0});
        }
        if (bias) add_plane<Arch>(start, bias, count * padded);
      }
      gemm<Arch>(start, padded, q, D, keys + h * size, count, padded, D,
                 {.residual = s.relative ? start : bias, .ldr = padded});
    }
  }

  /// row[j] = product[bucket(i, j)] for all keys, and anything up to a register behind them; eight more elements of
  /// `product` than there are columns may be read. The seven buckets of a row of keys are neighbours, and which of them a
  /// key takes depends on its column only. (Adding to the row instead took three times as long: partial stores that the next
  /// load meets.)
  static void write_relative(T* row, const T* product, Index i, const AttentionShape& s, const std::int8_t* offsets) {
    constexpr Index L = simd::lanes<T, Arch>;
    const Index extra = s.extra_tokens;
    if (extra > 0) std::fill_n(row, i < extra ? s.tokens : extra, product[relative_buckets]);
    if (i < extra) return;
    const Index query_row = (i - extra) / s.side, query_column = (i - extra) % s.side;
    for (Index column = (s.side - 1) / L * L; column >= 0;
         column -= L) {  // from the right: what runs over is written again later
      const simd::Pick<T, Arch> bucket(offsets + column - query_column, 2 * relative_range);
      for (Index key_row = 0; key_row < s.side; ++key_row)
        simd::store<Arch>(row + extra + key_row * s.side + column,
                          bucket(product + offsets[query_row - key_row] * relative_side));
    }
  }

  /// Calls f(j, bucket(i, j)) for every key j.
  template <class F>
  static void each_bucket(Index i, const AttentionShape& s, const std::int8_t* offsets, F&& f) {
    const Index extra = s.extra_tokens;
    if (i < extra) {
      for (Index j = 0; j < s.tokens; ++j) f(j, static_cast<Index>(relative_buckets));
      return;
    }
    for (Index j = 0; j < extra; ++j) f(j, static_cast<Index>(relative_buckets));
    const Index row = (i - extra) / s.side, column = (i - extra) % s.side;
    for (Index kr = 0, j = extra; kr < s.side; ++kr) {
      const Index base = offsets[row - kr] * relative_side;
      for (Index kc = 0; kc < s.side; ++kc, ++j) f(j, base + offsets[column - kc]);
    }
  }
};

/// softmax of scores + mask over the first `s.tokens` columns of every head's rows, which are the queries from `first` on
template <class Arch, class T>
void softmax_planes(T* planes, Index plane, Index padded, Index first, Index count, const AttentionShape& s,
                    const ScorePlanes<T>& p) {
  const Profile::Scope profile("attn softmax");
  for (Index h = 0; h < s.heads; ++h, planes += plane) {
    if (p.mask) add_plane<Arch>(planes, p.mask + first * padded, count * padded);
    softmax<Arch>(planes, padded, planes, padded, count, s.tokens);
  }
}

}  // namespace detail

/// Forward of one image or window: prepare all heads, then any rows. Threads share what prepare() made and need a worker()
/// each.
template <class Arch, class T>
class AttentionForward {
 public:
  static constexpr Index block_rows = detail::attention_rows;  ///< at most in one call of rows()
  /// Row length of the ScorePlanes that it reads; the same for backward.
  static constexpr Index stride(const AttentionShape& s) { return detail::AttentionBlock<Arch, T>::stride(s); }

  /// Cuts its memory out of `cut`; a Cutter without memory only counts.
  constexpr AttentionForward(detail::Cutter<T>& cut, const AttentionShape& s)
      : s_(s),
        block_(cut, s),
        value_size_(packed_size<Arch, T>(s.tokens, s.head_dim)),
        values_(cut.take(s.heads * value_size_)) {}

  /// The same image for another thread, with working memory of its own.
  constexpr AttentionForward worker(detail::Cutter<T>& cut) const {
    AttentionForward copy = *this;
    copy.block_.take_private(cut, s_);
    return copy;
  }

  /// Packs keys and values of `count` heads from `head`; qkv [N, 3 H D] with row stride ldq.
  MINIVIT_KERNEL void prepare(const T* qkv, Index ldq, const AttentionWeights<T>& w, Index head, Index count) const {
    const Profile::Scope profile("attn pack k, v");
    block_.prepare(qkv, ldq, s_, w, head, count);
    for (Index h = head; h < head + count; ++h)
      pack<Arch, T>(values_ + h * value_size_, qkv + 2 * s_.dim() + h * s_.head_dim, ldq, Order::plain, s_.tokens,
                    s_.head_dim);
  }

  /// out [count, H D] (row stride ldo) for the query rows [first, first + count); count <= block_rows.
  MINIVIT_KERNEL void rows(T* out, Index ldo, const T* qkv, Index ldq, Index first, Index count,
                           const AttentionWeights<T>& w, const ScorePlanes<T>& p = {}) const {
    const auto& b = block_;
    const Index used = count * b.padded;        // elements of a plane
    b.score(qkv, ldq, first, count, s_, w, p);  // S  [H, rows, N]
    T* planes = b.scores;
    if (s_.mix) mix_heads<Arch>(planes = b.mixed, b.scores, w.mix_before, false, s_.heads, b.plane, used);  // S' = A1 S
    detail::softmax_planes<Arch>(planes, b.plane, b.padded, first, count, s_, p);  // W  = softmax(S' + mask)
    if (s_.mix) {
      mix_heads<Arch>(b.scores, planes, w.mix_after, false, s_.heads, b.plane, used, w.mix_after_bias);  // W' = A2 W + b2
      planes = b.scores;
    }
    const Profile::Scope profile("attn values");
    for (Index h = 0; h < s_.heads; ++h)
      gemm<Arch>(out + h * s_.head_dim, ldo, planes + h * b.plane, b.padded, values_ + h * value_size_, count, s_.head_dim,
                 s_.tokens);
  }

 private:
  AttentionShape s_;
  detail::AttentionBlock<Arch, T> block_;
  Index value_size_;
  T* values_;  // [H] packed v (N x D)
};

/// Elements of scratch for attention().
template <class Arch, class T>
constexpr Index attention_scratch(const AttentionShape& s) {
  detail::Cutter<T> cut(nullptr);
  (void)AttentionForward<Arch, T>(cut, s);
  return std::max(cut.used(), Index{6} * s.heads * s.tokens);  // the scalar reference works in the same scratch
}

/// out [N, H * D] (row stride ldo) of one image or window from qkv [N, 3 * H * D] (row stride ldq), on this thread.
template <class Arch, class T>
void attention(T* out, Index ldo, const T* qkv, Index ldq, const AttentionShape& s, const AttentionWeights<T>& w, T* scratch,
               const ScorePlanes<T>& p = {}) {
  detail::Cutter<T> cut(scratch);
  const AttentionForward<Arch, T> image(cut, s);
  image.prepare(qkv, ldq, w, 0, s.heads);
  each_block(0, s.tokens, image.block_rows,
             [&](Index first, Index count) { image.rows(out + first * ldo, ldo, qkv, ldq, first, count, w, p); });
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
