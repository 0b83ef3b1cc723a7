// SPDX-License-Identifier: MIT
// Storage policies: what a layer's parameters are made of. The same layer code runs over all of them, because it only calls
// ops, which are overloaded on the matrix type.
//   Dense      row-major views into a slab: master weights, gradients, optimiser moments
//   Packed     what the forward product reads, in W = float, double, bf16 or int8: inference
//   Trainable  the same for the forward product and for its input gradient: training, packed again after each step
#pragma once

#include <minivit/kernels/gemm.hpp>
#include <minivit/ops/dot_matrix.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA {

/// A weight matrix [Out, In] in panels. `forward` computes x W^T; `backward` computes dy W and is null in inference.
template <class W, class T, class Arch, int Out, int In, bool Both>
struct PackedMatrix {
  using Element = W;
  const W* forward = nullptr;
  const W* backward = nullptr;

  static constexpr Index forward_size = aligned_count<W>(kernels::packed_size<Arch, T>(In, Out));
  static constexpr Index backward_size = Both ? aligned_count<W>(kernels::packed_size<Arch, T>(Out, In)) : 0;
  /// Elements of W to reserve.
  static constexpr Index size() { return forward_size + backward_size; }

  /// Fills `memory` (size() elements) from row-major [Out, In] and points at it.
  template <class Source>
  void pack(W* memory, const Source* source) {
    kernels::pack<Arch, T>(memory, source, In, kernels::Order::transposed, In, Out);
    forward = memory;
    if constexpr (Both) {
      kernels::pack<Arch, T>(memory + forward_size, source, In, kernels::Order::plain, Out, In);
      backward = memory + forward_size;
    }
  }
};

namespace ops {
/// Empty rows of the kind that a product with `weight` reads.
template <class Rows, class Matrix>
constexpr Rows input_rows(const Matrix& weight) {
  Rows rows{};
  if constexpr (requires { rows.fixed; }) rows.fixed = weight.input;
  return rows;
}
}  // namespace ops

/// What every policy says, here for those whose activations are plain: `Rows<K>` are written by the step in front of a product
/// and read by it as `Input<K>`; `Inner` is the type of queries, keys, values and the input of GELU; `Plain` the same policy
/// with plain rows; `trains` whether backward may follow.
template <class Policy, class T, class A>
struct PlainRows {
  using Scalar = T;
  using Arch = A;
  using Inner = T;
  using Plain = Policy;
  template <int K>
  using Rows = View<T, Dyn, K>;
  template <int K>
  using Input = View<const T, Dyn, K>;
};

template <class T, class A = simd::best>
struct Dense : PlainRows<Dense<T, A>, std::remove_const_t<T>, A> {
  static constexpr bool trains = true;
  template <int... Extents>
  using Vector = View<T, Extents...>;
  template <int Out, int... In>
  using Matrix = View<T, Out, In...>;
};

/// Weights in W with activations of T. bf16 without an instruction that multiplies it only saves memory: it is widened while it
/// is loaded, and everything else is as in float32.
template <class W, class T, class A = simd::best>
struct Packed : PlainRows<Packed<W, T, A>, T, A> {
  static constexpr bool trains = false;
  template <int... Extents>
  using Vector = View<const T, Extents...>;
  template <int Out, int... In>
  using Matrix = PackedMatrix<W, T, A, Out, (In * ...), false>;
};

/// Weights and inputs of products in words of W = bf16 or int8, everything else in float32.
template <class W, class A, bool Trains>
struct Words {
  static constexpr bool trains = Trains;
  using Scalar = float;
  using Arch = A;
  using Inner = std::conditional_t<kernels::has_dot<A, bf16>, bf16, float>;
  using Plain = Packed<float, float, A>;
  template <int K>
  using Rows = std::conditional_t<std::is_same_v<W, int8>, QuantisedRows<K>, Bf16Rows<K>>;
  template <int K>
  using Input = Rows<K>;
  template <int... Extents>
  using Vector = View<const float, Extents...>;
  template <int Out, int... In>
  using Matrix = DotMatrix<W, Out, (In * ...), Trains>;
};

template <class A>
  requires(kernels::has_dot<A, bf16>)
struct Packed<bf16, float, A> : Words<bf16, A, false> {};

template <class A>
struct Packed<int8, float, A> : Words<int8, A, false> {};

/// bf16 without an instruction that multiplies it: rounded weights, everything else as in float32.
template <class W, class T = W, class A = simd::best>
struct Trainable : PlainRows<Trainable<W, T, A>, T, A> {
  static constexpr bool trains = true;
  template <int... Extents>
  using Vector = View<const T, Extents...>;
  template <int Out, int... In>
  using Matrix = PackedMatrix<W, T, A, Out, (In * ...), true>;
};

template <class A>
  requires(kernels::has_dot<A, bf16>)
struct Trainable<bf16, float, A> : Words<bf16, A, true> {};

}  // namespace minivit::inline MINIVIT_ISA
