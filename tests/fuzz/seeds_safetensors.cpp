// SPDX-License-Identifier: MIT
// Seeds of weights: safetensors files, with every type and with headers in which one thing is not as it should be.
#include "../io/raw_file.hpp"
#include "seeds.hpp"

#include <string>
#include <utility>

namespace seeds {

using io_test::put, io_test::raw;

namespace {

/// One number of every type.
void write_types(const Folder& folder) {
  std::string all = "{";
  std::size_t at = 0;
  for (const auto& [name, bytes] : {std::pair<const char*, std::size_t>{"F64", 8},
                                    {"I64", 8},
                                    {"U64", 8},
                                    {"F32", 4},
                                    {"I32", 4},
                                    {"U32", 4},
                                    {"F16", 2},
                                    {"BF16", 2},
                                    {"I16", 2},
                                    {"U16", 2},
                                    {"I8", 1},
                                    {"U8", 1},
                                    {"BOOL", 1},
                                    {"F8_E4M3", 1},
                                    {"F8_E5M2", 1}}) {
    all += std::string(at > 0 ? "," : "") + "\"" + name + "\":{\"shape\":[1],\"dtype\":\"" + name + "\",\"data_offsets\":[" +
           std::to_string(at) + "," + std::to_string(at + bytes) + "]}";
    at += bytes;
  }
  put(folder / "types", raw(all + "}", at));
}

/// Tensors that do not fit to each other, to the data, or into 64 bits.
void write_layouts(const Folder& folder) {
  struct Tensor {
    const char *name, *dtype, *shape, *offsets;
  };
  const auto put_two = [&](const char* name, const Tensor& a, const Tensor& b) {
    const auto text = [](const Tensor& t) {
      return std::string("\"") + t.name + "\":{\"dtype\":\"" + t.dtype + "\",\"shape\":[" + t.shape +
             "],\"data_offsets\":[" + t.offsets + "]}";
    };
    put(folder / (std::string("layout_") + name), raw("{" + text(a) + "," + text(b) + "}", 9));
  };
  const Tensor four{"a", "F32", "1", "0,4"};
  put_two("sound", four, {"b", "U8", "5", "4,9"});
  put_two("hole", four, {"b", "U8", "4", "5,9"});
  put_two("overlap", four, {"b", "U8", "6", "3,9"});
  put_two("same_place", four, {"b", "F32", "1", "0,4"});
  put_two("same_name", four, {"a", "U8", "5", "4,9"});
  put_two("data_behind", four, {"b", "U8", "4", "4,8"});
  put_two("offsets_turned", four, {"b", "U8", "5", "9,4"});
  put_two("past_the_end", four, {"b", "U8", "6", "4,10"});
  put_two("other_size", four, {"b", "U8", "4", "4,9"});
  put_two("half_a_byte", four, {"b", "F4", "1", "4,5"});
  put_two("three_offsets", four, {"b", "U8", "5", "4,9,9"});
  put_two("one_offset", four, {"b", "U8", "5", "4"});
  put_two("nine_axes", four, {"b", "U8", "1,1,1,1,1,1,1,1,5", "4,9"});
  put_two("eight_axes", four, {"b", "U8", "1,1,1,1,1,1,1,5", "4,9"});
  put_two("product_too_large", four, {"b", "U8", "9223372036854775808,4,1", "4,9"});
  put_two("bits_too_large", four, {"b", "F64", "4611686018427387904", "4,9"});
  put_two("extent_too_large", four, {"b", "U8", "9223372036854775808,0,0", "4,4"});
  put_two("extent_of_65_bits", four, {"b", "U8", "18446744073709551616", "4,9"});
}

}  // namespace

void write_safetensors(const Folder& all) {
  const Folder folder = all / "weights";
  put(folder / "one", raw(R"({"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})", 24));
  write_types(folder);
  write_layouts(folder);
  put(folder / "scalar_and_empty",
      raw(R"({"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"e":{"dtype":"F16","shape":[3,0],"data_offsets":[4,4]}}   )",
          4));
  put(folder / "half_not_a_number", raw(R"({"a":{"dtype":"F16","shape":[63],"data_offsets":[0,126]}})", 126));  // 0x7D7C
  put(folder / "empty", "");
  put(folder / "seven_bytes", "1234567");
  for (
      const auto& [name, header] :
      {Named{"nothing", "{}"},
       {"null", "null"},
       {"array", "[]"},
       {"array_behind_space", " []"},
       {"record_null", R"({"a":null})"},
       {"record_true", R"({"a":true})"},
       {"record_false", R"({"a":false})"},
       {"dtype_null", R"({"a":{"dtype":null}})"},
       {"dtype_other", R"({"a":{"dtype":"F5","shape":[1],"data_offsets":[0,1]}})"},
       {"dtype_twice", R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})"},
       {"shape_of_null", R"({"a":{"shape":[null]}})"},
       {"shape_twice", R"({"a":{"dtype":"U8","shape":[0],"shape":[0],"data_offsets":[0,0]}})"},
       {"offsets_twice", R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"data_offsets":[0,0]}})"},
       {"field_other", R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}})"},
       {"no_dtype", R"({"a":{"shape":[0],"data_offsets":[0,0]}})"},
       {"no_shape", R"({"a":{"dtype":"U8","data_offsets":[0,0]}})"},
       {"no_offsets", R"({"a":{"dtype":"U8","shape":[0]}})"},
       {"metadata_null", R"({"__metadata__":null})"},
       {"metadata_twice", R"({"__metadata__":{},"__metadata__":{}})"},
       {"metadata_key_twice", R"({"__metadata__":{"a":"b","a":"b"}})"},
       {"classes_of_number", R"({"__metadata__":{"minivit.classes":"[1]"}})"},
       {"classes_of_array", R"({"__metadata__":{"minivit.classes":"[[]]"}})"},
       {"classes_null", R"({"__metadata__":{"minivit.classes":"null"}})"},
       {"classes_text", R"({"__metadata__":{"minivit.classes":"\"a\""}})"},
       {"preprocessing_array", R"({"__metadata__":{"minivit.preprocessing":"[null]"}})"},
       {"config_other", R"({"__metadata__":{"minivit.config":"{\"kind\":[{\"x\":1}]}"}})"},
       {"config_alone",
        R"({"__metadata__":{"minivit.config":"{\"channels\":3,\"classes\":2,\"depth\":2,\"dim\":4,\"distilled\":false,\"heads\":2,\"image\":8,\"mlp_ratio\":1,\"patch\":4,\"pool\":\"cls\",\"position\":{\"keys\":false},\"sharing\":{\"mix_heads\":true,\"repeat\":2}}"}})"},
       {"trailing", "{} x"}})
    put(folder / ("header_" + std::string(name)), raw(header, 0));
  put(folder / "metadata",
      raw(R"({"__metadata__":{"minivit.classes":"[\"a\",\"b\\u00e9\"]","minivit.model":"m","minivit.preprocessing":"{}","x":"y"},"model.a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
          4));
}

}  // namespace seeds
