// SPDX-License-Identifier: MIT
// Configs as JSON, for a file's metadata: written, read strictly and compared by the lists in config_fields.hpp. "family"
// tells the families apart; files of a ViT have none, as before there was a second family. Reading checks each field by
// itself; rules between fields are the model's (models/rules.hpp, swin_rules.hpp).
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/config_fields.hpp>
#include <minivit/models/any_config.hpp>

#include <algorithm>
#include <optional>
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

/// Throws Error for a part of `value` that is none of the `known` fields, holds none and is in none. `path` leads to
/// `value`.
inline void require_known(const JsonValue& value, const std::string& path, const std::vector<const JsonValue*>& known,
                          std::string_view where) {
  if (std::ranges::find(known, &value) != known.end()) return;
  const auto below = [&](const std::string& name) { return path.empty() ? name : concat({path, "/", name}); };
  if (value.items.empty())
    fail({.where = where,
          .what = concat({"unknown config field '", printable(path, 60), "'"}),
          .hint = "was the file written by a newer version?"});
  const bool named = value.as_object() != nullptr;
  for (std::size_t i = 0; i < value.items.size(); ++i)
    require_known(value.items[i], below(named ? value.items[i].name : std::to_string(i)), known, where);
}

/// Sets `fields` to what a document of their family says.
inline void read_fields(const JsonValue& document, const std::vector<ConfigField>& fields, std::string_view where) {
  std::vector<const JsonValue*> known{document.find("family")};
  for (const ConfigField& field : fields) {
    const JsonValue* const value = find_field(document, field.name);
    if (value == nullptr && field.rule.optional) continue;
    if (value == nullptr) fail({.where = where, .what = concat({"config field '", field.name, "' is missing"})});
    known.push_back(value);
    if (const std::string expected = read_field(*value, field); !expected.empty())
      fail({.where = where,
            .what = concat({"config field '", field.name, "' is wrong"}),
            .expected = expected,
            .found = value->json()});
  }
  require_known(document, "", known, where);
}

inline std::string family_of(const AnyConfig& any) {
  return std::visit([](const auto& config) { return family_name(config); }, any);
}

}  // namespace detail

/// {"channels":3,...,"sharing":{"mix_heads":true,"repeat":2}}: the same config gives the same text.
inline std::string to_json(const AnyConfig& any) {
  AnyConfig config = any, plain = std::visit([]<class Config>(const Config&) { return AnyConfig(Config{}); }, any);
  std::vector<std::pair<std::string, std::string>> texts;
  if (!std::holds_alternative<ViTConfig>(any)) texts.emplace_back("family", '"' + detail::family_of(any) + '"');
  const auto fields = fields_of(config), defaults = fields_of(plain);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    std::string text = detail::field_text(fields[i]);
    if (!fields[i].rule.optional || text != detail::field_text(defaults[i]))
      texts.emplace_back(fields[i].name, std::move(text));
  }
  return json_object(std::move(texts));
}

/// The config in `text`. Throws Error, beginning with `where`, that names a missing, unknown or wrong field.
inline AnyConfig config_from_json(std::string_view text, std::string_view where) {
  const JsonValue document = parse_json_strict(text, where, 4);
  if (document.as_object() == nullptr)
    fail({.where = where, .what = "wrong config", .expected = "a JSON object", .found = document.type_name()});
  const JsonValue* const family = document.find("family");
  const auto is = [&](const char* name) {
    const std::string* const found = family->as_string();
    return found != nullptr && *found == name;
  };
  const auto read = [&](auto config) {
    detail::read_fields(document, fields_of(config), where);
    return AnyConfig(config);
  };
  if (family == nullptr || is(family_name(ViTConfig{}))) return read(ViTConfig{});
  if (is(family_name(SwinConfig{}))) return read(SwinConfig{});
  fail({.where = where,
        .what = "config field 'family' is wrong",
        .expected = R"("vit" or "swin")",
        .found = family->json(),
        .hint = "was the file written by a newer version?"});
}

/// One field in which two configs differ, with both values as text.
struct ConfigDifference {
  std::string field, first, second;  ///< name as in JSON, and both values
};

/// The first field in which the configs differ, or nothing. The first field of all is "family".
inline std::optional<ConfigDifference> first_difference(const AnyConfig& a, const AnyConfig& b) {
  if (a.index() != b.index()) return ConfigDifference{"family", detail::family_of(a), detail::family_of(b)};
  AnyConfig one = a, other = b;
  const auto fields = fields_of(one), others = fields_of(other);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    std::string first = detail::field_text(fields[i]), second = detail::field_text(others[i]);
    if (first != second) return ConfigDifference{std::string(fields[i].name), std::move(first), std::move(second)};
  }
  return std::nullopt;
}

}  // namespace minivit::inline MINIVIT_ISA
