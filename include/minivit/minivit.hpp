// SPDX-License-Identifier: MIT
// Everything, for users and examples. Parts whose third-party headers are missing are left out: io and run need
// nlohmann-json, data and run need range-v3 and stb. Inside the library include what you use.
#pragma once

#include <minivit/models/inference.hpp>
#include <minivit/models/init.hpp>
#include <minivit/models/multiplex.hpp>
#include <minivit/models/presets.hpp>
#include <minivit/models/resample.hpp>
#include <minivit/models/swin.hpp>
#include <minivit/models/vit.hpp>

#include <minivit/analysis/attention_maps.hpp>
#include <minivit/analysis/cka.hpp>
#include <minivit/analysis/distance.hpp>
#include <minivit/analysis/gradient_norms.hpp>
#include <minivit/analysis/heat_map.hpp>
#include <minivit/analysis/overlay.hpp>

#include <minivit/train/log.hpp>
#include <minivit/train/losses.hpp>
#include <minivit/train/plot.hpp>
#include <minivit/train/progress.hpp>
#include <minivit/train/signals.hpp>
#include <minivit/train/trainer.hpp>

#if __has_include(<nlohmann/json.hpp>)
#include <minivit/io/checkpoint.hpp>
#endif

#if __has_include(<range/v3/all.hpp>) && (__has_include(<stb/stb_image.h>) || __has_include(<stb_image.h>))
#include <minivit/data/image_write.hpp>
#include <minivit/data/loader.hpp>
#include <minivit/data/open.hpp>
#if __has_include(<nlohmann/json.hpp>)
#include <minivit/run/fit.hpp>
#endif
#endif
