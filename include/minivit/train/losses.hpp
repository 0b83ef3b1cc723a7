// SPDX-License-Identifier: MIT
// All losses. A loss is a plain value with one call:
//   LossValues values = loss(LossInputs<T, K>{...}, dlogits, ddistilled);
// It ADDS the gradient to dlogits and returns its share of the value, so a batch may be processed in chunks. Terms on
// features (relations.hpp) are joined to one of them by WeightDistillation.
#pragma once

#include <minivit/train/losses/cross_entropy.hpp>
#include <minivit/train/losses/distillation.hpp>
#include <minivit/train/losses/relations.hpp>
#include <minivit/train/losses/swin_distillation.hpp>
#include <minivit/train/losses/weight_distillation.hpp>
