// SPDX-License-Identifier: MIT
// Every malformed header is refused in one line that names the file and the tensor or byte; every valid one is accepted.
#include "../catch.hpp"
#include "raw_file.hpp"

#include <cstring>
#include <string>
#include <vector>

namespace safetensors_header_test {

using namespace minivit;
using namespace io_test;

namespace {

std::string record(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return R"({"dtype":")" + std::string(dtype) + R"(","shape":)" + std::string(shape) + R"(,"data_offsets":)" +
         std::string(offsets) + "}";
}
std::string one(std::string_view dtype, std::string_view shape, std::string_view offsets) {
  return R"({"a":)" + record(dtype, shape, offsets) + "}";
}

struct Case {
  const char* name;
  std::string bytes;
  const char* message;  // a part of the refusal
};

std::vector<Case> malformed() {
  const std::string a = record("F32", "[1]", "[0,4]");
  const std::string b = record("F32", "[1]", "[4,8]");
  std::string many = "{";
  for (int i = 0; i < 10; ++i) many += (i ? ",\"t" : "\"t") + std::to_string(i) + "\":" + record("F32", "[2,2]", "[0,16]");
  return {
      {"empty file", "", "the file is empty"},
      {"7 bytes", "1234567", "too short"},
      {"length without header", length_bytes(20), "past the end"},
      {"length one past the end", length_bytes(3) + "{}", "past the end"},
      {"length 100000001", raw("{}", 0).replace(0, 8, length_bytes(100'000'001)), "too large"},
      {"length 2^64 - 1", raw("{}", 0).replace(0, 8, length_bytes(~std::uint64_t{0})), "too large"},
      {"length 0", length_bytes(0), "empty header"},
      {"length 0 with data", length_bytes(0) + "{}", "empty header"},
      {"one byte", raw("[", 0), "byte 8 of the file: expected '{', found '[' ("},
      {"one brace", raw("{", 0), "not valid JSON at byte"},
      {"one space", raw(" ", 0), "not valid JSON at byte"},
      {"first byte not a brace", raw("[]", 0), "byte 8"},
      {"byte order mark", raw("\xEF\xBB\xBF{}", 0), "byte 8"},
      {"white space only", raw("   \n", 0), "not valid JSON"},
      {"not JSON", raw("{nonsense}", 0), "at byte"},
      {"cut JSON", raw(R"({"a":{"dtype":"F32")", 0), "at byte"},
      {"bytes behind the object", raw("{} x", 0), "at byte"},
      {"two objects", raw("{}{}", 0), "at byte"},
      {"comment", raw("{}/*x*/", 0), "at byte"},
      {"zero byte behind the object", raw(std::string("{}\0garbage", 10), 0), "zero byte"},
      {"zero padding", raw(std::string("{}\0\0", 4), 0), "zero byte"},
      {"control character in a name", raw("{\"a\nb\":" + a + "}", 4), "at byte"},
      {"stray continuation byte", raw("{\"\x80\":" + a + "}", 4), "not valid UTF-8 at byte 10"},
      {"overlong form", raw("{\"\xC0\xAF\":" + a + "}", 4), "not valid UTF-8"},
      {"overlong three bytes", raw("{\"\xE0\x80\xAF\":" + a + "}", 4), "not valid UTF-8"},
      {"surrogate", raw("{\"\xED\xA0\x80\":" + a + "}", 4), "not valid UTF-8"},
      {"above U+10FFFF", raw("{\"\xF4\x90\x80\x80\":" + a + "}", 4), "not valid UTF-8"},
      {"cut UTF-8", raw("{\"\xE2\x82\":" + a + "}", 4), "not valid UTF-8"},
      {"escaped lone surrogate", raw(R"({"\ud800":)" + a + "}", 4), "at byte"},
      {"repeated name", raw(R"({"a":)" + a + R"(,"a":)" + b + "}", 8), "'a': repeated name"},
      {"repeated name after unescaping", raw(R"({"a":)" + a + R"(,"\u0061":)" + b + "}", 8), "'a': repeated name"},
      {"repeated empty tensor",
       raw(R"({"a":)" + record("F32", "[0]", "[0,0]") + R"(,"a":)" + record("F32", "[0]", "[0,0]") + "}", 0),
       "repeated name"},
      {"repeated metadata", raw(R"({"__metadata__":{},"__metadata__":{}})", 0), "__metadata__: repeated key"},
      {"repeated metadata, escaped", raw(R"({"__metadata__":{},"\u005f_metadata__":{}})", 0), "__metadata__: repeated key"},
      {"repeated metadata key", raw(R"({"__metadata__":{"k":"1","k":"2"}})", 0), "'k': repeated key"},
      {"repeated field", raw(R"({"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
       "'a': repeated field"},
      {"repeated offsets", raw(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"data_offsets":[0,4]}})", 4),
       "repeated field"},
      {"missing dtype", raw(R"({"a":{"shape":[1],"data_offsets":[0,4]}})", 4), "'dtype'"},
      {"missing shape", raw(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", 4), "'shape'"},
      {"missing offsets", raw(R"({"a":{"dtype":"F32","shape":[1]}})", 4), "'data_offsets'"},
      {"unknown field", raw(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"scale":1}})", 4), "found 'scale'"},
      {"record is a list", raw(R"({"a":[]})", 0), "found an array"},
      {"record is null", raw(R"({"a":null})", 0), "found null"},
      {"record is a text", raw(R"({"a":"b"})", 0), "found the text 'b'"},
      {"metadata is null", raw(R"({"__metadata__":null})", 0), "found null"},
      {"metadata number", raw(R"({"__metadata__":{"k":1}})", 0), "key 'k': wrong value"},
      {"metadata object", raw(R"({"__metadata__":{"k":{}}})", 0), "found an object"},
      {"unknown dtype", raw(one("F33", "[1]", "[0,4]"), 4), "found 'F33'"},
      {"lower-case dtype", raw(one("f32", "[1]", "[0,4]"), 4), "unknown dtype"},
      {"dtype number", raw(R"({"a":{"dtype":32,"shape":[1],"data_offsets":[0,4]}})", 4), "wrong dtype"},
      {"shape is an object", raw(one("F32", "{}", "[0,4]"), 4), "wrong shape"},
      {"shape is null", raw(one("F32", "null", "[0,4]"), 4), "wrong shape"},
      {"negative extent", raw(one("F32", "[-1]", "[0,4]"), 4), "found -1"},
      {"minus zero", raw(one("F32", "[-0]", "[0,0]"), 0), "unsigned 64-bit"},
      {"fraction", raw(one("F32", "[1.0]", "[0,4]"), 4), "found 1.0"},
      {"exponent", raw(one("F32", "[1e0]", "[0,4]"), 4), "found 1e0"},
      {"2^64", raw(one("F32", "[18446744073709551616]", "[0,4]"), 4), "found 18446744073709551616"},
      {"long fraction", raw(one("F32", "[1.33333333333333333333333333333333333333333333333333]", "[0,4]"), 4),
       "found 1.33333333333333333333333333333333333333..."},
      {"extent as text", raw(one("F32", "[\"1\"]", "[0,4]"), 4), "found the text '1'"},
      {"nested shape", raw(one("F32", "[[1]]", "[0,4]"), 4), "found an array"},
      {"rank 9", raw(one("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4), "too many axes"},
      {"one offset", raw(one("F32", "[1]", "[0]"), 4), "too few data_offsets"},
      {"no offsets", raw(one("F32", "[1]", "[]"), 4), "too few data_offsets"},
      {"three offsets", raw(one("F32", "[1]", "[0,4,8]"), 4), "too many data_offsets"},
      {"negative offset", raw(one("F32", "[1]", "[-4,0]"), 4), "found -4"},
      {"offset 2^64", raw(one("F32", "[1]", "[0,18446744073709551616]"), 4), "unsigned 64-bit"},
      {"end before begin", raw(one("F32", "[1]", "[4,0]"), 4), "wrong data_offsets"},
      {"end past the file", raw(one("F32", "[2]", "[0,8]"), 4), "cut short"},
      {"end near 2^64", raw(one("F32", "[1]", "[18446744073709551612,18446744073709551615]"), 4), "wrong data_offsets"},
      {"size below shape", raw(one("F32", "[2]", "[0,4]"), 4), "8 bytes for F32 [2], found 4 bytes"},
      {"size above shape", raw(one("F32", "[1]", "[0,8]"), 8), "4 bytes for F32 [1], found 8 bytes"},
      {"shape product overflows", raw(one("F32", "[4294967296,4294967296]", "[0,4]"), 4), "shape is too large"},
      {"product overflows to the right size", raw(one("U8", "[9223372036854775809,2,2]", "[0,4]"), 4), "shape is too large"},
      {"bits overflow", raw(one("F32", "[4611686018427387905]", "[0,4]"), 4), "shape is too large"},
      {"overflow before a zero", raw(one("F32", "[9223372036854775807,4,0]", "[0,0]"), 0), "shape is too large"},
      {"extent that is no Index", raw(one("F32", "[0,9223372036854775808]", "[0,0]"), 0), "shape is too large"},
      {"F4 that ends inside a byte", raw(one("F4", "[3]", "[0,1]"), 1), "12 bits of F4"},
      {"F6 that ends inside a byte", raw(one("F6_E2M3", "[2]", "[0,1]"), 1), "12 bits of F6_E2M3"},
      {"hole at the start", raw(one("F32", "[1]", "[4,8]"), 8), "hole"},
      {"hole between", raw(R"({"a":)" + a + R"(,"b":)" + record("F32", "[1]", "[8,12]") + "}", 12), "'b': leaves a hole"},
      {"overlap", raw(R"({"a":)" + record("F32", "[2]", "[0,8]") + R"(,"b":)" + b + "}", 8), "'b': overlaps"},
      {"ten tensors on one range", raw(many + "}", 16), "overlaps"},
      {"empty tensor in a hole", raw(R"({"a":)" + a + R"(,"b":)" + record("F32", "[0]", "[2,2]") + "}", 4), "overlaps"},
      {"extra bytes", raw(one("F32", "[1]", "[0,4]"), 5), "does not end with the last tensor"},
      {"2 bytes missing", raw(one("F32", "[1]", "[0,4]"), 2), "cut short"},
      {"data without tensors", raw("{}", 1), "does not end with the last tensor"},
      {"200 open brackets", raw("{\"a\":" + std::string(200, '['), 0), "found an array"},
      {"a million open brackets", raw("{\"a\":" + std::string(1'000'000, '['), 0), "found an array"},
  };
}

}  // namespace

TEST_CASE("safetensors header: every malformed file is refused in one line", "[io]") {
  for (const Case& c : malformed()) {
    INFO(c.name);
    const std::string message = refusal(c.bytes);
    CAPTURE(message);
    CHECK(message.find(c.message) != std::string::npos);
    CHECK(message.find("file.safetensors") != std::string::npos);
    CHECK(message.find('\n') == std::string::npos);
    CHECK(message.size() <= 500);
    for (const char byte : message) CHECK(static_cast<unsigned char>(byte) >= 0x20);
  }
}

TEST_CASE("safetensors header: files are refused like memory", "[io]") {
  const Folder folder;
  for (const Case& c : malformed()) {
    INFO(c.name);
    const std::string path = folder / "file.safetensors";
    put(path, c.bytes);
    const std::string message = message_of([&] { SafeTensors::open(path); });
    CHECK(message.find(c.message) != std::string::npos);
    CHECK(message == replaced(refusal(c.bytes), "file.safetensors", path));
  }
}

TEST_CASE("safetensors header: valid files are accepted", "[io]") {
  const std::vector<Case> valid = {
      {"no tensors", raw("{}", 0), ""},
      {"empty metadata", raw(R"({"__metadata__":{}})", 0), ""},
      {"metadata and a tensor", raw(R"({"__metadata__":{"k":"v","":""},"a":)" + record("F32", "[1]", "[0,4]") + "}", 4), ""},
      {"scalar", raw(one("F64", "[]", "[0,8]"), 8), ""},
      {"rank 8", raw(one("U8", "[1,1,1,1,1,1,1,1]", "[0,1]"), 1), ""},
      {"zero size", raw(one("F32", "[2,0]", "[0,0]"), 0), ""},
      {"zero before a large extent", raw(one("F32", "[0,9223372036854775807,4]", "[0,0]"), 0), ""},
      {"empty tensors on one place",
       raw(R"({"a":)" + record("F32", "[0]", "[0,0]") + R"(,"b":)" + record("F32", "[1]", "[0,4]") + R"(,"c":)" +
               record("F32", "[0]", "[4,4]") + R"(,"d":)" + record("F32", "[0]", "[4,4]") + "}",
           4),
       ""},
      {"leading white space", raw(" \t\r\n{}", 0), ""},
      {"trailing white space", raw("{} \t\r\n  ", 0), ""},
      {"fields in another order", raw(R"({"a":{"data_offsets":[0,4],"shape":[1],"dtype":"F32"}})", 4), ""},
      {"names in another order than data",
       raw(R"({"b":)" + record("F32", "[1]", "[4,8]") + R"(,"a":)" + record("F32", "[1]", "[0,4]") + "}", 8), ""},
      {"unaligned data",
       raw(R"({"a":)" + record("U8", "[1]", "[0,1]") + R"(,"b":)" + record("F32", "[1]", "[1,5]") + "}", 5), ""},
      {"two F4 in a byte", raw(one("F4", "[2]", "[0,1]"), 1), ""},
      {"four F6 in three bytes", raw(one("F6_E3M2", "[4]", "[0,3]"), 3), ""},
      {"empty name", raw(R"({"":)" + record("F32", "[1]", "[0,4]") + "}", 4), ""},
      {"name beyond ASCII", raw("{\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\":" + record("F32", "[1]", "[0,4]") + "}", 4), ""},
      {"escaped name", raw(R"({"\u00e9\n\"":)" + record("F32", "[1]", "[0,4]") + "}", 4), ""},
  };
  for (const Case& c : valid) {
    INFO(c.name);
    CHECK(refusal(c.bytes) == "");
  }
}

TEST_CASE("safetensors header: all 22 types are known by name and size", "[io]") {
  const char* const names[] = {"BOOL",    "F4",          "F6_E2M3",     "F6_E3M2", "U8",  "I8",  "F8_E5M2", "F8_E4M3",
                               "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I16",     "U16", "F16", "BF16",    "I32",
                               "U32",     "F32",         "C64",         "F64",     "I64", "U64"};
  const int bits[] = {8, 4, 6, 6, 8, 8, 8, 8, 8, 8, 8, 16, 16, 16, 16, 32, 32, 32, 64, 64, 64, 64};
  for (std::size_t i = 0; i < std::size(names); ++i) {
    INFO(names[i]);
    const auto bytes = static_cast<std::size_t>(bits[i]);  // 8 elements
    const auto with = [&](std::size_t size) { return raw(one(names[i], "[8]", "[0," + std::to_string(size) + "]"), size); };
    const SafeTensors file = parse(with(bytes));
    CHECK(name_of(file.at("a").dtype) == names[i]);
    CHECK(bits_of(file.at("a").dtype) == bits[i]);
    CHECK(file.bytes(file.at("a")).size() == bytes);
    for (const std::size_t size : {bytes - 1, bytes + 1})
      CHECK(contains(refusal(with(size)),
                     std::to_string(bytes) + " bytes for " + names[i] + " [8], found " + std::to_string(size) + " bytes"));
  }
}

TEST_CASE("safetensors header: a file cut at any byte is refused", "[io]") {
  const std::string whole = raw(R"({"__metadata__":{"k":"v"},"a":)" + record("F32", "[2,1]", "[0,8]") + R"(,"b":)" +
                                    record("U8", "[3]", "[8,11]") + "}   ",
                                11);
  REQUIRE(refusal(whole) == "");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    INFO("cut at byte " << size);
    CHECK(refusal(std::string_view(whole).substr(0, size)) != "");
  }
}

TEST_CASE("safetensors header: a changed byte gives an Error or a consistent file, never a crash", "[io]") {
  const std::string whole = raw(R"({"__metadata__":{"k":"v"},"a":)" + record("F32", "[2,1]", "[0,8]") + R"(,"b":)" +
                                    record("U8", "[3]", "[8,11]") + "}   ",
                                11);
  int accepted = 0;
  int refused = 0;
  for (std::size_t at = 0; at + 11 < whole.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = whole;
      if (static_cast<unsigned char>(changed[at]) == value) continue;
      changed[at] = static_cast<char>(value);
      try {
        const SafeTensors file = parse(changed);
        ++accepted;
        Index covered = 0;
        for (const TensorInfo& tensor : file.tensors()) {
          if (tensor.offset != covered) FAIL("hole in an accepted file at byte " << at << " value " << value);
          covered += static_cast<Index>(file.bytes(tensor).size());
        }
        if (covered != 11) FAIL("data bytes not covered at byte " << at << " value " << value);
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  CHECK(accepted > 100);  // other letters in names and texts
  CHECK(refused > accepted);
}

TEST_CASE("safetensors header: names and paths from outside can neither flood nor forge a message", "[io]") {
  const std::string name = "\\n\\u001b[31m" + std::string(5000, 'n');
  const std::string huge = "9223372036854775807";
  std::string shape = "[0";
  for (int i = 0; i < 7; ++i) shape += "," + huge;
  const std::string bytes = raw("{\"" + name + "\":" + record("F8_E4M3FNUZ", shape + "]", "[0,100000]") + "}", 100'000);
  const std::string path = "folder\n/" + std::string(3000, 'p') + "/last.safetensors";
  const std::string message = message_of(
      [&] { SafeTensors::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), path); });
  CAPTURE(message);
  CHECK(message.find("\\x0a\\x1b[31mnnn") != std::string::npos);
  CHECK(message.find("/last.safetensors") != std::string::npos);
  CHECK(message.find('\n') == std::string::npos);
  CHECK(message.size() <= 500);
}

}  // namespace safetensors_header_test
