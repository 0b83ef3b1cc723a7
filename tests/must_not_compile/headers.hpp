// SPDX-License-Identifier: MIT
// What the cases include, for all of them at once.
#pragma once

#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>
#include <minivit/train/trainer.hpp>
