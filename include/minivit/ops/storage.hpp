// SPDX-License-Identifier: MIT
// Storage policies: what a layer's parameters are made of. The same layer code runs over all of them, because it only calls
// ops, which are overloaded on the matrix type.
//   Dense      row-major views into a slab: master weights, gradients, optimiser moments
//   Packed     panels for the forward product, in W = float, double or bf16: inference
//   Trainable  panels for the forward product and for its input gradient: training, packed again after each step
#pragma once

#include <minivit/kernels/gemm.hpp>

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

template <class T, class A = simd::best>
struct Dense {
  using Scalar = std::remove_const_t<T>;
  using Arch = A;
  template <int... Extents>
  using Vector = View<T, Extents...>;
  template <int Out, int... In>
  using Matrix = View<T, Out, In...>;
};

template <class W, class T, class A = simd::best>
struct Packed {
  using Scalar = T;
  using Arch = A;
  template <int... Extents>
  using Vector = View<const T, Extents...>;
  template <int Out, int... In>
  using Matrix = PackedMatrix<W, T, A, Out, (In * ...), false>;
};

template <class T, class A = simd::best>
struct Trainable {
  using Scalar = T;
  using Arch = A;
  template <int... Extents>
  using Vector = View<const T, Extents...>;
  template <int Out, int... In>
  using Matrix = PackedMatrix<T, T, A, Out, (In * ...), true>;
};

}  // namespace minivit::inline MINIVIT_ISA
