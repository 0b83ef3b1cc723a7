// SPDX-License-Identifier: MIT
// EXPECT: distillation: features are compared token by token, so both layers of a pair need the same number of patches per side
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>

namespace mv = minivit;

constexpr auto student_config = [] {
  auto c = mv::presets::mini_vit_nano_patch4_32;
#ifdef BAD
  c.patch = 8;
#endif
  return c;
}();
using Student = mv::ViT<student_config>;
using Teacher = mv::ViT<mv::presets::vit_nano_patch4_32>;
using Loss = mv::WeightDistillation<mv::SwinDistillation, mv::HiddenRelations<mv::LayerPairs{{5, 5}}>>;

void make(Student& student, const Teacher& teacher) { mv::Trainer<Student, Teacher, Loss> trainer(student, teacher); }
