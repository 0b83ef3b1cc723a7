// SPDX-License-Identifier: MIT
// multiplex: a trained model without sharing becomes a student whose layers share weights (MiniViT section 3.1), started from
// the teacher's weights. What the paper leaves open (how the layers of a group become one) is an option here.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/models/init.hpp>
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
  identity,  ///< head mixing passes every head through and the local convolution adds nothing (the norm in front of it stays), so that
             ///< the student begins where its weights say
  reference  ///< normal with deviation 0.02 as in the published code: scores and attention begin near zero
};

struct MultiplexOptions {
  GroupStart group = GroupStart::average;
  TransformStart transformations = TransformStart::identity;
  std::uint64_t seed = 0;  ///< of what starts at random
};

/// The config of a student: the teacher's, with `sharing`, and with relative position on keys when `relative_keys` is set or the
/// teacher has it.
constexpr ViTConfig multiplexed(ViTConfig teacher, Sharing sharing, bool relative_keys = true) {
  teacher.sharing = sharing;
  teacher.position.keys = teacher.position.keys || relative_keys;
  return teacher;
}

/// Whether a student of one config can start from a teacher of the other: they may differ in sharing and relative position only.
constexpr bool can_multiplex(const ViTConfig& student, ViTConfig teacher) {
  const bool ready = teacher.sharing.repeat == 1 && (student.position.keys || !teacher.position.keys);
  teacher.sharing = student.sharing;
  teacher.position = student.position;
  return ready && student == teacher;
}

namespace detail {

/// Where a parameter of a shared block stands: "blocks.2.block.norm1.instances.1.weight" is group 2, instance 1, part
/// "norm1.weight".
struct BlockKey {
  int group = -1;     // -1: not in a block
  int instance = -1;  // -1: shared by the group
  std::string part;
};

inline BlockKey block_key(const std::string& name) {
  constexpr std::string_view blocks = "blocks.", block = "block.", instances = ".instances.";
  BlockKey key;
  if (!name.starts_with(blocks)) return {.part = name};
  const auto number = [&](std::size_t at, int& out) {
    const auto [end, error] = std::from_chars(name.data() + at, name.data() + name.size(), out);
    return static_cast<std::size_t>(end - name.data()) + 1;  // behind the dot
  };
  const std::size_t at = number(blocks.size(), key.group);
  key.part = name.substr(at);
  if (key.part.starts_with(block)) key.part.erase(0, block.size());
  if (const auto where = key.part.find(instances); where != std::string::npos) {
    const auto behind = number(name.size() - (key.part.size() - where) + instances.size(), key.instance);
    key.part = key.part.substr(0, where) + "." + name.substr(behind);
  }
  return key;
}

/// Row of `table` for a part of layer l of a model without sharing; null when it has no such part.
inline const ParameterInfo* layer_parameter(const ParameterTable& table, int layer, const std::string& part) {
  for (const ParameterInfo& p : table) {
    const BlockKey key = block_key(p.name);
    if (key.group == layer && key.part == part) return &p;
  }
  return nullptr;
}

}  // namespace detail

/// A student of config `C` (see multiplexed()) from a trained `teacher` without sharing: every parameter outside the blocks is
/// copied, what belongs to one layer is copied from that layer, and what a group shares starts as `options.group` says. Relative
/// position tables that the teacher lacks start at zero, as in the reference, which changes nothing at first.
template <ViTConfig C, ViTConfig TeacherConfig, class T>
ViT<C, T> multiplex(const ViT<TeacherConfig, T>& teacher, const MultiplexOptions& options = {}) {
  static_assert(TeacherConfig.sharing.repeat == 1, "multiplex: the teacher's layers must not share weights");
  static_assert(can_multiplex(C, TeacherConfig),
                "multiplex: the student's config may differ from the teacher's in sharing and added relative position only; see multiplexed()");
  using Student = ViT<C, T>;
  using Teacher = ViT<TeacherConfig, T>;
  constexpr int R = C.sharing.repeat;
  Student student;
  initialise(student, options.seed);
  const ParameterTable& table = Teacher::parameter_table();
  for (const ParameterInfo& to : Student::parameter_table()) {
    T* const out = student.data() + to.offset;
    const detail::BlockKey key = detail::block_key(to.name);
    const auto from = [&](int layer) {
      if (key.group >= 0) return detail::layer_parameter(table, layer, key.part);
      const auto at = std::find_if(table.begin(), table.end(), [&](const ParameterInfo& p) { return p.name == to.name; });
      return at == table.end() ? nullptr : &*at;
    };
    const int first = key.group * R;
    const bool belongs_to_one = key.group < 0 || key.instance >= 0 || R == 1;
    const ParameterInfo* const source = from(first + std::max(key.instance, 0));
    if (source == nullptr) {  // a transformation that the teacher lacks; relative position tables are zero already
      if (options.transformations == TransformStart::identity && key.part.find(".conv_") != std::string::npos)
        for (Index i = 0; i < to.size; ++i) out[i] = T(i % (C.heads + 1) == 0 ? 1 : 0);
      if (options.transformations == TransformStart::identity && key.part.starts_with("local_conv.")) std::fill_n(out, to.size, T{0});
      continue;
    }
    if (belongs_to_one || options.group == GroupStart::first) {
      std::copy_n(teacher.data() + source->offset, to.size, out);
    } else if (options.group == GroupStart::average) {
      std::fill_n(out, to.size, T{0});
      for (int r = 0; r < R; ++r)
        for (Index i = 0; i < to.size; ++i) out[i] += teacher.data()[from(first + r)->offset + i] / T(R);
    }
  }
  return student;
}

}  // namespace minivit::inline MINIVIT_ISA
