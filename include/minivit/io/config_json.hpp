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

/// The value of the field "dim", or "sharing.repeat", which is a member of a member; null when there is none.
inline const JsonValue* find_field(const JsonValue& document, std::string_view name) {
  const std::size_t dot = name.find('.');
  const JsonValue* const outer = document.find(name.substr(0, dot));
  return outer == nullptr || dot == std::string_view::npos ? outer : outer->find(name.substr(dot + 1));
}

/// Throws Error for a part of `value` that is none of the `known` fields, holds none and is in none. `path` leads to `value`.
inline void require_known(const JsonValue& value, const std::string& path, const std::set<const JsonValue*>& known, std::string_view where) {
  if (known.contains(&value)) return;
  const auto below = [&](const std::string& name) { return path.empty() ? name : path + "/" + name; };
  const auto* const object = value.as<JsonValue::Object>();
  const auto* const array = value.as<JsonValue::Array>();
  if (object != nullptr && !object->empty()) {
    for (const auto& [name, member] : *object) require_known(member, below(name), known, where);
  } else if (array != nullptr && !array->empty()) {
    for (std::size_t i = 0; i < array->size(); ++i) require_known((*array)[i], below(std::to_string(i)), known, where);
  } else {
    fail({.where = where,
          .what = "unknown config field '" + printable(path, 60) + "'",
          .hint = "was the file written by a newer version?"});
  }
}

/// The fields of `Config` in a document that belongs to its family.
template <class Config>
Config read_fields(const JsonValue& document, std::string_view where) {
  Config config;
  std::set<const JsonValue*> known{document.find("family")};
  for_each_field(config, [&](std::string_view name, auto& field, FieldRule rule) {
    const JsonValue* const value = find_field(document, name);
    if (value == nullptr && rule.optional) return;
    if (value == nullptr) fail({.where = where, .what = "config field '" + std::string(name) + "' is missing"});
    known.insert(value);
    const std::string expected = read_field(*value, field, rule.most);
    if (!expected.empty())
      fail({.where = where,
            .what = "config field '" + std::string(name) + "' is wrong",
            .expected = expected,
            .found = value->text()});
  });
  require_known(document, "", known, where);
  return config;
}

/// Every field and its value as text.
template <class Config>
std::vector<std::pair<std::string, std::string>> field_texts(const Config& config) {
  std::vector<std::pair<std::string, std::string>> fields;
  for_each_field(config, [&](std::string_view name, const auto& field, FieldRule) { fields.emplace_back(name, field_text(field)); });
  return fields;
}

}  // namespace detail

/// {"channels":3,...,"sharing":{"mix_heads":true,"repeat":2}}: the same config gives the same text.
inline std::string to_json(const AnyConfig& any) {
  return std::visit([]<class Config>(const Config& config) {
    std::vector<std::pair<std::string, std::string>> fields;
    if constexpr (!std::is_same_v<Config, ViTConfig>) fields.emplace_back("family", '"' + std::string(family_name(config)) + '"');
    const auto defaults = detail::field_texts(Config{});
    std::size_t i = 0;
    for_each_field(config, [&](std::string_view name, const auto& field, FieldRule rule) {
      std::string text = detail::field_text(field);
      if (const bool plain = text == defaults[i++].second; !rule.optional || !plain) fields.emplace_back(name, std::move(text));
    });
    return json_object(std::move(fields));
  }, any);
}

/// The config in `text`. Throws Error, beginning with `where`, that names a missing, unknown or wrong field.
inline AnyConfig config_from_json(std::string_view text, std::string_view where) {
  const JsonValue document = parse_json_strict(text, where, 4);
  if (document.as<JsonValue::Object>() == nullptr)
    fail({.where = where, .what = "wrong config", .expected = "a JSON object", .found = document.type()});
  const JsonValue* const family = document.find("family");
  const auto is = [&](const char* name) {
    const auto* const found = family->as<std::string>();
    return found != nullptr && *found == name;
  };
  if (family == nullptr || is(family_name(ViTConfig{}))) return detail::read_fields<ViTConfig>(document, where);
  if (is(family_name(SwinConfig{}))) return detail::read_fields<SwinConfig>(document, where);
  fail({.where = where,
        .what = "config field 'family' is wrong",
        .expected = R"("vit" or "swin")",
        .found = family->text(),
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
