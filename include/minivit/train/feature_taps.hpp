// SPDX-License-Identifier: MIT
// How feature terms reach into the two models: TeacherTap copies what matched layers of the teacher computed, StudentTap
// compares it with the student's layers while backward passes them, and adds to their gradients. So the student keeps
// nothing more than it does anyway, and may even compute its layers again (Memory::recompute).
#pragma once

#include <minivit/layers/stack.hpp>
#include <minivit/train/losses/weight_distillation.hpp>

namespace minivit::inline MINIVIT_ISA::detail {

/// Calls f(term, i) for each term of the tuple.
template <class Terms, class F>
constexpr void for_each_term(const Terms& terms, F&& f) {
  std::apply(
      [&](const auto&... term) {
        int i = 0;
        (f(term, i++), ...);
      },
      terms);
}

/// Features of matched teacher layers for a chunk of images, without extra tokens. Null where no term asks.
template <class Teacher, class Terms>
struct TeacherFeatures {
  using T = typename Teacher::Scalar;
  static constexpr int depth = layer_count(Teacher::config);
  std::array<T*, depth> attention{};  // [images * windows, window tokens, 3 width]
  std::array<T*, depth> hidden{};     // [images, map tokens, width]

  static constexpr bool wants(int layer, Feature feature) {
    bool found = false;
    for_each_term(Terms{}, [&](const auto& term, int) {
      found = found || (term.feature == feature && term.layers.has_teacher(layer));
    });
    return found;
  }
  static constexpr TeacherFeatures take(Arena<T>& arena, Index images) {
    TeacherFeatures features;
    for (int l = 0; l < depth; ++l) {
      const LayerGeometry layer = layer_geometry(Teacher::config, l);
      const Index size = images * layer.map_tokens() * layer.width;
      if (wants(l, Feature::attention)) features.attention[static_cast<std::size_t>(l)] = arena.raw(3 * size);
      if (wants(l, Feature::hidden)) features.hidden[static_cast<std::size_t>(l)] = arena.raw(size);
    }
    return features;
  }
};

/// Copies the patch tokens of x [B, N, Width], widened to T, behind each other.
template <class Arch, class T, class X, int N, int Width>
void copy_patches(View<const X, Dyn, N, Width> x, int extra, T* out) {
  constexpr Index row = Width;
  const Index count = (Index{N} - extra) * row;
  for (Index b = 0; b < x.batch(); ++b)
    simd::sweep<Arch, T>(
        count, [&](Index i, auto io, auto) { io.store(out + b * count + i, io.load(x[b].data() + extra * row + i)); });
}

/// Observes the teacher's forward.
template <class Teacher, class Terms>
struct TeacherTap : Observer {
  using T = typename Teacher::Scalar;
  const TeacherFeatures<Teacher, Terms>& features;

  explicit constexpr TeacherTap(const TeacherFeatures<Teacher, Terms>& to) : features(to) {}

  template <class Saved>
  constexpr void forward(int layer, const Saved& saved, Arena<T>& arena) const {
    if (arena.counting()) return;
    const auto at = static_cast<std::size_t>(layer);
    const int extra = layer_geometry(Teacher::config, layer).extra_tokens;
    if (features.attention[at]) copy_patches<simd::best>(saved.attn.qkv, extra, features.attention[at]);
    if (features.hidden[at]) copy_patches<simd::best>(saved.y, extra, features.hidden[at]);
  }
};

/// A fitting layer of a term: for the pairs whose student layers lie in one stage.
struct FittingLayer {
  int term = 0, stage = 0;
  Index student_width = 0, teacher_width = 0;
  Index offset = 0, size = 0;  ///< in the slab of all fitting layers
};

/// Calls f(FittingLayer) for every fitting layer of the terms between two models; returns the size of their slab.
template <class Student, class Teacher, class Terms, class F>
constexpr Index for_each_fitting_layer(F&& f) {
  Index offset = 0;
  for_each_term(Terms{}, [&](const auto& term, int i) {
    int done = -1;  // stages come in ascending order
    for (int l = 0; l < layer_count(Student::config); ++l)
      for (const LayerPair& pair : term.layers) {
        if (pair.student != l) continue;
        const LayerGeometry s = layer_geometry(Student::config, pair.student),
                            t = layer_geometry(Teacher::config, pair.teacher);
        const Index size = term.parameters(s.width, t.width);
        if (size == 0 || s.stage <= done) continue;
        done = s.stage;
        f(FittingLayer{i, s.stage, s.width, t.width, offset, size});
        offset += aligned_count<typename Student::Scalar>(size);
      }
  });
  return offset;
}

/// Observes the student's backward for one chunk of images.
template <class Student, class Teacher, class Terms>
struct StudentTap : Observer {
  using T = typename Student::Scalar;
  using Arch = simd::best;

  const Terms& terms;
  const TeacherFeatures<Teacher, Terms>& teacher;
  Index batch_total = 0;
  const T* fit = nullptr;  // fitting layers of all terms, in order
  T* dfit = nullptr;
  LossValues* values = nullptr;  // receives the terms

  template <class Y, class D>
  constexpr void output(int layer, Y y, D d, Arena<T>& arena) const {
    if (!wants(layer, Feature::hidden)) return;
    const LayerGeometry own = layer_geometry(Student::config, layer);
    const auto scope = arena.scratch();
    T* const scratch = arena.raw(scratch_size(Feature::hidden, layer));
    if (arena.counting()) return;
    const Index skip = Index{own.extra_tokens} * own.width;
    for (Index b = 0; b < y.batch(); ++b)
      listen(Feature::hidden, layer, b, 1, own.map_tokens(), y[b].data() + skip, d[b].data() + skip, own.width, scratch);
  }

  /// qkv [images * windows, tokens, 3 width]
  template <class Qkv, class Dqkv>
  constexpr void attention(int layer, Qkv qkv, Dqkv dqkv, Arena<T>& arena) const {
    if (!wants(layer, Feature::attention)) return;
    const LayerGeometry own = layer_geometry(Student::config, layer);
    const Index row = 3 * own.width, tokens = own.window_tokens();
    const auto scope = arena.scratch();
    T* const scratch = arena.raw(scratch_size(Feature::attention, layer));
    T* const widened = arena.raw(tokens * row);
    if (arena.counting()) return;
    for (Index w = 0; w < qkv.batch(); ++w) {
      copy_patches<Arch>(qkv.slice(w, 1), own.extra_tokens, widened);
      listen(Feature::attention, layer, w, own.windows(), tokens, widened, dqkv[w].data() + own.extra_tokens * row, row,
             scratch);
    }
  }

 private:
  static constexpr bool wants(int layer, Feature feature) {
    bool found = false;
    for_each_term(Terms{}, [&](const auto& term, int) {
      found = found || (term.feature == feature && term.layers.has_student(layer));
    });
    return found;
  }
  static constexpr Index scratch_size(Feature feature, int layer) {
    const LayerGeometry own = layer_geometry(Student::config, layer);
    const Index tokens = feature == Feature::attention ? own.window_tokens() : own.map_tokens();
    Index size = 0;
    for_each_term(Terms{}, [&](const auto& term, int) {
      for (const LayerPair& pair : term.layers)
        if (term.feature == feature && pair.student == layer)
          size = std::max(
              size, term.template scratch<Arch, T>(tokens, own.width, layer_geometry(Teacher::config, pair.teacher).width));
    });
    return size;
  }
  /// [term][stage] Where the fitting layer of a term for student layers of a stage stands; 0 where there is none.
  static constexpr auto fit_offsets = [] {
    std::array<std::array<Index, std::tuple_size<PerStage>::value>, std::max<std::size_t>(1, std::tuple_size_v<Terms>)>
        offsets{};
    for_each_fitting_layer<Student, Teacher, Terms>([&](const FittingLayer& layer) {
      offsets[static_cast<std::size_t>(layer.term)][static_cast<std::size_t>(layer.stage)] = layer.offset;
    });
    return offsets;
  }();

  /// All terms that compare this feature of `layer`, for number `item` of the chunk, an image or one of the `per_image`
  /// windows of one.
  void listen(Feature feature, int layer, Index item, Index per_image, Index tokens, const T* student, T* dstudent,
              Index stride, T* scratch) const {
    const Profile::Scope profile("distil features");
    const LayerGeometry own = layer_geometry(Student::config, layer);
    for_each_term(terms, [&](const auto& term, int i) {
      if (term.feature != feature || term.weight == 0) return;
      for (const LayerPair& pair : term.layers) {
        if (pair.student != layer) continue;
        const auto at = static_cast<std::size_t>(pair.teacher);
        const Index width = layer_geometry(Teacher::config, pair.teacher).width,
                    columns = (feature == Feature::attention ? 3 : 1) * width;
        const T* const other = (feature == Feature::attention ? teacher.attention[at] : teacher.hidden[at]) +
                               item * tokens * columns;
        const Index fit_at = fit_offsets[static_cast<std::size_t>(i)][static_cast<std::size_t>(own.stage)];
        const FeatureView<T> view{tokens, student,  stride,       own.width,     other,  columns,
                                  width,  dstudent, fit + fit_at, dfit + fit_at, scratch};
        const double value = term.template add<Arch>(view,
                                                     1 / static_cast<double>(batch_total * per_image * term.layers.count));
        values->terms[static_cast<std::size_t>(i)] += value;
        values->total += term.weight * value;
      }
    });
  }
};

}  // namespace minivit::inline MINIVIT_ISA::detail
