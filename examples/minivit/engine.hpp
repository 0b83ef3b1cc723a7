// SPDX-License-Identifier: MIT
// Engine: any preset's Inference behind one interface, so that only the engine_*.cpp of this program instantiate all models.
#pragma once

#include <minivit/core/view.hpp>
#include <minivit/io/open_weights.hpp>
#include <minivit/models/any_config.hpp>

#include <memory>
#include <string>

namespace cli {

namespace mv = minivit;

struct EngineOptions {
  std::string precision = "f32";  ///< "f32", "bf16" or "int8"
  mv::Index max_batch = 1;
  int threads = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  /// `images`: [batch, channels, image, image]; returns [batch, classes], valid until the next call.
  virtual const float* logits(const float* images, mv::Index batch) = 0;
  /// Inference::calibrate; throws Error in another precision than int8.
  virtual void calibrate(const float* images, mv::Index batch) = 0;
  virtual mv::Index macs() const = 0;
  virtual mv::Index parameters() const = 0;
};

/// Weights from `file`, complete and of the right shapes; from seed 1 when it is null. Throws Error.
std::unique_ptr<Engine> make_engine(const mv::AnyConfig& config, const mv::StateDict* file, const EngineOptions& options);

/// The config in a file's metadata. Throws Error when the file has none.
mv::AnyConfig config_of(const mv::StateDict& file);

}  // namespace cli
