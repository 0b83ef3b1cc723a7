// SPDX-License-Identifier: MIT
// LayerPairs: which layer of the student listens to which layer of the teacher, as a value that a loss takes as a template
// argument, so that a wrong layer does not compile. Layers are counted from 0 over the whole network.
#pragma once

#include <minivit/core/view.hpp>

#include <algorithm>
#include <initializer_list>

namespace minivit::inline MINIVIT_ISA {

/// A layer of the student and the layer of the teacher it listens to, both counted from 0 over the whole network.
struct LayerPair {
  int student = 0;                                    ///< number of the student's layer
  int teacher = 0;                                    ///< number of the teacher's layer
  bool operator==(const LayerPair&) const = default;  ///< equal in both
};

/// At most 48 pairs, the depth of the deepest models of this size.
struct LayerPairs {
  static constexpr int most = 48;  ///< pairs there is room for
  LayerPair pairs[most]{};         ///< the first `count` are used
  int count = 0;                   ///< pairs there are

  constexpr LayerPairs() = default;  ///< no pairs
  /// `LayerPairs{{1, 3}, {3, 7}}`: layer 1 listens to layer 3, layer 3 to layer 7.
  constexpr LayerPairs(std::initializer_list<LayerPair> list) {
    for (const LayerPair& pair : list) add(pair);
  }
  constexpr void add(LayerPair pair) { pairs[count++] = pair; }  ///< one too many does not compile: past the end of `pairs`
  constexpr const LayerPair* begin() const { return pairs; }     ///< first pair
  constexpr const LayerPair* end() const { return pairs + count; }  ///< behind the last pair

  /// All layers exist in models of these depths.
  constexpr bool fit(int student_depth, int teacher_depth) const {
    return std::all_of(begin(), end(), [&](const LayerPair& p) {
      return p.student >= 0 && p.student < student_depth && p.teacher >= 0 && p.teacher < teacher_depth;
    });
  }
  /// Whether `layer` of the student listens to any.
  constexpr bool has_student(int layer) const {
    return std::any_of(begin(), end(), [&](const LayerPair& p) { return p.student == layer; });
  }
  /// Whether any listens to `layer` of the teacher.
  constexpr bool has_teacher(int layer) const {
    return std::any_of(begin(), end(), [&](const LayerPair& p) { return p.teacher == layer; });
  }
  bool operator==(const LayerPairs&) const = default;  ///< the same pairs in the same order
};

/// The reference's matching: both lists are sets, paired by rank, whatever their order (its outputs are collected in
/// ascending order). Lists of different length do not compile.
consteval LayerPairs match_layers(std::initializer_list<int> student, std::initializer_list<int> teacher) {
  int s[LayerPairs::most]{}, t[LayerPairs::most]{};
  std::copy(student.begin(), student.end(), s);
  std::copy(teacher.begin(), teacher.end(), t);
  std::sort(s, s + student.size());
  std::sort(t, t + teacher.size());
  if (student.size() != teacher.size()) throw "match_layers: both lists must name as many layers";
  LayerPairs out;
  for (std::size_t i = 0; i < student.size(); ++i) out.add({s[i], t[i]});
  return out;
}

/// `count` pairs spread evenly over both networks; the last pair joins the last layers. With a student and a teacher of 12
/// layers and six pairs: 1, 3, 5, 7, 9, 11, as the published Mini-Swin recipe does. Precondition: 1 <= count <= both depths.
consteval LayerPairs spread_layers(int student_depth, int teacher_depth, int count) {
  if (count < 1 || count > student_depth || count > teacher_depth)
    throw "spread_layers: count must lie between 1 and both depths";
  LayerPairs out;
  for (int i = 1; i <= count; ++i) out.add({i * student_depth / count - 1, i * teacher_depth / count - 1});
  return out;
}

}  // namespace minivit::inline MINIVIT_ISA
