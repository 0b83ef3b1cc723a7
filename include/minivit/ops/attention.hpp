// SPDX-License-Identifier: MIT
// attention: softmax attention with MiniViT's transformations, image by image or window by window, and its backward. Windows
// of a map are read in window order and written where their tokens stand in the map, so nobody has to move them back.
#pragma once

#include <minivit/core/arena.hpp>
#include <minivit/kernels/attention_backward.hpp>
#include <minivit/kernels/position_bias.hpp>
#include <minivit/kernels/reference/attention.hpp>
#include <minivit/ops/rows.hpp>

namespace minivit::inline MINIVIT_ISA::ops {

/// How the tokens of an image are cut into windows that attend apart. The default, a map without a side, means whole images.
/// Where that is known to the compiler and there is no position bias either, WholeImages says the same with less code.
struct Windowing {
  kernels::WindowMap map{};  ///< side 0: no windows
  /// not 0: tokens that a roll by this much would bring together do not see each other (kernels::window_mask)
  Index mask_shift = 0;

  constexpr bool windowed() const { return map.side > 0; }  ///< false: whole images
  /// Whether rows of the result are in another order than those of the input.
  constexpr bool reorders() const { return windowed() && !map.plain(); }

  /// Calls f(row, place, count) for runs of the `count` rows from `first` of window or image b: `row` counts from `first`,
  /// `place` is the row's number in the result. Precondition: N is the number of tokens of a window or image.
  template <class F>
  constexpr void each_run(Index b, Index N, Index first, Index count, F&& f) const {
    if (!reorders()) return f(Index{0}, b * N + first, count);
    const Index image = b / map.windows(), begin = b % map.windows() * N + first;
    map.each_run(begin, count,
                 [&](Index row, Index token, Index n) { f(row - begin, image * map.side * map.side + token, n); });
  }
};

/// Windowing of models that know neither windows nor a position bias.
struct WholeImages {
  static constexpr bool reorders() { return false; }   ///< never
  constexpr operator Windowing() const { return {}; }  ///< the same, at run time. NOLINT: implicit by intent
  /// One run: all rows from `first`.
  template <class F>
  static constexpr void each_run(Index b, Index N, Index first, Index count, F&& f) {
    f(Index{0}, b * N + first, count);
  }
};

namespace detail {

/// Position bias and masks of all windows of a call, in memory of the arena.
template <class Arch, class T>
class WindowPlanes {
 public:
  /// Rows of the planes are `stride` long. `gradient`: there is a plane set for the gradient of the bias, too.
  constexpr WindowPlanes(const kernels::AttentionShape& s, const kernels::AttentionWeights<T>& w, const Windowing& windowing,
                         Index stride, bool gradient, Arena<T>& arena)
      : shape_(s), windowing_(windowing), plane_(s.tokens * stride), planes_{.stride = stride} {
    T* const bias = s.bias ? arena.raw(s.heads * plane_) : nullptr;
    T* const dbias = s.bias && gradient ? arena.raw(s.heads * plane_) : nullptr;
    T* const masks = windowing.mask_shift > 0 ? arena.raw(3 * plane_) : nullptr;
    if (arena.counting()) return;
    if (bias) kernels::spread_position_bias<Arch>(bias, stride, w.bias_table, s.side, s.heads);
    if (dbias) std::fill_n(dbias, s.heads * plane_, T{0});
    for (int border = 1; masks && border <= 3; ++border)
      kernels::window_mask(masks + (border - 1) * plane_, stride, windowing.map.window, windowing.mask_shift, border);
    planes_.bias = bias, planes_.dbias = dbias, masks_ = masks;
  }

  /// What window or image b adds to its scores.
  constexpr kernels::ScorePlanes<T> operator[](Index b) const {
    kernels::ScorePlanes<T> p = planes_;
    const int border = masks_ ? windowing_.map.border(b % windowing_.map.windows()) : 0;
    if (border > 0) p.mask = masks_ + (border - 1) * plane_;
    return p;
  }

  /// Adds the gradient that backward left in the planes to the table's.
  constexpr void add_gradient(T* bias_table) const {
    if (planes_.dbias) kernels::gather_position_bias(bias_table, planes_.dbias, planes_.stride, shape_.side, shape_.heads);
  }

 private:
  kernels::AttentionShape shape_;
  Windowing windowing_;
  Index plane_;  // elements of one head's plane
  kernels::ScorePlanes<T> planes_;
  const T* masks_ = nullptr;  // [3, N, stride]: right border, lower border, both
};

/// Those of whole images: none.
template <class T>
struct NoPlanes {
  constexpr NoPlanes(const kernels::AttentionShape&, const kernels::AttentionWeights<T>&, WholeImages, Index, bool,
                     Arena<T>&) {}
  constexpr kernels::ScorePlanes<T> operator[](Index) const { return {}; }
  constexpr void add_gradient(T*) const {}
};
template <class Arch, class T, class Cut>
using PlanesOf = std::conditional_t<std::is_same_v<Cut, WholeImages>, NoPlanes<T>, WindowPlanes<Arch, T>>;

/// The rows of image or window b of x [.., D], which lies as results do, in the order of the queries: themselves, or copied
/// to `memory`.
template <int D, class T, class Cut>
constexpr const T* query_rows(const T* x, Index b, Index N, const Cut& windowing, T* memory) {
  if (!windowing.reorders()) return x + b * N * D;
  windowing.each_run(b, N, 0, N,
                     [&](Index row, Index place, Index count) { std::copy_n(x + place * D, count * D, memory + row * D); });
  return memory;
}

/// All images or windows through `Kernel`. emit(kernel, qkv, planes, b, first, count, worker) computes the rows [first,
/// first + count) of number b. When there are enough of them each is computed by one thread, else the arena's threads share
/// its heads and then its rows.
template <class Arch, class Kernel, class T, class U, int N, int D3, class Cut, class Emit>
constexpr void attention_images(View<const U, Dyn, N, D3> qkv, const kernels::AttentionShape& shape,
                                const kernels::AttentionWeights<T>& weights, Arena<T>& arena, const Cut& windowing,
                                Emit&& emit) {
  using kernels::detail::Cutter;
  Cutter<T> whole(nullptr), shared(nullptr);
  (void)Kernel(whole, shape).worker(shared);
  const Index batch = qkv.batch(), workers = arena.workers(), longest = (batch + workers - 1) / workers;
  const Index reference = 6 * shape.heads * shape.tokens;  // the compiler's own evaluation works in the same memory
  const Index other_size = batch >= workers ? whole.used() : shared.used();
  T* const scratch = arena.raw(std::max(whole.used(), reference));
  T* const others = arena.raw((workers - 1) * other_size);
  const PlanesOf<Arch, T, Cut> planes(shape, weights, windowing, Kernel::stride(shape), false, arena);
  if (arena.counting()) return;
  const auto memory_of = [&](int worker) { return Cutter<T>(worker == 0 ? scratch : others + (worker - 1) * other_size); };
  const auto rows = [&](const Kernel& kernel, Index b, Index begin, Index count, int worker) {
    kernels::each_block(begin, count, Kernel::block_rows,
                        [&](Index first, Index n) { emit(kernel, qkv[b].data(), planes[b], b, first, n, worker); });
  };
  const Index head_cost = Index{N} * shape.head_dim * 4, row_cost = Index{2} * N * shape.dim();
  if (workers == 1 || 4 * batch >= 3 * longest * workers) {  // no thread waits for more than a quarter of the time
    arena.split(batch, 1, N * row_cost, [&](Index begin, Index count, int worker) {
      auto memory = memory_of(worker);
      const Kernel kernel(memory, shape);
      for (Index b = begin; b < begin + count; ++b) {
        kernel.prepare(qkv[b].data(), D3, weights, 0, shape.heads);
        rows(kernel, b, 0, N, worker);
      }
    });
    return;
  }
  auto first_memory = memory_of(0);
  const Kernel kernel(first_memory, shape);
  for (Index b = 0; b < batch; ++b) {
    arena.split(shape.heads, 1, head_cost,
                [&](Index head, Index count, int) { kernel.prepare(qkv[b].data(), D3, weights, head, count); });
    arena.split(N, rows_step, row_cost, [&](Index begin, Index count, int worker) {
      auto memory = memory_of(worker);
      rows(worker == 0 ? kernel : kernel.worker(memory), b, begin, count, worker);
    });
  }
}

}  // namespace detail

/// out [B * N, D] from qkv [B, N, 3 D]: of B images, or of B windows in window order, of which each row is written where its
/// token stands in its map. Preconditions: shape agrees with the extents; with windows N is their number of tokens and B a
/// multiple of windowing.map.windows().
template <class Arch, int D, class T, int N, int D3, class Cut = Windowing>
constexpr void attention(View<const T, Dyn, N, D3> qkv, View<T, Dyn, D> out, const kernels::AttentionShape& shape,
                         const kernels::AttentionWeights<T>& weights, Arena<T>& arena, const Cut& windowing = {}) {
  static_assert(D3 == 3 * D);
  using Kernel = kernels::AttentionForward<Arch, T>;
  const auto scope = arena.scratch();
  const Index context_size = windowing.reorders() ? aligned_count<T>(N * D) : 0;
  T* const contexts = arena.raw(arena.workers() * context_size);  // [N, D] for each worker
  const auto scatter = [&](const T* context, Index b, Index first, Index count) {
    windowing.each_run(b, N, first, count, [&](Index row, Index place, Index n) {
      std::copy_n(context + row * D, n * D, out.data() + place * D);
    });
  };
  if (std::is_constant_evaluated() && !arena.counting()) {
    T* const scratch = arena.raw(kernels::attention_scratch<Arch, T>(shape));
    const detail::PlanesOf<Arch, T, Cut> planes(shape, weights, windowing, Kernel::stride(shape), false, arena);
    for (Index b = 0; b < qkv.batch(); ++b) {
      T* const context = windowing.reorders() ? contexts : out.data() + b * N * D;
      kernels::reference::attention<T>(context, D, qkv[b].data(), D3, shape, weights, scratch, planes[b]);
      if (windowing.reorders()) scatter(context, b, 0, N);
    }
    return;
  }
  detail::attention_images<Arch, Kernel>(qkv, shape, weights, arena, windowing,
                                         [&](const Kernel& kernel, const T* image, const kernels::ScorePlanes<T>& planes,
                                             Index b, Index first, Index count, int worker) {
                                           T* const context = windowing.reorders() ? contexts + worker * context_size
                                                                                   : out.data() + (b * N + first) * D;
                                           kernel.rows(context, D, image, D3, first, count, weights, planes);
                                           if (windowing.reorders()) scatter(context, b, first, count);
                                         });
}

/// dqkv, in the order of qkv, is overwritten; gradients of the transformations are added. dout, [B * N, D] or [B, N, D],
/// lies as attention() wrote.
template <class Arch, class T, int N, int D3, int... Rows, class Cut = Windowing>
constexpr void attention_backward(View<const T, Dyn, Rows...> dout, View<const T, Dyn, N, D3> qkv, View<T, Dyn, N, D3> dqkv,
                                  const kernels::AttentionShape& shape, const kernels::AttentionWeights<T>& weights,
                                  const kernels::AttentionGradients<T>& gradients, Arena<T>& arena,
                                  const Cut& windowing = {}) {
  constexpr int D = D3 / 3;
  static_assert(D3 == 3 * D && ((Rows * ...) == D || (Rows * ...) == N * D));
  const auto scope = arena.scratch();
  T* const scratch = arena.raw(kernels::attention_backward_scratch<Arch, T>(shape));
  T* const memory = arena.raw(windowing.reorders() ? N * D : 0);
  const detail::PlanesOf<Arch, T, Cut> planes(shape, weights, windowing, kernels::AttentionForward<Arch, T>::stride(shape),
                                              true, arena);
  if (arena.counting()) return;
  for (Index b = 0; b < qkv.batch(); ++b)
    kernels::attention_backward<Arch, T>(dqkv[b].data(), gradients,
                                         detail::query_rows<D>(dout.data(), b, N, windowing, memory), D, qkv[b].data(), D3,
                                         shape, weights, scratch, planes[b]);
  planes.add_gradient(gradients.bias_table);
}

}  // namespace minivit::inline MINIVIT_ISA::ops
