// SPDX-License-Identifier: MIT
// ViTs for 32x32 images.
#include "engine_parts.hpp"
#include "typed_engine.hpp"

namespace cli {

std::unique_ptr<Engine> small_vit_engine(const mv::AnyConfig& config, const mv::StateDict* file,
                                         const EngineOptions& options) {
  constexpr auto mine = [](const mv::ViTConfig& c) { return c.image == 32; };
  return engine_among<ViTs, mine>(config, file, options);
}

}  // namespace cli
