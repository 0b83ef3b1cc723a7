// SPDX-License-Identifier: MIT
// A look inside Swins for 32x32 images.
#include "typed_probe.hpp"

namespace cli {

std::unique_ptr<Probe> swin_probe(const mv::AnyConfig& config, const mv::StateDict& file, int threads) {
  return probe_among<Swins>(config, file, threads);
}

}  // namespace cli
