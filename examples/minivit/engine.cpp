// SPDX-License-Identifier: MIT
#include "engine.hpp"

#include "engine_parts.hpp"
#include "registry.hpp"

#include <minivit/io/checkpoint_info.hpp>

namespace cli {

std::unique_ptr<Engine> make_engine(const mv::AnyConfig& config, const mv::StateDict* file, const EngineOptions& options) {
  if (options.precision != "f32" && options.precision != "bf16" && options.precision != "int8")
    mv::fail({.where = "--precision " + options.precision, .what = "not available", .expected = "f32, bf16 or int8"});
  for (const auto part : {large_vit_engine, small_vit_engine, tiny_swin_engine, base_swin_engine, other_swin_engine})
    if (auto engine = part(config, file, options)) return engine;
  fail_unknown(config, file ? file->where() : "model");
}

mv::AnyConfig config_of(const mv::StateDict& file) {
  if (const auto config = mv::read_config(file)) return *config;
  mv::fail({.where = file.where(),
            .what = "the file does not say which model it holds",
            .expected = "metadata 'minivit.config'",
            .hint = "'minivit convert FILE NEW --model NAME' writes a file that does"});
}

}  // namespace cli
