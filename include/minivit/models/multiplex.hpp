// SPDX-License-Identifier: MIT
// multiplex: a trained model without sharing becomes a student whose layers share weights (MiniViT section 3.1), started
// from the teacher's weights. What the paper leaves open (how the layers of a group become one) is an option here.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

#include <charconv>

namespace minivit::inline MINIVIT_ISA {

/// How the weights that a group shares come from those of its layers in the teacher.
enum class GroupStart {
  average,  ///< mean of the layers' weights
  first,    ///< those of the group's first layer
  random    ///< a new start for the shared matrices; everything else still comes from the teacher
};

/// How transformations start that the teacher does not have.
enum class TransformStart {
  identity,  ///< head mixing passes every head through and the local convolution adds nothing (the norm in front of it
             ///< stays), so that the student begins where its weights say
  reference  ///< normal with deviation 0.02 as in the published code: scores and attention begin near zero
};

/// What the paper leaves open, and how it is decided.
struct MultiplexOptions {
  GroupStart group = GroupStart::average;                     ///< of weights that a group shares
  TransformStart transformations = TransformStart::identity;  ///< of what the teacher lacks
  std::uint64_t seed = 0;                                     ///< of what starts at random
};

/// The config of a student: the teacher's, with `sharing`, and with relative position on keys when `relative_keys` is set or
/// the teacher has it.
constexpr ViTConfig multiplexed(ViTConfig teacher, Sharing sharing, bool relative_keys = true) {
  teacher.sharing = sharing;
  teacher.position.keys = teacher.position.keys || relative_keys;
  return teacher;
}
/// The same for a Swin: `blocks` sets of weights in each stage, by default with all transformations.
constexpr SwinConfig multiplexed(SwinConfig teacher, PerStage blocks,
                                 SwinTransformations transformations = {
                                     .separate_norms = true, .mix_heads = true, .local_conv = true}) {
  teacher.blocks = blocks;
  teacher.transformations = transformations;
  return teacher;
}

/// Whether a student of one config can start from a teacher of the other: they may differ in sharing, and the student may
/// have transformations that the teacher lacks.
constexpr bool can_multiplex(const ViTConfig& student, ViTConfig teacher) {
  const bool keeps = (student.position.keys || !teacher.position.keys) &&
                     (student.sharing.mix_heads || !teacher.sharing.mix_heads) &&
                     (student.sharing.local_conv || !teacher.sharing.local_conv);  // everything that the teacher has
  const bool ready = teacher.sharing.repeat == 1 && keeps;
  teacher.sharing = student.sharing;
  teacher.position = student.position;
  return ready && student == teacher;
}
/// Likewise for Swins: the number of sets of weights may differ, all other sizes may not.
constexpr bool can_multiplex(const SwinConfig& student, SwinConfig teacher) {
  const SwinTransformations &s = student.transformations, &t = teacher.transformations;
  const bool keeps = (s.separate_norms || !t.separate_norms) && (s.mix_heads || !t.mix_heads) &&
                     (s.local_conv || !t.local_conv);
  const bool ready = teacher.blocks == teacher.depths && keeps;
  return ready && student == multiplexed(teacher, student.blocks, student.transformations);
}
constexpr bool can_multiplex(const ViTConfig&, const SwinConfig&) { return false; }  ///< never across families
constexpr bool can_multiplex(const SwinConfig&, const ViTConfig&) { return false; }  ///< never across families

namespace detail {

/// Where a parameter of a shared block stands: "blocks.2.block.norm1.instances.1.weight" is group 2, instance 1, part
/// "norm1.weight"; "layers.3.blocks.0.norm1_list.1.weight" is stage 3, group 0, instance 1, the same part.
struct BlockKey {
  int stage = 0;
  int group = -1;     // -1: not in a block
  int instance = -1;  // -1: shared by the group
  std::string part;
};

inline BlockKey block_key(const std::string& name) {
  std::string_view rest = name;
  const auto skip = [&](std::string_view word) {
    const bool found = rest.starts_with(word);
    if (found) rest.remove_prefix(word.size());
    return found;
  };
  const auto number = [&] {  // and the dot behind it
    int out = 0;
    rest.remove_prefix(
        static_cast<std::size_t>(std::from_chars(rest.data(), rest.data() + rest.size(), out).ptr - rest.data()) + 1);
    return out;
  };
  BlockKey key;
  if (skip("layers.")) key.stage = number();
  if (!skip("blocks.")) return {.part = name};
  key.group = number();
  skip("block.");
  for (const std::string_view mark : {".instances.", "_list.", "proj_l.", "proj_w."}) {
    const auto at = rest.find(mark);
    if (at == rest.npos) continue;
    const bool mixing = mark.starts_with("proj_");  // the mark is the part's own name
    key.part = std::string(rest.substr(0, mixing ? at + mark.size() - 1 : at)) + ".";
    rest.remove_prefix(at + mark.size());
    key.instance = number();
    break;
  }
  key.part += rest;
  return key;
}

/// Row of `table` for a part of a layer of a model without sharing; null when it has no such part.
inline const ParameterInfo* layer_parameter(const ParameterTable& table, int stage, int layer, const std::string& part) {
  for (const ParameterInfo& p : table) {
    const BlockKey key = block_key(p.name);
    if (key.stage == stage && key.group == layer && key.part == part) return &p;
  }
  return nullptr;
}

/// A start for a transformation that the teacher lacks and that makes no difference, as far as it can; relative position
/// tables are zero already.
template <class T>
void start_at_identity(const std::string& part, const ParameterInfo& p, T* out) {
  const auto is = [&](std::string_view name) { return part.find(name) != part.npos; };
  const bool mixes = is(".conv_l.") || is(".conv_w.") || is("proj_l.") || is("proj_w.");
  if (!mixes && !is("local_conv.")) return;
  for (Index i = 0; i < p.size; ++i) out[i] = T(mixes && p.shape.size() > 1 && i % (p.shape[0] + 1) == 0 ? 1 : 0);
}

/// Fills `student`, which has random weights; repeat(stage): layers on one set of weights.
template <class Student, class Teacher, class Repeat>
void multiplex_weights(Student& student, const Teacher& teacher, const MultiplexOptions& options, Repeat&& repeat) {
  using T = typename Student::Scalar;
  const ParameterTable& table = Teacher::parameter_table();
  for (const ParameterInfo& to : Student::parameter_table()) {
    T* const out = student.data() + to.offset;
    const BlockKey key = block_key(to.name);
    const int R = key.group < 0 ? 1 : repeat(key.stage), first = key.group * R;
    const auto from = [&](int layer) {
      if (key.group >= 0) return layer_parameter(table, key.stage, layer, key.part);
      const auto at = std::find_if(table.begin(), table.end(), [&](const ParameterInfo& p) { return p.name == to.name; });
      return at == table.end() ? nullptr : &*at;
    };
    const bool belongs_to_one = key.group < 0 || key.instance >= 0 || R == 1;
    const ParameterInfo* const source = from(first + std::max(key.instance, 0));
    if (source == nullptr) {
      if (options.transformations == TransformStart::identity) start_at_identity(key.part, to, out);
      continue;
    }
    if (belongs_to_one || options.group == GroupStart::first) {
      std::copy_n(teacher.data() + source->offset, to.size, out);
    } else if (options.group == GroupStart::average) {
      std::fill_n(out, to.size, T{0});
      for (int r = 0; r < R; ++r) {
        const T* const layer = teacher.data() + from(first + r)->offset;
        for (Index i = 0; i < to.size; ++i) out[i] += layer[i] / T(R);
      }
    }
  }
}

}  // namespace detail

/// A student of config `C` (see multiplexed()) from a trained `teacher` without sharing: every parameter outside the blocks
/// is copied, what belongs to one layer is copied from that layer, and what a group shares starts as `options.group` says.
/// Relative position tables that the teacher lacks start at zero, as in the reference, which changes nothing at first.
template <ViTConfig C, ViTConfig TeacherConfig, class T>
ViT<C, T> multiplex(const ViT<TeacherConfig, T>& teacher, const MultiplexOptions& options = {}) {
  static_assert(TeacherConfig.sharing.repeat == 1, "multiplex: the teacher's layers must not share weights");
  static_assert(can_multiplex(C, TeacherConfig),
                "multiplex: the student's config may differ from the teacher's in sharing and in added transformations "
                "only; see multiplexed()");
  ViT<C, T> student;
  initialise(student, options.seed);
  detail::multiplex_weights(student, teacher, options, [](int) { return C.sharing.repeat; });
  return student;
}

/// The same for a Swin.
template <SwinConfig C, SwinConfig TeacherConfig, class T>
Swin<C, T> multiplex(const Swin<TeacherConfig, T>& teacher, const MultiplexOptions& options = {}) {
  static_assert(TeacherConfig.blocks == TeacherConfig.depths, "multiplex: the teacher's layers must not share weights");
  static_assert(can_multiplex(C, TeacherConfig),
                "multiplex: the student's config may differ from the teacher's in blocks and added transformations only; "
                "see multiplexed()");
  Swin<C, T> student;
  initialise(student, options.seed);
  detail::multiplex_weights(student, teacher, options, [](int stage) { return C.repeat(stage); });
  return student;
}

}  // namespace minivit::inline MINIVIT_ISA
