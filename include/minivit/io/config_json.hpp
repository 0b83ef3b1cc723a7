// SPDX-License-Identifier: MIT
// Configs as JSON, for a file's metadata: written, read strictly and compared by the lists in config_fields.hpp. "family" tells the
// families apart; files of a ViT have none, as before there was a second family. Reading checks each field by itself; rules between
// fields are the model's (models/rules.hpp, swin_rules.hpp).
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/config_fields.hpp>
#include <minivit/models/any_config.hpp>

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

namespace detail {

/// "sharing.repeat" to its place in a JSON document.
inline nlohmann::json::json_pointer json_place(std::string_view name) {
  std::string path = "/" + std::string(name);
  std::ranges::replace(path, '.', '/');
  return nlohmann::json::json_pointer(path);
}

/// Throws Error for a leaf of `document` that is neither a known field nor inside one.
inline void require_known(const nlohmann::json& document, const std::set<std::string>& known, std::string_view where) {
  const nlohmann::json flat = document.flatten();
  for (const auto& [path, value] : flat.items()) {
    const auto inside = [&](const std::string& field) { return path == field || (path.starts_with(field) && path[field.size()] == '/'); };
    if (std::ranges::none_of(known, inside))
      fail({.where = where,
            .what = "unknown config field '" + printable(path.substr(path.empty() ? 0 : 1), 60) + "'",
            .hint = "was the file written by a newer version?"});
  }
}

/// The fields of `Config` in a document that belongs to its family.
template <class Config>
Config read_fields(const nlohmann::json& document, std::string_view where) {
  Config config;
  std::set<std::string> known{"/family"};
  for_each_field(config, [&](std::string_view name, auto& field, FieldRule rule) {
    const auto place = json_place(name);
    known.insert(place.to_string());
    const bool there = document.contains(place);
    if (!there && rule.optional) return;
    if (!there) fail({.where = where, .what = "config field '" + std::string(name) + "' is missing"});
    const std::string expected = read_field(document.at(place), field, rule.most);
    if (!expected.empty())
      fail({.where = where,
            .what = "config field '" + std::string(name) + "' is wrong",
            .expected = expected,
            .found = document.at(place).dump()});
  });
  require_known(document, known, where);
  return config;
}

/// Every field and its value as text.
template <class Config>
std::vector<std::pair<std::string, std::string>> field_texts(const Config& config) {
  std::vector<std::pair<std::string, std::string>> fields;
  for_each_field(config, [&](std::string_view name, const auto& field, FieldRule) { fields.emplace_back(name, field_json(field).dump()); });
  return fields;
}

}  // namespace detail

/// {"channels":3,...,"sharing":{"mix_heads":true,"repeat":2}}: the same config gives the same text.
inline std::string to_json(const AnyConfig& any) {
  return std::visit([]<class Config>(const Config& config) {
    nlohmann::json document;
    if constexpr (!std::is_same_v<Config, ViTConfig>) document["family"] = family_name(config);
    const auto defaults = detail::field_texts(Config{});
    std::size_t i = 0;
    for_each_field(config, [&](std::string_view name, const auto& field, FieldRule rule) {
      const auto value = detail::field_json(field);
      if (const bool plain = value.dump() == defaults[i++].second; !rule.optional || !plain) document[detail::json_place(name)] = value;
    });
    return document.dump();
  }, any);
}

/// The config in `text`. Throws Error, beginning with `where`, that names a missing, unknown or wrong field.
inline AnyConfig config_from_json(std::string_view text, std::string_view where) {
  const nlohmann::json document = parse_json_strict(text, where, 4);
  if (!document.is_object())
    fail({.where = where, .what = "wrong config", .expected = "a JSON object", .found = document.type_name()});
  const auto family = document.find("family");
  const auto is = [&](const char* name) { return family->is_string() && family->get_ref<const std::string&>() == name; };
  if (family == document.end() || is(family_name(ViTConfig{}))) return detail::read_fields<ViTConfig>(document, where);
  if (is(family_name(SwinConfig{}))) return detail::read_fields<SwinConfig>(document, where);
  fail({.where = where,
        .what = "config field 'family' is wrong",
        .expected = R"("vit" or "swin")",
        .found = family->dump(),
        .hint = "was the file written by a newer version?"});
}

/// One field in which two configs differ, with both values as text.
struct ConfigDifference {
  std::string field, first, second;  ///< name as in JSON, and both values
};

/// The first field in which the configs differ, or nothing. The first field of all is "family".
inline std::optional<ConfigDifference> first_difference(const AnyConfig& a, const AnyConfig& b) {
  const auto text = [](const AnyConfig& c) { return std::visit([](const auto& config) { return std::string(family_name(config)); }, c); };
  if (a.index() != b.index()) return ConfigDifference{"family", text(a), text(b)};
  const auto fields = [](const AnyConfig& c) { return std::visit([](const auto& config) { return detail::field_texts(config); }, c); };
  const auto first = fields(a), second = fields(b);
  for (std::size_t i = 0; i < first.size(); ++i)
    if (first[i] != second[i]) return ConfigDifference{first[i].first, first[i].second, second[i].second};
  return std::nullopt;
}

}  // namespace minivit::inline MINIVIT_ISA
