// SPDX-License-Identifier: MIT
// EXPECT: AttentionRelations: the number of relation heads must divide the width of the student and of the teacher
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>

namespace mv = minivit;

using Student = mv::ViT<mv::presets::mini_vit_nano_patch4_32>;
using Teacher = mv::ViT<mv::presets::vit_nano_patch4_32>;

#ifdef BAD
constexpr int heads = 5;
#else
constexpr int heads = 4;
#endif
using Loss = mv::WeightDistillation<mv::SwinDistillation, mv::AttentionRelations<mv::LayerPairs{{5, 5}}, heads>>;

void make(Student& student, const Teacher& teacher) { mv::Trainer<Student, Teacher, Loss> trainer(student, teacher); }
