// SPDX-License-Identifier: MIT
// What pieces of code in the documentation may take for granted.
#pragma once

#include <minivit/minivit.hpp>

#include <cstdio>

namespace mv = minivit;

using Teacher = mv::ViT<[] {
  auto c = mv::presets::vit_nano_patch4_32;
  c.depth = 12;
  return c;
}()>;
using Student = mv::ViT<mv::multiplexed(Teacher::config, {.repeat = 2, .mix_heads = true})>;
using Model = Student;

extern Teacher teacher;
extern Student student;
extern Model model;
extern Model::Images images;
extern mv::Inference<Model> infer;
extern mv::Preprocessing how;
extern std::vector<std::string> names;
