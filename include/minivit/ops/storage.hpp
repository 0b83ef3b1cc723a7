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
  using Element = W;            ///< type of a weight
  const W* forward = nullptr;   ///< panels for x W^T, forward_size elements; null until pack()
  const W* backward = nullptr;  ///< panels for dy W, backward_size elements

  /// Elements of W, a multiple of 64 bytes.
  static constexpr Index forward_size = aligned_count<W>(kernels::packed_size<Arch, T>(In, Out));
  static constexpr Index backward_size = Both ? aligned_count<W>(kernels::packed_size<Arch, T>(Out, In)) : 0;  ///< likewise
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

/// What every policy says, here for those whose activations are plain: `Rows<K>` are written by the step in front of a
/// product and read by it as `Input<K>`; `Inner` is the type of queries, keys, values and the input of GELU; `Plain` the
/// same policy with plain rows; `trains` whether backward may follow.
template <class Policy, class T, class A>
struct PlainRows {
  using Scalar = T;      ///< of activations and sums
  using Arch = A;        ///< instruction set of the kernels
  using Inner = T;       ///< of queries, keys, values and the input of GELU
  using Plain = Policy;  ///< the policy for layers whose products are not narrow
  template <int K>
  using Rows = View<T, Dyn, K>;  ///< what the step in front of a product writes
  template <int K>
  using Input = View<const T, Dyn, K>;  ///< what a product reads
};

/// Row-major views of T, which may be const, into a slab: master weights, gradients and moments; backward is possible,
/// though products in packed panels are faster.
template <class T, class A = simd::best>
struct Dense : PlainRows<Dense<T, A>, std::remove_const_t<T>, A> {
  static constexpr bool trains = true;  ///< backward may follow
  template <int... Extents>
  using Vector = View<T, Extents...>;  ///< biases and norms
  template <int Out, int... In>
  using Matrix = View<T, Out, In...>;  ///< weights, row-major [Out, In...]
};

/// Weights in W with activations of T. bf16 without an instruction that multiplies it only saves memory: it is widened while
/// it is loaded, and everything else is as in float32.
template <class W, class T, class A = simd::best>
struct Packed : PlainRows<Packed<W, T, A>, T, A> {
  static constexpr bool trains = false;  ///< inference only
  template <int... Extents>
  using Vector = View<const T, Extents...>;  ///< biases and norms, as they are
  template <int Out, int... In>
  using Matrix = PackedMatrix<W, T, A, Out, (In * ...), false>;  ///< weights in panels; In... are multiplied to one extent
};

/// Weights and inputs of products in words of W = bf16 or int8, everything else in float32.
template <class W, class A, bool Trains>
struct Words {
  static constexpr bool trains = Trains;                                     ///< backward may follow
  using Scalar = float;                                                      ///< of sums, norms and residuals
  using Arch = A;                                                            ///< instruction set of the kernels
  using Inner = std::conditional_t<kernels::has_dot<A, bf16>, bf16, float>;  ///< bf16 where the processor multiplies it
  using Plain = Packed<float, float, A>;  ///< for the layers whose products stay in float32
  /// Codes with their scales, or bf16.
  template <int K>
  using Rows = std::conditional_t<std::is_same_v<W, int8>, QuantisedRows<K>, Bf16Rows<K>>;
  template <int K>
  using Input = Rows<K>;  ///< products read what was written
  template <int... Extents>
  using Vector = View<const float, Extents...>;  ///< biases and norms, in float32
  template <int Out, int... In>
  using Matrix = DotMatrix<W, Out, (In * ...), Trains>;  ///< weights in words
};

/// Inference with bf16 products, where the processor has them.
template <class A>
requires(kernels::has_dot<A, bf16>) struct Packed<bf16, float, A> : Words<bf16, A, false> {
};

/// Inference with 8-bit products: runs on every processor, fast on those with AVX512_VNNI.
template <class A>
struct Packed<int8, float, A> : Words<int8, A, false> {};

/// bf16 without an instruction that multiplies it: rounded weights, everything else as in float32.
template <class W, class T = W, class A = simd::best>
struct Trainable : PlainRows<Trainable<W, T, A>, T, A> {
  static constexpr bool trains = true;  ///< backward may follow
  template <int... Extents>
  using Vector = View<const T, Extents...>;  ///< biases and norms: master values
  template <int Out, int... In>
  using Matrix = PackedMatrix<W, T, A, Out, (In * ...), true>;  ///< weights in panels, for both products
};

/// Training with bf16 products over float32 master weights, where the processor multiplies bf16.
template <class A>
requires(kernels::has_dot<A, bf16>) struct Trainable<bf16, float, A> : Words<bf16, A, true> {
};

}  // namespace minivit::inline MINIVIT_ISA
