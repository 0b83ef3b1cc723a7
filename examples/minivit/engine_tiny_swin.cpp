// SPDX-License-Identifier: MIT
// Swin-T and Swin-S, which differ in the depth of one stage, and Mini-Swin-T and -S.
#include "engine_parts.hpp"
#include "typed_engine.hpp"

namespace cli {

std::unique_ptr<Engine> tiny_swin_engine(const mv::AnyConfig& config, const mv::StateDict* file,
                                         const EngineOptions& options) {
  constexpr auto mine = [](const mv::SwinConfig& c) { return c.dim == 96; };
  return engine_among<Swins, mine>(config, file, options);
}

}  // namespace cli
