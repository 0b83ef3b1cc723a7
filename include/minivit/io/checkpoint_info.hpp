// SPDX-License-Identifier: MIT
// What a checkpoint says about its model beside the weights: how images are prepared, what the classes are called, the
// config. Wrong mean and deviation cost more accuracy than most bugs, so they travel with the weights.
#pragma once

#include <minivit/core/preprocessing.hpp>
#include <minivit/io/config_json.hpp>
#include <minivit/io/state_dict.hpp>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// Everything in a checkpoint's metadata but the config.
struct CheckpointInfo {
  Preprocessing preprocessing{};                           ///< how a picture becomes the model's input
  std::vector<std::string> class_names{};                  ///< empty when unknown, else one per class
  std::map<std::string, std::string> extra{};              ///< free text; keys must not begin with "minivit."
  std::string model{};                                     ///< name of the model, e.g. "mini_deit_tiny_patch16_224"
  bool operator==(const CheckpointInfo&) const = default;  ///< equal in every field
};

namespace detail {

inline constexpr const char* config_key = "minivit.config";
inline constexpr const char* preprocessing_key = "minivit.preprocessing";
inline constexpr const char* classes_key = "minivit.classes";
inline constexpr const char* model_key = "minivit.model";
inline constexpr std::string_view own_keys = "minivit.";

inline constexpr std::pair<Interpolation, std::string_view> interpolation_names[] = {{Interpolation::bilinear, "bilinear"},
                                                                                     {Interpolation::bicubic, "bicubic"}};
inline constexpr std::pair<CropMode, std::string_view> crop_mode_names[] = {
    {CropMode::center, "center"}, {CropMode::squash, "squash"}, {CropMode::border, "border"}};

/// A float by its shortest text, 0.485 instead of 0.48500001430511475; reading it gives the same float.
inline std::string float_text(float value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  const JsonValue shortest = parse_json_strict({text, end}, "a float", 1);
  return static_cast<float>(shortest.real) == value ? shortest.text : double_text(static_cast<double>(value));
}

/// Infinity when the number does not fit in a float. Precondition: `json` is a number.
inline float json_float(const JsonValue& json) {
  const double value = json.real;
  constexpr auto most = std::numeric_limits<float>::max();
  return std::abs(value) <= static_cast<double>(most) ? static_cast<float>(value) : std::numeric_limits<float>::infinity();
}

/// Number and range of each field, checked before writing and after reading.
inline void check_preprocessing(const Preprocessing& p, std::string_view where) {
  const auto refuse = [&](const char* field, const char* expected, float found) {
    fail({.where = where,
          .what = concat({"preprocessing field '", field, "' is wrong"}),
          .expected = expected,
          .found = std::to_string(found)});
  };
  for (const float m : p.mean)
    if (!std::isfinite(m)) refuse("mean", "finite numbers", m);
  for (const float s : p.std)
    if (!std::isfinite(s) || s <= 0) refuse("std", "finite numbers above 0", s);
  if (!(p.crop_pct > 0 && p.crop_pct <= 1)) refuse("crop_pct", "a number above 0, at most 1", p.crop_pct);
}

/// One name per class, or none at all.
inline void check_class_names(const CheckpointInfo& info, int classes, std::string_view where) {
  if (info.class_names.empty() || info.class_names.size() == static_cast<std::size_t>(classes)) return;
  fail({.where = where,
        .what = "wrong number of class names",
        .expected = std::to_string(classes),
        .found = std::to_string(info.class_names.size())});
}

}  // namespace detail

/// {"crop_pct":0.875,"interpolation":"bicubic","mean":[...],"std":[...]}, and "crop_mode" unless that is center. Throws
/// Error when a number is out of range.
inline std::string to_json(const Preprocessing& p, std::string_view where = "preprocessing") {
  detail::check_preprocessing(p, where);
  const auto quoted = [](const std::string& name) { return '"' + name + '"'; };
  std::vector<std::pair<std::string, std::string>> fields{
      {"mean", json_list(p.mean, detail::float_text)},
      {"std", json_list(p.std, detail::float_text)},
      {"crop_pct", detail::float_text(p.crop_pct)},
      {"interpolation", quoted(detail::enum_text(detail::interpolation_names, p.interpolation))}};
  if (p.crop_mode != CropMode::center)
    fields.emplace_back("crop_mode", quoted(detail::enum_text(detail::crop_mode_names, p.crop_mode)));
  return json_object(std::move(fields));
}

/// Inverse of to_json. Throws Error that names a missing, unknown or wrong field.
inline Preprocessing preprocessing_from_json(std::string_view text, std::string_view where) {
  const JsonValue document = parse_json_strict(text, where, 3);
  const auto wrong = [&](const std::string& field, const std::string& expected, const std::string& found) {
    fail({.where = where,
          .what = concat({"preprocessing field '", field, "' is wrong"}),
          .expected = expected,
          .found = found});
  };
  const auto* const fields = document.as_object();
  if (fields == nullptr) wrong("", "a JSON object", std::string(document.type_name()));
  for (const JsonValue& field : *fields)
    if (const auto& name = field.name;
        name != "mean" && name != "std" && name != "crop_pct" && name != "interpolation" && name != "crop_mode")
      wrong(printable(name, 60), "mean, std, crop_pct, interpolation or crop_mode", "an unknown field");
  const auto field = [&](const char* name) -> const JsonValue& {
    const JsonValue* const at = document.find(name);
    if (at == nullptr) wrong(name, "a value", "none");
    return *at;
  };
  Preprocessing p;
  const auto read_three = [&](const char* name, std::array<float, 3>& out) {
    const auto* const list = field(name).as_array();
    if (list == nullptr || list->size() != 3 ||
        !std::ranges::all_of(*list, [](const JsonValue& x) { return x.as_number() != nullptr; }))
      wrong(name, "3 numbers", field(name).json());
    for (std::size_t i = 0; i < 3; ++i) out[i] = detail::json_float((*list)[i]);
  };
  read_three("mean", p.mean);
  read_three("std", p.std);
  if (field("crop_pct").as_number() == nullptr) wrong("crop_pct", "a number", field("crop_pct").json());
  p.crop_pct = detail::json_float(field("crop_pct"));
  const auto interpolation = detail::enum_value(detail::interpolation_names, field("interpolation"));
  if (!interpolation)
    wrong("interpolation", detail::enum_choices(detail::interpolation_names), field("interpolation").json());
  p.interpolation = *interpolation;
  if (const JsonValue* const at = document.find("crop_mode"); at != nullptr) {
    const auto mode = detail::enum_value(detail::crop_mode_names, *at);
    if (!mode) wrong("crop_mode", detail::enum_choices(detail::crop_mode_names), at->json());
    p.crop_mode = *mode;
  }
  detail::check_preprocessing(p, where);
  return p;
}

/// The config in a file's metadata, or nothing when it has none. Throws Error when it is damaged.
inline std::optional<AnyConfig> read_config(const StateDict& file) {
  const auto at = file.metadata().find(detail::config_key);
  if (at == file.metadata().end()) return std::nullopt;
  return config_from_json(at->second, concat({file.where(), ": ", detail::config_key}));
}

/// Metadata of a file written by save(); what is absent keeps its default. Throws Error when a part is damaged or the number
/// of class names differs from the config in the file.
inline CheckpointInfo read_info(const StateDict& file) {
  CheckpointInfo info;
  for (const auto& [key, value] : file.metadata()) {
    const std::string where = concat({file.where(), ": ", printable(key, 40)});
    if (key == detail::preprocessing_key) info.preprocessing = preprocessing_from_json(value, where);
    if (key == detail::model_key) info.model = value;
    if (key == detail::classes_key)  // as many as a config may have
      info.class_names = parse_json_strings(value, where, "class names", 1'000'000);
    if (!key.starts_with(detail::own_keys)) info.extra[key] = value;
  }
  if (const auto config = read_config(file)) detail::check_class_names(info, input_output(*config).classes, file.where());
  return info;
}

/// The metadata that save() writes. Throws Error when a part is out of range or the number of class names is not
/// the config's `classes`.
inline std::map<std::string, std::string> metadata_of(const AnyConfig& config, const CheckpointInfo& info,
                                                      std::string_view where) {
  std::map<std::string, std::string> metadata = info.extra;
  for (const auto& [key, value] : metadata)
    if (key.starts_with(detail::own_keys))
      fail({.where = where,
            .what = concat({"extra metadata key '", printable(key, 60), "' is reserved"}),
            .hint = "choose another prefix"});
  metadata[detail::config_key] = to_json(config);
  metadata[detail::preprocessing_key] = to_json(info.preprocessing, where);
  if (!info.model.empty()) metadata[detail::model_key] = info.model;
  detail::check_class_names(info, input_output(config).classes, where);
  if (!info.class_names.empty()) {
    metadata[detail::classes_key] = json_list(
        info.class_names, [&](const std::string& name) { return json_quoted(name, where, "class name"); });
  }
  return metadata;
}

}  // namespace minivit::inline MINIVIT_ISA
