// SPDX-License-Identifier: MIT
// Swin-B and Mini-Swin-B for 384 pixels, and those for 32x32 images.
#include "engine_parts.hpp"
#include "typed_engine.hpp"

namespace cli {

std::unique_ptr<Engine> other_swin_engine(const mv::AnyConfig& config, const mv::StateDict* file,
                                          const EngineOptions& options) {
  constexpr auto mine = [](const mv::SwinConfig& c) { return c.image == 384 || c.image == 32; };
  return engine_among<Swins, mine>(config, file, options);
}

}  // namespace cli
