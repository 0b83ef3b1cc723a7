// SPDX-License-Identifier: MIT
// How feature terms reach into the two models: TeacherTap copies what matched layers of the teacher computed, StudentTap compares it
// with the student's layers while backward passes them, and adds to their gradients. So the student keeps nothing more than it
// does anyway, and may even compute its layers again (Memory::recompute).
#pragma once

#include <minivit/models/vit_net.hpp>
#include <minivit/train/losses/weight_distillation.hpp>

namespace minivit::inline MINIVIT_ISA::detail {

/// Calls f(term, i) for each term of the tuple.
template <class Terms, class F>
constexpr void for_each_term(const Terms& terms, F&& f) {
  std::apply([&](const auto&... term) {
    int i = 0;
    (f(term, i++), ...);
  }, terms);
}

/// Features of matched teacher layers for a chunk of images, without extra tokens. Null where no term asks.
template <class Teacher, class Terms>
struct TeacherFeatures {
  using T = typename Teacher::Scalar;
  static constexpr int depth = Teacher::config.depth;
  static constexpr Index tokens = Index{Teacher::config.grid()} * Teacher::config.grid(), width = Teacher::config.dim;
  std::array<T*, depth> attention{};  // [images, tokens, 3 width]
  std::array<T*, depth> hidden{};     // [images, tokens, width]

  static constexpr bool wants(int layer, Feature feature) {
    bool found = false;
    for_each_term(Terms{}, [&](const auto& term, int) { found = found || (term.feature == feature && term.layers.has_teacher(layer)); });
    return found;
  }
  static constexpr TeacherFeatures take(Arena<T>& arena, Index images) {
    TeacherFeatures features;
    for (int l = 0; l < depth; ++l) {
      if (wants(l, Feature::attention)) features.attention[static_cast<std::size_t>(l)] = arena.raw(images * tokens * 3 * width);
      if (wants(l, Feature::hidden)) features.hidden[static_cast<std::size_t>(l)] = arena.raw(images * tokens * width);
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
    simd::sweep<Arch, T>(count, [&](Index i, auto io, auto) { io.store(out + b * count + i, io.load(x[b].data() + extra * row + i)); });
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
    constexpr int extra = Teacher::config.extra_tokens();
    if (features.attention[at]) copy_patches<simd::best>(saved.attn.qkv, extra, features.attention[at]);
    if (features.hidden[at]) copy_patches<simd::best>(saved.y, extra, features.hidden[at]);
  }
};

/// Observes the student's backward for one chunk of images.
template <class Student, class Teacher, class Terms>
struct StudentTap : Observer {
  using T = typename Student::Scalar;
  using Arch = simd::best;
  static constexpr ViTConfig C = Student::config;
  static constexpr Index tokens = Index{C.grid()} * C.grid(), width = C.dim, teacher_width = Teacher::config.dim;

  const Terms& terms;
  const TeacherFeatures<Teacher, Terms>& teacher;
  Index batch_total = 0;
  const T* fit = nullptr;         // fitting layers of all terms, in order
  T* dfit = nullptr;
  LossValues* values = nullptr;   // receives the terms

  /// Elements of all fitting layers.
  static constexpr Index fit_size() {
    Index size = 0;
    for_each_term(Terms{}, [&](const auto& term, int) { size += aligned_count<T>(term.parameters(width, teacher_width)); });
    return size;
  }

  template <class Y, class D>
  constexpr void output(int layer, Y y, D d, Arena<T>& arena) const {
    if (!wants(layer, Feature::hidden)) return;
    const auto scope = arena.scratch();
    T* const scratch = arena.raw(scratch_size(Feature::hidden));
    if (arena.counting()) return;
    constexpr Index skip = Index{C.extra_tokens()} * width;
    for (Index b = 0; b < y.batch(); ++b)
      listen(Feature::hidden, layer, b, y[b].data() + skip, d[b].data() + skip, width, scratch);
  }

  template <class Qkv, class Dqkv>
  constexpr void attention(int layer, Qkv qkv, Dqkv dqkv, Arena<T>& arena) const {
    if (!wants(layer, Feature::attention)) return;
    const auto scope = arena.scratch();
    T* const scratch = arena.raw(scratch_size(Feature::attention));
    T* const widened = arena.raw(tokens * 3 * width);
    if (arena.counting()) return;
    constexpr int extra = C.extra_tokens();
    for (Index b = 0; b < qkv.batch(); ++b) {
      copy_patches<Arch>(qkv.slice(b, 1), extra, widened);
      listen(Feature::attention, layer, b, widened, dqkv[b].data() + Index{extra} * 3 * width, 3 * width, scratch);
    }
  }

 private:
  static constexpr bool wants(int layer, Feature feature) {
    bool found = false;
    for_each_term(Terms{}, [&](const auto& term, int) { found = found || (term.feature == feature && term.layers.has_student(layer)); });
    return found;
  }
  static constexpr Index scratch_size(Feature feature) {
    Index size = 0;
    for_each_term(Terms{}, [&](const auto& term, int) {
      if (term.feature == feature) size = std::max(size, term.template scratch<Arch, T>(tokens, width, teacher_width));
    });
    return size;
  }

  /// All terms that compare this feature of `layer`, for image b of the chunk.
  void listen(Feature feature, int layer, Index b, const T* student, T* dstudent, Index stride, T* scratch) const {
    const Profile::Scope profile("distil features");
    Index fit_at = 0;
    for_each_term(terms, [&](const auto& term, int i) {
      const Index own_fit = fit_at;
      fit_at += aligned_count<T>(term.parameters(width, teacher_width));
      if (term.feature != feature || term.weight == 0) return;
      for (const LayerPair& pair : term.layers) {
        if (pair.student != layer) continue;
        const auto at = static_cast<std::size_t>(pair.teacher);
        const Index columns = (feature == Feature::attention ? 3 : 1) * teacher_width;
        const T* const other = (feature == Feature::attention ? teacher.attention[at] : teacher.hidden[at]) + b * tokens * columns;
        const FeatureView<T> view{tokens, student, stride, width, other, columns, teacher_width, dstudent, fit + own_fit, dfit + own_fit, scratch};
        const double value = term.template add<Arch>(view, 1 / static_cast<double>(batch_total * term.layers.count));
        values->terms[static_cast<std::size_t>(i)] += value;
        values->total += term.weight * value;
      }
    });
  }
};

}  // namespace minivit::inline MINIVIT_ISA::detail
