// SPDX-License-Identifier: MIT
// ViTConfig as JSON, for a file's metadata. One list names every field; writing, strict reading and comparing use it.
// Reading checks each field by itself; rules between fields are the model's (models/rules.hpp).
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/json_strict.hpp>
#include <minivit/models/config.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

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
std::optional<E> enum_value(const std::pair<E, std::string_view> (&names)[N], const nlohmann::json& json) {
  for (const auto& [e, name] : names)
    if (json.is_string() && json.get_ref<const std::string&>() == name) return e;
  return std::nullopt;
}
template <class E, std::size_t N>
std::string enum_choices(const std::pair<E, std::string_view> (&names)[N]) {
  std::string text;
  for (const auto& [e, name] : names) text += (text.empty() ? "\"" : " or \"") + std::string(name) + "\"";
  return text;
}

inline nlohmann::json field_json(int value) {
  return value;
}
inline nlohmann::json field_json(bool value) {
  return value;
}
inline nlohmann::json field_json(Pool value) {
  return enum_text(pool_names, value);
}

/// Reads a field; returns what was expected when `json` is not that. `most` bounds numbers.
inline std::string read_field(const nlohmann::json& json, int& value, int most) {
  if (!json.is_number_unsigned() || json.get<std::uint64_t>() < 1 ||
      json.get<std::uint64_t>() > static_cast<std::uint64_t>(most))
    return "a whole number from 1 to " + std::to_string(most);
  value = json.get<int>();
  return {};
}
inline std::string read_field(const nlohmann::json& json, bool& value, int = 0) {
  if (!json.is_boolean()) return "true or false";
  value = json.get<bool>();
  return {};
}
inline std::string read_field(const nlohmann::json& json, Pool& value, int = 0) {
  const auto pool = enum_value(pool_names, json);
  if (!pool) return enum_choices(pool_names);
  value = *pool;
  return {};
}

/// "sharing.repeat" to the path "/sharing/repeat" inside a JSON document.
inline std::string json_path(std::string_view name) {
  std::string path = "/" + std::string(name);
  std::ranges::replace(path, '.', '/');
  return path;
}

}  // namespace detail

/// {"channels":3,...,"sharing":{"mix_heads":true,"repeat":2}}: the same config gives the same text.
inline std::string to_json(const ViTConfig& config) {
  nlohmann::json document, defaults;
  const ViTConfig plain;
  for_each_field(plain, [&](std::string_view name, const auto& field, FieldRule) { defaults[std::string(name)] = detail::field_json(field); });
  for_each_field(config, [&](std::string_view name, const auto& field, FieldRule rule) {
    const auto value = detail::field_json(field);
    if (!rule.optional || value != defaults[std::string(name)]) document[nlohmann::json::json_pointer(detail::json_path(name))] = value;
  });
  return document.dump();
}

/// The config in `text`. Throws Error, beginning with `where`, that names a missing, unknown or wrong field.
inline ViTConfig config_from_json(std::string_view text, std::string_view where) {
  const nlohmann::json document = parse_json_strict(text, where, 4);
  if (!document.is_object())
    fail({.where = where, .what = "wrong config", .expected = "a JSON object", .found = document.type_name()});
  const nlohmann::json flat = document.flatten();
  ViTConfig config;
  std::set<std::string> known;
  for_each_field(config, [&](std::string_view name, auto& field, FieldRule rule) {
    const std::string path = detail::json_path(name);
    known.insert(path);
    const auto at = flat.find(path);
    if (at == flat.end() && rule.optional) return;
    if (at == flat.end()) fail({.where = where, .what = "config field '" + std::string(name) + "' is missing"});
    const std::string expected = detail::read_field(*at, field, rule.most);
    if (!expected.empty())
      fail({.where = where,
            .what = "config field '" + std::string(name) + "' is wrong",
            .expected = expected,
            .found = at->dump()});
  });
  for (const auto& [path, value] : flat.items())
    if (!known.contains(path))
      fail({.where = where,
            .what = "unknown config field '" + printable(path.substr(path.empty() ? 0 : 1), 60) + "'",
            .hint = "was the file written by a newer version?"});
  return config;
}

/// One field in which two configs differ, with both values as text.
struct ConfigDifference {
  std::string field, first, second;
};

/// The first field in which the configs differ, or nothing.
inline std::optional<ConfigDifference> first_difference(const ViTConfig& a, const ViTConfig& b) {
  std::vector<std::pair<std::string, std::string>> fields;
  for_each_field(a, [&](std::string_view name, const auto& field, FieldRule) {
    fields.emplace_back(name, detail::field_json(field).dump());
  });
  std::optional<ConfigDifference> found;
  std::size_t i = 0;
  for_each_field(b, [&](std::string_view, const auto& field, FieldRule) {
    const auto& [name, text] = fields[i++];
    if (std::string other = detail::field_json(field).dump(); !found && other != text)
      found = ConfigDifference{name, text, std::move(other)};
  });
  return found;
}

}  // namespace minivit::inline MINIVIT_ISA
