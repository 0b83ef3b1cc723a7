// SPDX-License-Identifier: MIT
#include <minivit/io/json_value.hpp>

#include "../scratch.hpp"

namespace json_value_test {

using namespace minivit;
using scratch::contains, scratch::message_of;

namespace {
std::string refused(std::string_view text) {
  return message_of([&] { parse_json_strict(text, "test", 3, 8); });
}
std::string again(std::string_view text) { return parse_json_strict(text, "test", 3).json(); }
}  // namespace

TEST_CASE("strict JSON: depth, number of values, repeated keys, zero bytes and deep nesting", "[io]") {
  CHECK(refused(R"({"a":[{}]})") == "");
  CHECK(contains(refused(R"({"a":[{"b":[]}]})"), "nested too deeply"));
  CHECK(contains(refused(std::string(1'000'000, '[')), "nested too deeply"));
  CHECK(refused("[1,2,[4,5,6,7]]") == "");
  CHECK(contains(refused("[1,2,[4,5,6,7],9]"), "too many values: expected at most 8, found more"));
  CHECK(contains(refused("[1,2,[4,5,6,7],{}]"), "too many values"));
  CHECK(contains(refused(R"({"a":1,"\u0061":2})"), "repeated key 'a'"));
  CHECK(refused(R"([{"a":1},{"a":1}])") == "");
  CHECK(contains(refused(R"([{"a":{}},{"b":1,"a":2,"b":3}])"), "repeated key 'b'"));
  CHECK(contains(refused(std::string("{}\0{", 4)), "zero byte"));
  CHECK(contains(refused("1e999"), "not valid JSON"));
  CHECK(contains(refused("[1,]"), "not valid JSON at byte 4"));
}

TEST_CASE("strict JSON: what cannot be read is shown up to its fortieth character", "[io]") {
  // A text without an end is read up to the end of the document.
  CHECK(refused('"' + std::string(38, 'a')) == "test: not valid JSON at byte 40: found '\"" + std::string(38, 'a') + "'");
  CHECK(refused('"' + std::string(39, 'a')) == "test: not valid JSON at byte 41: found '\"" + std::string(39, 'a') + "'");
  for (const std::size_t more : {1u, 2u, 1000u}) {
    const std::string message = refused('"' + std::string(39 + more, 'a'));
    CHECK(message == concat({"test: not valid JSON at byte ", 41 + more, ": found '\"", std::string(39, 'a'), "...'"}));
  }
}

TEST_CASE("JSON values: a document comes back as it was, without its spaces and in its order", "[io]") {
  for (const char* text :
       {R"({"b":[1,-2,0.5,[]],"a":{"x":null,"":true},"c":{}})", "[]", "3", "\"\"", "false", R"("\"\\\n\u0001\u007f")"}) {
    INFO(text);
    const std::string once = again(text);
    CHECK(again(once) == once);
    if (text[0] == '{' || text[0] == '[') CHECK(once == text);
  }
  CHECK(again(" { \"a\" : [ 1 , 2 ] } ") == R"({"a":[1,2]})");
  CHECK(again("[1.0,1e2,0.1,1e-7,18446744073709551615,18446744073709551616]") ==
        "[1.0,100.0,0.1,1e-07,18446744073709551615,1.8446744073709552e+19]");
}

TEST_CASE("JSON values: each kind is told from the others", "[io]") {
  const JsonValue document = parse_json_strict(R"({"n":null,"b":true,"u":3,"i":-3,"d":3.0,"s":"3","a":[3],"o":{"u":4}})",
                                               "test", 2);
  const auto at = [&](const char* name) -> const JsonValue& {
    const JsonValue* const value = document.find(name);
    REQUIRE(value != nullptr);
    return *value;
  };
  CHECK(at("n").type == JsonValue::Type::null);
  CHECK(*at("b").as_boolean());
  CHECK(*at("u").as_count() == 3);
  for (const char* name : {"n", "b", "i", "d", "s", "a", "o"}) CHECK(at(name).as_count() == nullptr);
  CHECK(*at("s").as_string() == "3");
  for (const char* name : {"n", "b", "u", "i", "d", "a", "o"}) CHECK(at(name).as_string() == nullptr);
  CHECK(at("a").as_array()->size() == 1);
  CHECK(at("a").as_object() == nullptr);
  CHECK(at("o").as_array() == nullptr);
  CHECK(at("s").as_boolean() == nullptr);
  CHECK(*at("u").as_number() == 3.0);
  CHECK(*at("i").as_number() == -3.0);
  CHECK(*at("d").as_number() == 3.0);
  for (const char* name : {"n", "b", "s", "a", "o"}) CHECK(at(name).as_number() == nullptr);
  std::string types;
  for (const JsonValue& member : *document.as_object()) types += concat({member.name, ":", member.type_name(), " "});
  CHECK(types == "n:null b:boolean u:number i:number d:number s:string a:array o:object ");
  CHECK(*at("o").find("u")->as_count() == 4);
  CHECK(document.find("x") == nullptr);
  CHECK(document.find("o.u") == nullptr);
  CHECK(at("a").find("0") == nullptr);
}

TEST_CASE("JSON strings: an array of texts and nothing else", "[io]") {
  const auto strings = [](std::string_view text) { return parse_json_strings(text, "test", "names", 3); };
  const auto no_strings = [&](std::string_view text) { return message_of([&] { strings(text); }); };
  CHECK(strings("[]").empty());
  CHECK(strings(R"([ "a", "", "\u0061" ])") == std::vector<std::string>{"a", "", "a"});
  CHECK(no_strings(R"(["a","b","c","d"])") == "test: too many names: expected at most 3, found more");
  for (const char* text : {"null", "true", "3", "-3", "0.5", R"("a")", "{}", R"({"a":"b"})", "[null]", "[true]", "[3]",
                           "[-3]", "[0.5]", R"(["a",["b"]])", R"([{"a":"b"}])", "[[]]"}) {
    INFO(text);
    CHECK(no_strings(text) == "test: wrong names: expected an array of strings");
  }
  CHECK(contains(no_strings(R"(["a")"), "not valid JSON"));
  CHECK(contains(no_strings("[\"\xFF\"]"), "not valid UTF-8"));
}

TEST_CASE("JSON text: objects by name, one inside the other", "[io]") {
  CHECK(json_object({}) == "{}");
  CHECK(json_object({{"b", "2"}, {"a", "\"{\""}}) == R"({"a":"{","b":2})");
  CHECK(json_object({{"s.y", "2"}, {"t.x", "3"}, {"r", "0"}, {"s.x", "1"}, {"u", "4"}}) ==
        R"({"r":0,"s":{"x":1,"y":2},"t":{"x":3},"u":4})");
  CHECK(json_object({{"s.x", "1"}}) == R"({"s":{"x":1}})");
}

TEST_CASE("JSON text: strings that are not UTF-8 are refused", "[io]") {
  CHECK(json_quoted("a\"\xC3\xB6\n", "test", "name") == "\"a\\\"\xC3\xB6\\n\"");
  CHECK(contains(message_of([] { json_quoted("ab\xFF", "test", "name"); }), "test: name is not valid UTF-8 at byte 2"));
}

}  // namespace json_value_test
