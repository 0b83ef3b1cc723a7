// SPDX-License-Identifier: MIT
// What a program needs that classifies pictures with trained weights: models, safetensors files, pictures. Takes half the
// time to compile that minivit.hpp takes, which adds training, data sets, analysis and the readers of .pth files
// (docs/explanation/compile_cost.md). Needs nlohmann-json and stb.
#pragma once

#include <minivit/models/inference.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

#include <minivit/data/preprocess.hpp>
#include <minivit/io/load.hpp>
#include <minivit/io/safetensors_reader.hpp>
