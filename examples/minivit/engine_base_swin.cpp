// SPDX-License-Identifier: MIT
// Swin-B and Mini-Swin-B for 224 pixels.
#include "engine_parts.hpp"
#include "typed_engine.hpp"

namespace cli {

std::unique_ptr<Engine> base_swin_engine(const mv::AnyConfig& config, const mv::StateDict* file,
                                         const EngineOptions& options) {
  constexpr auto mine = [](const mv::SwinConfig& c) { return c.dim == 128 && c.image == 224; };
  return engine_among<Swins, mine>(config, file, options);
}

}  // namespace cli
