// SPDX-License-Identifier: MIT
// EXPECT: distillation: a pair names a layer that the student or the teacher does not have; layers are counted from 0
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>

namespace mv = minivit;

using Student = mv::ViT<mv::presets::mini_vit_nano_patch4_32>;
using Teacher = mv::ViT<mv::presets::vit_nano_patch4_32>;

#ifdef BAD
constexpr mv::LayerPairs pairs{{5, 6}};  // six layers: 0 to 5
#else
constexpr mv::LayerPairs pairs{{5, 5}};
#endif
using Loss = mv::WeightDistillation<mv::SwinDistillation, mv::AttentionRelations<pairs>>;

void make(Student& student, const Teacher& teacher) { mv::Trainer<Student, Teacher, Loss> trainer(student, teacher); }
