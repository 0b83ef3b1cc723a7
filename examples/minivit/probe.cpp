// SPDX-License-Identifier: MIT
#include "probe.hpp"

#include "registry.hpp"

namespace cli {

std::unique_ptr<Probe> make_probe(const mv::AnyConfig& config, const mv::StateDict& file, int threads) {
  const int image = std::visit([](const auto& c) { return c.image; }, config);
  if (image != 32)
    mv::fail({.where = file.where(),
              .what = "this program analyses models for 32x32 images",
              .found = std::to_string(image),
              .hint = "for larger ones call cka(), feature_distance(), attention_maps() and gradient_norms() of "
                      "minivit/analysis/*.hpp: "
                      "docs/how-to/analyse.md"});
  auto probe = vit_probe(config, file, threads);
  if (!probe) probe = swin_probe(config, file, threads);
  if (!probe) fail_unknown(config, file.where());
  return probe;
}

}  // namespace cli
