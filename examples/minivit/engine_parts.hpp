// SPDX-License-Identifier: MIT
// The presets cut into parts, a source each (engine_*.cpp), so that none takes too long to compile. Each returns the engine
// of a config that is among its presets, else null. Models of the same widths and windows share most of their code and stand
// together.
#pragma once

#include "engine.hpp"

namespace cli {

std::unique_ptr<Engine> large_vit_engine(const mv::AnyConfig& config, const mv::StateDict* file,
                                         const EngineOptions& options);
std::unique_ptr<Engine> small_vit_engine(const mv::AnyConfig& config, const mv::StateDict* file,
                                         const EngineOptions& options);
std::unique_ptr<Engine> tiny_swin_engine(const mv::AnyConfig& config, const mv::StateDict* file,
                                         const EngineOptions& options);
std::unique_ptr<Engine> base_swin_engine(const mv::AnyConfig& config, const mv::StateDict* file,
                                         const EngineOptions& options);
std::unique_ptr<Engine> other_swin_engine(const mv::AnyConfig& config, const mv::StateDict* file,
                                          const EngineOptions& options);

}  // namespace cli
