// SPDX-License-Identifier: MIT
// A small JSON document as a tree: config, preprocessing, class names, a line of a log. Read strictly, of bounded depth and
// number of values, so that nothing here recurses far. Unlike the library's tree it allocates nothing when it is destroyed.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/json_strict.hpp>
#include <minivit/io/json_text.hpp>
#include <minivit/io/sorted.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// A value of a JSON document. One plain struct for all types, because compilers take much longer over a std::variant.
struct JsonValue {
  /// What JSON tells apart.
  enum class Type {
    null,     ///< null
    boolean,  ///< true or false
    number,   ///< `real`, and `count` when it is `whole`
    string,   ///< `text`
    array,    ///< `items`
    object    ///< `items`, each with a `name`
  };

  Type type = Type::null;   ///< which of the fields below mean something
  bool truth = false;       ///< of a boolean
  bool whole = false;       ///< a number without minus sign, fraction and exponent, of at most 64 bits: `count` is exact
  std::uint64_t count = 0;  ///< a whole number
  double real = 0;          ///< any number
  std::string text{};       ///< of a string; a number with all digits that count
  std::string name{};       ///< as a member of an object: its name, there only once
  std::vector<JsonValue> items{};  ///< elements of an array, members of an object in the order of the text

  const bool* as_boolean() const { return type == Type::boolean ? &truth : nullptr; }                  ///< null: it is none
  const std::uint64_t* as_count() const { return whole ? &count : nullptr; }                           ///< a whole number
  const double* as_number() const { return type == Type::number ? &real : nullptr; }                   ///< any number
  const std::string* as_string() const { return type == Type::string ? &text : nullptr; }              ///< null: it is none
  const std::vector<JsonValue>* as_array() const { return type == Type::array ? &items : nullptr; }    ///< its elements
  const std::vector<JsonValue>* as_object() const { return type == Type::object ? &items : nullptr; }  ///< its members

  /// The member `of_name`; null when there is none, and when this is no object.
  const JsonValue* find(std::string_view of_name) const {
    if (type != Type::object) return nullptr;
    for (const JsonValue& member : items)
      if (member.name == of_name) return &member;
    return nullptr;
  }

  /// "null", "boolean", "number", "string", "array" or "object".
  std::string_view type_name() const {
    constexpr std::string_view names[] = {"null", "boolean", "number", "string", "array", "object"};
    return names[static_cast<std::size_t>(type)];
  }

  /// As JSON without spaces.
  std::string json() const {
    switch (type) {
      case Type::null: break;
      case Type::boolean: return truth ? "true" : "false";
      case Type::number: return text;
      case Type::string: return json_string(text);
      case Type::array: return json_list(items, [](const JsonValue& element) { return element.json(); });
      case Type::object: {
        std::string all = "{";
        for (const JsonValue& member : items)
          all += concat({all.size() > 1 ? "," : "", json_string(member.name), ":", member.json()});
        return all + "}";
      }
    }
    return "null";
  }
};

namespace detail {
/// Builds a document without repeated names, within its limits.
class DocumentBuilder final : public JsonHandler {
 public:
  JsonValue document;

  DocumentBuilder(std::size_t most_depth, std::size_t most_values) : most_depth_(most_depth), most_values_(most_values) {}
  bool null() override { return put(JsonValue::Type::null) != nullptr; }
  bool boolean(bool value) override {
    JsonValue* const at = put(JsonValue::Type::boolean);
    if (at != nullptr) at->truth = value;
    return at != nullptr;
  }
  bool number_integer(Json::number_integer_t value) override {
    return put_number(static_cast<double>(value), std::to_string(value)) != nullptr;
  }
  bool number_unsigned(Json::number_unsigned_t value) override {
    JsonValue* const at = put_number(static_cast<double>(value), std::to_string(value));
    if (at != nullptr) at->whole = true, at->count = value;
    return at != nullptr;
  }
  bool number_float(Json::number_float_t value, const std::string& /*text*/) override {
    return put_number(value, double_text(value)) != nullptr;
  }
  bool string(std::string& value) override {
    JsonValue* const at = put(JsonValue::Type::string);
    if (at != nullptr) at->text = std::move(value);
    return at != nullptr;
  }
  bool start_object(std::size_t /*size*/) override { return open(JsonValue::Type::object); }
  bool end_object() override {
    const auto& members = open_.back()->items;
    const auto order = sorted(members.size(),
                              [&](std::size_t a, std::size_t b) { return members[a].name < members[b].name; });
    for (std::size_t i = 1; i < order.size(); ++i)
      if (const std::string& name = members[order[i]].name; members[order[i - 1]].name == name)
        return refuse(concat({"repeated key '", printable(name, 60), "'"}), "", "");
    return close();
  }
  bool start_array(std::size_t /*size*/) override { return open(JsonValue::Type::array); }
  bool end_array() override { return close(); }
  bool key(std::string& name) override {
    name_ = std::move(name);
    return true;
  }

 private:
  /// Puts a value of `type` where the parser is; null when there are too many.
  JsonValue* put(JsonValue::Type type) {
    if (values_++ == most_values_) {
      refuse("too many values", concat({"at most ", most_values_}), "more");
      return nullptr;
    }
    JsonValue& place = open_.empty() ? document : open_.back()->items.emplace_back();
    place.type = type;
    place.name = std::move(name_);
    name_.clear();
    return &place;
  }
  JsonValue* put_number(double value, std::string text) {
    JsonValue* const at = put(JsonValue::Type::number);
    if (at != nullptr) at->real = value, at->text = std::move(text);
    return at;
  }
  bool open(JsonValue::Type type) {
    if (open_.size() == most_depth_)
      return refuse("nested too deeply", concat({"at most ", most_depth_, " levels"}), "more");
    JsonValue* const value = put(type);
    if (value != nullptr) open_.push_back(value);
    return value != nullptr;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::size_t most_depth_, most_values_, values_ = 0;
  std::vector<JsonValue*> open_;  // have not ended; each stays where it is: what holds it does not grow before
  std::string name_;              // of the member whose value comes next
};

/// Takes an array of strings and nothing else.
class StringsHandler final : public JsonHandler {
 public:
  std::vector<std::string> strings;

  StringsHandler(std::size_t most, std::string_view what) : most_(most), what_(what) {}
  bool null() override { return wrong(); }
  bool boolean(bool /*value*/) override { return wrong(); }
  bool number_integer(Json::number_integer_t /*value*/) override { return wrong(); }
  bool number_unsigned(Json::number_unsigned_t /*value*/) override { return wrong(); }
  bool number_float(Json::number_float_t /*value*/, const std::string& /*text*/) override { return wrong(); }
  bool string(std::string& value) override {
    if (!inside_) return wrong();
    if (strings.size() == most_) return refuse(concat({"too many ", what_}), concat({"at most ", most_}), "more");
    strings.push_back(std::move(value));
    return true;
  }
  bool start_object(std::size_t /*size*/) override { return wrong(); }
  bool end_object() override { return wrong(); }
  bool start_array(std::size_t /*size*/) override { return std::exchange(inside_, true) ? wrong() : true; }
  bool end_array() override { return true; }
  bool key(std::string& /*name*/) override { return wrong(); }

 private:
  bool wrong() { return refuse(concat({"wrong ", what_}), "an array of strings", ""); }

  std::size_t most_;
  std::string_view what_;
  bool inside_ = false;
};

[[noreturn, gnu::cold]] inline void fail_json(const JsonFault& fault, std::string_view where) {
  const std::string at = fault.position ? concat({" at byte ", *fault.position}) : "";
  fail({.where = where, .what = fault.what + at, .expected = fault.expected, .found = fault.found});
}
}  // namespace detail

/// The small document in `text`. Throws Error, naming `where`, unless it is strict JSON of at most `most_depth` levels and
/// `most_values` values.
inline JsonValue parse_json_strict(std::string_view text, std::string_view where, std::size_t most_depth,
                                   std::size_t most_values = 10'000) {
  detail::DocumentBuilder builder(most_depth, most_values);
  if (const auto fault = parse_json_events(text, builder)) detail::fail_json(*fault, where);
  return std::move(builder.document);
}

/// The strings of the array in `text`, which may be long: no tree is made of it. Throws Error, naming `where` and `what`
/// they are, unless it is strict JSON and at most `most` strings.
inline std::vector<std::string> parse_json_strings(std::string_view text, std::string_view where, std::string_view what,
                                                   std::size_t most) {
  detail::StringsHandler handler(most, what);
  if (const auto fault = parse_json_events(text, handler)) detail::fail_json(*fault, where);
  return std::move(handler.strings);
}

}  // namespace minivit::inline MINIVIT_ISA
