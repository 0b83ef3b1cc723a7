// SPDX-License-Identifier: MIT
// libFuzzer's entry for one target: compiled with -DTARGET=weights -DTARGETS='"io_targets.hpp"'; see run.sh.
#include TARGETS

#include <cstdint>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::TARGET(std::as_bytes(std::span(data, size)));
  return 0;
}
