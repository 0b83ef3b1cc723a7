// SPDX-License-Identifier: MIT
// What a program needs that classifies pictures with trained weights: models, their files, pictures. Takes about half the time to compile
// that minivit.hpp takes, which adds training, data sets and analysis (docs/explanation/compile_cost.md). Needs nlohmann-json and stb.
#pragma once

#include <minivit/models/inference.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

#include <minivit/data/preprocess.hpp>
#include <minivit/io/checkpoint.hpp>
