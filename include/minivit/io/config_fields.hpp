// SPDX-License-Identifier: MIT
// The fields of a config as files name them: one list for each family, and how one field is written and read. config_json.hpp makes
// documents of them.
#pragma once

#include <minivit/io/json_value.hpp>
#include <minivit/models/config.hpp>
#include <minivit/models/swin_config.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace minivit::inline MINIVIT_ISA {

/// What a file may say about a field.
struct FieldRule {
  int most = 0;          ///< numbers lie in 1 .. most
  bool optional = false; ///< younger than the format: left out of files when it has its default, which is what its absence means
};

/// Calls f(name, field, FieldRule) for each field. `Config` is ViTConfig or const ViTConfig.
template <class Config, class F>
requires std::is_same_v<std::remove_const_t<Config>, ViTConfig>
constexpr void for_each_field(Config& config, F&& f) {
  // A new field of ViTConfig does not compile here until it is named.
  auto& [image, patch, channels, dim, depth, heads, mlp_ratio, classes, pool, distilled, sharing, position] = config;
  auto& [repeat, mix_heads, separate_norms, local_conv] = sharing;
  auto& [keys] = position;
  f("image", image, FieldRule{16384});
  f("patch", patch, FieldRule{16384});
  f("channels", channels, FieldRule{1024});
  f("dim", dim, FieldRule{65536});
  f("depth", depth, FieldRule{4096});
  f("heads", heads, FieldRule{4096});
  f("mlp_ratio", mlp_ratio, FieldRule{64});
  f("classes", classes, FieldRule{1'000'000});
  f("pool", pool, FieldRule{});
  f("distilled", distilled, FieldRule{});
  f("sharing.repeat", repeat, FieldRule{4096});
  f("sharing.mix_heads", mix_heads, FieldRule{});
  f("sharing.separate_norms", separate_norms, FieldRule{.optional = true});
  f("sharing.local_conv", local_conv, FieldRule{.optional = true});
  f("position.keys", keys, FieldRule{});
}

/// The same for SwinConfig.
template <class Config, class F>
requires std::is_same_v<std::remove_const_t<Config>, SwinConfig>
constexpr void for_each_field(Config& config, F&& f) {
  auto& [image, patch, channels, dim, depths, heads, blocks, window, mlp_ratio, classes, transformations] = config;
  auto& [separate_norms, mix_heads, local_conv] = transformations;
  f("image", image, FieldRule{16384});
  f("patch", patch, FieldRule{16384});
  f("channels", channels, FieldRule{1024});
  f("dim", dim, FieldRule{8192});
  f("depths", depths, FieldRule{256});
  f("heads", heads, FieldRule{4096});
  f("blocks", blocks, FieldRule{256});
  f("window", window, FieldRule{128});
  f("mlp_ratio", mlp_ratio, FieldRule{64});
  f("classes", classes, FieldRule{1'000'000});
  f("transformations.separate_norms", separate_norms, FieldRule{});
  f("transformations.mix_heads", mix_heads, FieldRule{});
  f("transformations.local_conv", local_conv, FieldRule{});
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
  const auto* const text = json.as<std::string>();
  for (const auto& [e, name] : names)
    if (text != nullptr && *text == name) return e;
  return std::nullopt;
}
template <class E, std::size_t N>
std::string enum_choices(const std::pair<E, std::string_view> (&names)[N]) {
  std::string text;
  for (const auto& [e, name] : names) text += (text.empty() ? "\"" : " or \"") + std::string(name) + "\"";
  return text;
}

/// A field as JSON.
inline std::string field_text(int value) {
  return std::to_string(value);
}
inline std::string field_text(bool value) {
  return value ? "true" : "false";
}
inline std::string field_text(Pool value) {
  return '"' + enum_text(pool_names, value) + '"';
}
/// [2,2,6,2]; zeros behind the last stage are left out.
inline std::string field_text(const PerStage& value) {
  const auto end = std::find_if(value.rbegin(), value.rend(), [](int n) { return n != 0; }).base();
  return json_list(std::span(value.begin(), end), [](int n) { return std::to_string(n); });
}

/// Reads a field; returns what was expected when `json` is not that. `most` bounds numbers.
inline std::string read_field(const JsonValue& json, int& value, int most) {
  const auto* const number = json.as<std::uint64_t>();
  if (number == nullptr || *number < 1 || *number > static_cast<std::uint64_t>(most)) return "a whole number from 1 to " + std::to_string(most);
  value = static_cast<int>(*number);
  return {};
}
inline std::string read_field(const JsonValue& json, bool& value, int = 0) {
  const auto* const truth = json.as<bool>();
  if (truth == nullptr) return "true or false";
  value = *truth;
  return {};
}
inline std::string read_field(const JsonValue& json, Pool& value, int = 0) {
  const auto pool = enum_value(pool_names, json);
  if (!pool) return enum_choices(pool_names);
  value = *pool;
  return {};
}
inline std::string read_field(const JsonValue& json, PerStage& value, int most) {
  const auto* const list = json.as<JsonValue::Array>();
  bool good = list != nullptr && !list->empty() && list->size() <= value.size();
  value = {};
  for (std::size_t s = 0; good && s < list->size(); ++s) good = read_field((*list)[s], value[s], most).empty();
  return good ? "" : "an array of 1 to " + std::to_string(value.size()) + " whole numbers from 1 to " + std::to_string(most);
}

}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA
