// SPDX-License-Identifier: MIT
// The fields of a config as files name them: one list for each family, and how one field is written and read.
// config_json.hpp makes documents of them.
#pragma once

#include <minivit/io/json_value.hpp>
#include <minivit/models/any_config.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// What a file may say about a field.
struct FieldRule {
  int most = 0;  ///< numbers lie in 1 .. most
  /// younger than the format: left out of files when it has its default, which is what its absence means
  bool optional = false;
};

/// A field of a config. One type for all kinds of fields: what writes, reads and compares them is compiled once, not for
/// each field of each family.
struct ConfigField {
  std::string_view name;       ///< in files; a dot leads into an object
  FieldRule rule{};            ///< what may stand there
  int* number = nullptr;       ///< in the config that was asked, as are the others: one of them is not null
  bool* truth = nullptr;       ///< the same
  Pool* pool = nullptr;        ///< the same
  PerStage* stages = nullptr;  ///< the same

  ConfigField(std::string_view at, int* value, FieldRule r = {}) : name(at), rule(r), number(value) {}       ///< a number
  ConfigField(std::string_view at, bool* value, FieldRule r = {}) : name(at), rule(r), truth(value) {}       ///< a truth
  ConfigField(std::string_view at, Pool* value) : name(at), pool(value) {}                                   ///< a choice
  ConfigField(std::string_view at, PerStage* value, FieldRule r = {}) : name(at), rule(r), stages(value) {}  ///< numbers
};

/// The fields of `config`, which must outlive them.
inline std::vector<ConfigField> fields_of(ViTConfig& config) {
  // A new field of ViTConfig does not compile here until it is named.
  auto& [image, patch, channels, dim, depth, heads, mlp_ratio, classes, pool, distilled, sharing, position] = config;
  auto& [repeat, mix_heads, separate_norms, local_conv] = sharing;
  auto& [keys] = position;
  return {{"image", &image, {16384}},
          {"patch", &patch, {16384}},
          {"channels", &channels, {1024}},
          {"dim", &dim, {65536}},
          {"depth", &depth, {4096}},
          {"heads", &heads, {4096}},
          {"mlp_ratio", &mlp_ratio, {64}},
          {"classes", &classes, {1'000'000}},
          {"pool", &pool},
          {"distilled", &distilled},
          {"sharing.repeat", &repeat, {4096}},
          {"sharing.mix_heads", &mix_heads},
          {"sharing.separate_norms", &separate_norms, {.optional = true}},
          {"sharing.local_conv", &local_conv, {.optional = true}},
          {"position.keys", &keys}};
}

/// The same for SwinConfig.
inline std::vector<ConfigField> fields_of(SwinConfig& config) {
  auto& [image, patch, channels, dim, depths, heads, blocks, window, mlp_ratio, classes, transformations] = config;
  auto& [separate_norms, mix_heads, local_conv] = transformations;
  return {{"image", &image, {16384}},
          {"patch", &patch, {16384}},
          {"channels", &channels, {1024}},
          {"dim", &dim, {8192}},
          {"depths", &depths, {256}},
          {"heads", &heads, {4096}},
          {"blocks", &blocks, {256}},
          {"window", &window, {128}},
          {"mlp_ratio", &mlp_ratio, {64}},
          {"classes", &classes, {1'000'000}},
          {"transformations.separate_norms", &separate_norms},
          {"transformations.mix_heads", &mix_heads},
          {"transformations.local_conv", &local_conv}};
}

/// The same for a config of any family.
inline std::vector<ConfigField> fields_of(AnyConfig& config) {
  return std::visit([](auto& c) { return fields_of(c); }, config);
}

namespace detail {

/// Enumerators and their names in files.
inline constexpr std::pair<Pool, std::string_view> pool_names[] = {{Pool::cls, "cls"}, {Pool::mean, "mean"}};

template <class E, std::size_t N>
std::string enum_text(const std::pair<E, std::string_view> (&names)[N], E value) {
  for (const auto& [e, name] : names)
    if (e == value) return std::string(name);
  return std::to_string(static_cast<int>(value));  // not an enumerator; refused when read
}
template <class E, std::size_t N>
std::optional<E> enum_value(const std::pair<E, std::string_view> (&names)[N], const JsonValue& json) {
  const std::string* const text = json.as_string();
  for (const auto& [e, name] : names)
    if (text != nullptr && *text == name) return e;
  return std::nullopt;
}
template <class E, std::size_t N>
[[gnu::cold]] std::string enum_choices(const std::pair<E, std::string_view> (&names)[N]) {
  std::string text;
  for (const auto& [e, name] : names) text += concat({text.empty() ? "\"" : " or \"", name, "\""});
  return text;
}

/// A field as JSON. Of [2,2,6,2] zeros behind the last stage are left out.
inline std::string field_text(const ConfigField& field) {
  if (field.number != nullptr) return std::to_string(*field.number);
  if (field.truth != nullptr) return *field.truth ? "true" : "false";
  if (field.pool != nullptr) return json_string(enum_text(pool_names, *field.pool));
  const PerStage& stages = *field.stages;
  const auto end = std::find_if(stages.rbegin(), stages.rend(), [](int n) { return n != 0; }).base();
  return json_list(std::span(stages.begin(), end), [](int n) { return std::to_string(n); });
}

/// Whether `json` is a whole number from 1 to `most`; then `value` is set.
inline bool read_number(const JsonValue& json, int& value, int most) {
  const std::uint64_t* const number = json.as_count();
  const bool good = number != nullptr && *number >= 1 && *number <= static_cast<std::uint64_t>(most);
  if (good) value = static_cast<int>(*number);
  return good;
}

/// Reads a field; returns what was expected when `json` is not that.
inline std::string read_field(const JsonValue& json, const ConfigField& field) {
  const int most = field.rule.most;
  if (field.number != nullptr)
    return read_number(json, *field.number, most) ? std::string() : concat({"a whole number from 1 to ", most});
  if (field.truth != nullptr) {
    const bool* const value = json.as_boolean();
    if (value != nullptr) *field.truth = *value;
    return value != nullptr ? "" : "true or false";
  }
  if (field.pool != nullptr) {
    const auto value = enum_value(pool_names, json);
    if (value) *field.pool = *value;
    return value ? "" : enum_choices(pool_names);
  }
  PerStage& stages = *field.stages;
  const auto* const list = json.as_array();
  bool good = list != nullptr && !list->empty() && list->size() <= stages.size();
  stages = {};
  for (std::size_t s = 0; good && s < list->size(); ++s) good = read_number((*list)[s], stages[s], most);
  return good ? std::string() : concat({"an array of 1 to ", stages.size(), " whole numbers from 1 to ", most});
}

}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
