// SPDX-License-Identifier: MIT
// Head mixing (MiniViT section 3.1, "transformation of attention"): every output head is a weighted sum of all heads. One
// plane per head; the planes of a block of query rows fit in L2, so heads are combined where they were made.
#pragma once

#include <minivit/core/profile.hpp>
#include <minivit/simd/batch.hpp>

#include <algorithm>

namespace minivit::inline MINIVIT_ISA::kernels {

/// dst[o] = sum_h A[o, h] src[h] + bias[o], or with A transposed, for the first `length` elements of `heads` planes, which
/// are `plane` elements apart. `bias` may be null. dst and src do not overlap. Precondition: `length` is a multiple of the
/// lanes.
template <class Arch, class T>
MINIVIT_KERNEL void mix_heads(T* dst, const T* src, const T* matrix, bool transposed, Index heads, Index plane, Index length,
                              const T* bias = nullptr) {
  const Profile::Scope profile("attn mix heads");
  using Batch = simd::Batch<T, Arch>;
  constexpr Index L = simd::lanes<T, Arch>;
  constexpr Index group = 4;  // output heads that share one pass over the inputs
  const auto weight = [&](Index o, Index h) { return transposed ? matrix[h * heads + o] : matrix[o * heads + h]; };
  const auto columns = [&]<Index G, Index V>(std::integral_constant<Index, G>, std::integral_constant<Index, V>, Index o,
                                             Index p) {
    Batch sum[G][V];
#pragma GCC unroll 8
    for (Index g = 0; g < G; ++g) {
      const Batch start(bias ? bias[o + g] : T{0});
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) sum[g][v] = start;
    }
    for (Index h = 0; h < heads; ++h) {
      Batch x[V];
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) x[v] = simd::load<Arch>(src + h * plane + p + v * L);
#pragma GCC unroll 8
      for (Index g = 0; g < G; ++g) {
        const Batch w(weight(o + g, h));
#pragma GCC unroll 4
        for (Index v = 0; v < V; ++v) sum[g][v] = simd::fma(w, x[v], sum[g][v]);
      }
    }
#pragma GCC unroll 8
    for (Index g = 0; g < G; ++g)
#pragma GCC unroll 4
      for (Index v = 0; v < V; ++v) simd::store<Arch>(dst + (o + g) * plane + p + v * L, sum[g][v]);
  };
  constexpr Index V = simd::registers<Arch> == 32 ? 4 : 2;  // G x V sums and V inputs fit the registers
  const auto run = [&]<Index G>(std::integral_constant<Index, G> g, Index o) {
    Index p = 0;
    for (; p + V * L <= length; p += V * L) columns(g, std::integral_constant<Index, V>{}, o, p);
    for (; p < length; p += L) columns(g, std::integral_constant<Index, 1>{}, o, p);
  };
  Index o = 0;
  for (; o + group <= heads; o += group) run(std::integral_constant<Index, group>{}, o);
  for (; o < heads; ++o) run(std::integral_constant<Index, 1>{}, o);
}

/// dA[o, h] += sum over the first `length` elements of the planes of dy[o] * x[h].
template <class Arch, class T>
MINIVIT_KERNEL void mix_heads_gradient(T* dmatrix, const T* dy, const T* x, Index heads, Index plane, Index length) {
  using Batch = simd::Batch<T, Arch>;
  constexpr Index L = simd::lanes<T, Arch>;
  // G x K weights share what they load; each is summed over the even and the odd registers of its planes
  const auto block = [&]<Index G, Index K>(std::integral_constant<Index, G>, std::integral_constant<Index, K>, Index o,
                                           Index h) {
    Batch sum[2][G][K];
#pragma GCC unroll 8
    for (Index g = 0; g < G; ++g)
#pragma GCC unroll 8
      for (Index k = 0; k < K; ++k) sum[0][g][k] = sum[1][g][k] = Batch(T{0});
    const auto add = [&](auto& into, Index p) {
      Batch in[K];
#pragma GCC unroll 8
      for (Index k = 0; k < K; ++k) in[k] = simd::load<Arch>(x + (h + k) * plane + p);
#pragma GCC unroll 8
      for (Index g = 0; g < G; ++g) {
        const Batch d = simd::load<Arch>(dy + (o + g) * plane + p);
#pragma GCC unroll 8
        for (Index k = 0; k < K; ++k) into[g][k] = simd::fma(d, in[k], into[g][k]);
      }
    };
    Index p = 0;
    for (; p + 2 * L <= length; p += 2 * L) add(sum[0], p), add(sum[1], p + L);
    if (p < length) add(sum[0], p);
    for (Index g = 0; g < G; ++g)
      for (Index k = 0; k < K; ++k) dmatrix[(o + g) * heads + h + k] += simd::sum(sum[0][g][k] + sum[1][g][k]);
  };
  constexpr Index K = simd::registers<Arch> == 32 ? 4 : 2, G = simd::registers<Arch> == 32 ? 3 : 2;
  const auto row = [&]<Index R>(std::integral_constant<Index, R> rows, Index o) {
    Index h = 0;
    for (; h + K <= heads; h += K) block(rows, std::integral_constant<Index, K>{}, o, h);
    for (; h < heads; ++h) block(rows, std::integral_constant<Index, 1>{}, o, h);
  };
  Index o = 0;
  for (; o + G <= heads; o += G) row(std::integral_constant<Index, G>{}, o);
  for (; o < heads; ++o) row(std::integral_constant<Index, 1>{}, o);
}

/// dbias[o] += sum over the first `length` elements of plane o of dy: the gradient of the bias of a mixing.
template <class Arch, class T>
void mix_heads_bias_gradient(T* dbias, const T* dy, Index heads, Index plane, Index length) {
  constexpr Index L = simd::lanes<T, Arch>;
  for (Index o = 0; o < heads; ++o) {
    simd::Batch<T, Arch> sum(T{0});
    for (Index p = 0; p < length; p += L) sum = sum + simd::load<Arch>(dy + o * plane + p);
    dbias[o] += simd::sum(sum);
  }
}

}  // namespace minivit::inline MINIVIT_ISA::kernels
