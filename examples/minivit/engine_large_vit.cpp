// SPDX-License-Identifier: MIT
// DeiT and Mini-DeiT for 224 and 384 pixels.
#include "engine_parts.hpp"
#include "typed_engine.hpp"

namespace cli {

std::unique_ptr<Engine> large_vit_engine(const mv::AnyConfig& config, const mv::StateDict* file,
                                         const EngineOptions& options) {
  constexpr auto mine = [](const mv::ViTConfig& c) { return c.image != 32; };
  return engine_among<ViTs, mine>(config, file, options);
}

}  // namespace cli
