// SPDX-License-Identifier: MIT
// EXPECT: Trainer: W, what products multiply, must be the student's own type, or bf16 for a student in float
#include <minivit/models/presets.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>

namespace mv = minivit;

using Student = mv::ViT<mv::presets::vit_nano_patch4_32>;
#ifdef BAD
template class mv::Trainer<Student, void, mv::SoftTargetCrossEntropy, mv::int8>;
#else
template class mv::Trainer<Student, void, mv::SoftTargetCrossEntropy, mv::bf16>;
#endif
