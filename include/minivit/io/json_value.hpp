// SPDX-License-Identifier: MIT
// A small JSON document as a tree: config, preprocessing, class names, a line of a log. Read strictly, of bounded depth and
// number of values, so that nothing here recurses far. Unlike the library's tree it allocates nothing when it is destroyed.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/json_strict.hpp>
#include <minivit/io/json_text.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// A value of a JSON document.
struct JsonValue {
  using Array = std::vector<JsonValue>;                           ///< its elements
  using Object = std::vector<std::pair<std::string, JsonValue>>;  ///< its members in the order of the text, each name once
  /// Whole numbers are std::int64_t with a minus sign, else std::uint64_t; above 64 bits, and with a fraction or an
  /// exponent, double.
  std::variant<std::nullptr_t, bool, std::uint64_t, std::int64_t, double, std::string, Array, Object> value{};

  /// The value when it is a `T`, else null.
  template <class T>
  const T* as() const {
    return std::get_if<T>(&value);
  }

  /// Any number.
  std::optional<double> number() const {
    if (const auto* const n = as<std::uint64_t>()) return static_cast<double>(*n);
    if (const auto* const n = as<std::int64_t>()) return static_cast<double>(*n);
    if (const auto* const n = as<double>()) return *n;
    return std::nullopt;
  }

  /// The member `name`; null when there is none, and when this is no object.
  const JsonValue* find(std::string_view name) const {
    const auto* const object = as<Object>();
    if (object == nullptr) return nullptr;
    for (const auto& [key, member] : *object)
      if (key == name) return &member;
    return nullptr;
  }

  /// "null", "boolean", "number", "string", "array" or "object".
  std::string type() const {
    constexpr const char* names[] = {"null", "boolean", "number", "number", "number", "string", "array", "object"};
    return names[value.index()];
  }

  /// As JSON without spaces, numbers with all digits that count.
  std::string text() const {
    if (const auto* const v = as<bool>()) return *v ? "true" : "false";
    if (const auto* const v = as<std::uint64_t>()) return std::to_string(*v);
    if (const auto* const v = as<std::int64_t>()) return std::to_string(*v);
    if (const auto* const v = as<double>()) return detail::double_text(*v);
    if (const auto* const v = as<std::string>()) return json_string(*v);
    if (const auto* const v = as<Array>()) return json_list(*v, [](const JsonValue& element) { return element.text(); });
    const auto* const object = as<Object>();
    if (object == nullptr) return "null";
    std::string all = "{";
    for (const auto& [name, member] : *object)
      all += concat({all.size() > 1 ? "," : "", json_string(name), ":", member.text()});
    return all + "}";
  }
};

namespace detail {
/// Builds a document without repeated names, within its limits.
class DocumentBuilder final : public JsonHandler {
 public:
  JsonValue document;

  DocumentBuilder(std::size_t most_depth, std::size_t most_values) : most_depth_(most_depth), most_values_(most_values) {}
  bool null() override { return put({nullptr}) != nullptr; }
  bool boolean(bool value) override { return put({value}) != nullptr; }
  bool number_integer(Json::number_integer_t value) override { return put({value}) != nullptr; }
  bool number_unsigned(Json::number_unsigned_t value) override { return put({value}) != nullptr; }
  bool number_float(Json::number_float_t value, const std::string& /*text*/) override { return put({value}) != nullptr; }
  bool string(std::string& value) override { return put({std::move(value)}) != nullptr; }
  bool start_object(std::size_t /*size*/) override { return open({JsonValue::Object()}); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t /*size*/) override { return open({JsonValue::Array()}); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    if (!open_.back().names.insert(name).second) return refuse(concat({"repeated key '", printable(name, 60), "'"}), "", "");
    std::get<JsonValue::Object>(open_.back().value->value).emplace_back(std::move(name), JsonValue());
    return true;
  }

 private:
  /// An object or array that has not ended. It stays where it is: what holds it does not grow before.
  struct Open {
    JsonValue* value;
    std::set<std::string> names;
  };

  /// Puts a value where the parser is; null when there are too many.
  JsonValue* put(JsonValue value) {
    if (values_++ == most_values_) {
      refuse("too many values", concat({"at most ", most_values_}), "more");
      return nullptr;
    }
    JsonValue* place = &document;
    if (!open_.empty()) {
      auto& around = open_.back().value->value;
      if (auto* const array = std::get_if<JsonValue::Array>(&around)) place = &array->emplace_back();
      else place = &std::get<JsonValue::Object>(around).back().second;
    }
    *place = std::move(value);
    return place;
  }
  bool open(JsonValue empty) {
    if (open_.size() == most_depth_)
      return refuse("nested too deeply", concat({"at most ", most_depth_, " levels"}), "more");
    JsonValue* const value = put(std::move(empty));
    if (value == nullptr) return false;
    open_.push_back({value, {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::size_t most_depth_, most_values_, values_ = 0;
  std::vector<Open> open_;
};
}  // namespace detail

/// The small document in `text`. Throws Error, naming `where`, unless it is strict JSON of at most `most_depth` levels and
/// `most_values` values.
inline JsonValue parse_json_strict(std::string_view text, std::string_view where, std::size_t most_depth,
                                   std::size_t most_values = 10'000) {
  detail::DocumentBuilder builder(most_depth, most_values);
  if (const auto fault = parse_json_events(text, builder)) {
    const std::string at = fault->position ? concat({" at byte ", *fault->position}) : "";
    fail({.where = where, .what = fault->what + at, .expected = fault->expected, .found = fault->found});
  }
  return std::move(builder.document);
}

}  // namespace minivit::inline MINIVIT_ISA
