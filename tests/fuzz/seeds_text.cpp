// SPDX-License-Identifier: MIT
// Seeds of settings and lists: texts in which one thing is not as it should be.
#include "../io/raw_file.hpp"
#include "seeds.hpp"

#include <string>

namespace seeds {

namespace {

constexpr const char* vit =
    R"({"channels":3,"classes":2,"depth":2,"dim":4,"distilled":false,"heads":2,"image":8,"mlp_ratio":1,"patch":4,"pool":"cls","position":{"keys":false},"sharing":{"mix_heads":true,"repeat":2}})";
constexpr const char* swin =
    R"({"blocks":[2,1],"channels":3,"classes":2,"depths":[2,1],"dim":4,"family":"swin","heads":[1,2],"image":8,"mlp_ratio":1,"patch":2,"transformations":{"local_conv":false,"mix_heads":false,"separate_norms":false},"window":2})";
constexpr const char* how =
    R"({"crop_mode":"squash","crop_pct":0.875,"interpolation":"bicubic","mean":[0.5,0.25,0],"std":[0.5,0.25,1]})";

/// In what a seed differs from a sound text.
struct Change {
  const char *name, *from, *to;
};

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);  // throws when it is not there
}
/// An array of 9,999 ones and that value: one more than a document may hold.
std::string too_many(std::string_view last) {
  std::string out = "[";
  for (int i = 0; i < 9'999; ++i) out += "1,";
  return out + std::string(last) + "]";
}

}  // namespace

void write_settings(const Folder& all) {
  const Folder folder = all / "settings";
  const auto put = [&](std::string_view of, std::string_view name, std::string_view text) {
    io_test::put(folder / (std::string(of) + "_" + std::string(name) + ".json"), text);
  };
  const auto put_changed = [&](std::string_view of, std::string_view text, std::initializer_list<Change> changes) {
    for (const auto& [name, from, to] : changes) put(of, name, replaced(std::string(text), from, to));
  };
  put_changed("vit", vit,
              {{"and_number", "}}", "},\"x\":1}"},
               {"and_empty_object", "}}", "},\"x\":{}}"},
               {"and_object", "}}", "},\"x\":{\"y\":[]}}"},
               {"and_array", "}}", "},\"x\":[{\"y\":2},1]}"},
               {"and_member", "\"repeat\"", "\"x\":null,\"repeat\""},
               {"too_deep", "}}", "},\"x\":[[[[]]]]}"},
               {"of_family", "}}", "},\"family\":\"vit\"}"},
               {"of_other_family", "}}", "},\"family\":\"resnet\"}"},
               {"of_family_5", "}}", "},\"family\":5}"},
               {"image_twice", "}}", "},\"image\":8}"},
               {"image_missing", "\"image\":8,", ""},
               {"image_null", "8", "null"},
               {"image_true", "8", "true"},
               {"image_0", "8", "0"},
               {"image_too_large", "8", "16385"},
               {"image_negative", "8", "-8"},
               {"image_fraction", "8", "8.5"},
               {"image_infinite", "8", "1e999"},
               {"image_65_bits", "8", "18446744073709551616"},
               {"image_object", "8", "{\"a\":[null,false,\"b\"],\"c\":-1}"},
               {"distilled_number", "false", "0"},
               {"pool_null", "\"cls\"", "null"},
               {"pool_other", "\"cls\"", "\"max\""},
               {"sharing_number", "{\"mix_heads\":true,\"repeat\":2}", "5"},
               {"sharing_array", "{\"mix_heads\":true,\"repeat\":2}", "[true,2]"},
               {"all_optional", "\"repeat\"", "\"separate_norms\":true,\"local_conv\":true,\"repeat\""}});
  put_changed("swin", swin,
              {{"depths_number", "\"depths\":[2,1]", "\"depths\":2"},
               {"depths_empty", "\"depths\":[2,1]", "\"depths\":[]"},
               {"depths_five", "\"depths\":[2,1]", "\"depths\":[2,1,2,1,2]"},
               {"depths_four", "\"depths\":[2,1]", "\"depths\":[2,1,2,1]"},
               {"depths_of_text", "\"depths\":[2,1]", "\"depths\":[2,\"1\"]"},
               {"depths_of_0", "\"depths\":[2,1]", "\"depths\":[2,0]"},
               {"depths_257", "\"depths\":[2,1]", "\"depths\":[257]"}});
  put_changed("how", how,
              {{"mean_number", "[0.5,0.25,0]", "0.5"},
               {"mean_of_two", "[0.5,0.25,0]", "[0.5,0.25]"},
               {"mean_of_text", "[0.5,0.25,0]", "[0.5,0.25,\"0\"]"},
               {"mean_no_float", "[0.5,0.25,0]", "[0.5,-1e39,0]"},
               {"mean_no_double", "[0.5,0.25,0]", "[0.5,1e999,0]"},
               {"mean_minus_zero", "[0.5,0.25,0]", "[-0,1e-45,3.4028234e38]"},
               // the one float whose shortest text, read as a double, is nearer to another float
               {"mean_rounded_twice", "[0.5,0.25,0]", "[7.038530691851209e-26,0,0]"},
               {"std_0", "[0.5,0.25,1]", "[0.5,0,1]"},
               {"std_negative", "[0.5,0.25,1]", "[0.5,-0.25,1]"},
               {"std_no_float", "[0.5,0.25,1]", "[0.5,1e39,1]"},
               {"std_empty", "[0.5,0.25,1]", "[]"},
               {"crop_text", "0.875", "\"0.875\""},
               {"crop_0", "0.875", "0"},
               {"crop_2", "0.875", "2"},
               {"crop_missing", "\"crop_pct\":0.875,", ""},
               {"interpolation_null", "\"bicubic\"", "null"},
               {"interpolation_other", "\"bicubic\"", "\"box\""},
               {"mode_true", "\"squash\"", "true"},
               {"mode_border", "\"squash\"", "\"border\""},
               {"and_other", "{", "{\"x\":1,"},
               {"std_twice", "{", "{\"std\":[1,1,1],"}});
  put("text", "null", "null");
  put("text", "byte_order_mark", std::string("\xEF\xBB\xBF") + how);
  put("text", "zero_byte", std::string("{\"mean\":\0}", 10));
  put("text", "no_utf8", "{\"\xC0\":1}");
  for (const auto& [name, last] : {Named{"truth", "true"},
                                   {"null", "null"},
                                   {"count", "1"},
                                   {"number", "-1"},
                                   {"text", "\"\""},
                                   {"array", "[]"},
                                   {"object", "{}"}})
    put("too_many", name, too_many(last));
}

void write_lists(const Folder& all) {
  const Folder folder = all / "lists";
  for (const auto& [name, text] :
       {Named{"train_and_test", "path,label,split\na.png,cat,train\n\"b,c.png\",dog,test\nd.png,cat,val\n"},
        {"numbers", "label,other,path\n0,x,a.png\n2,,b.png\n"},
        {"large_number", "path,label\na.png,999999\n"},
        {"number_with_zero", "path,label\na.png,01\n"},
        {"path_twice", "path,path,label\n"},
        {"no_label", "path,split\n"},
        {"empty_path", "path,label\n,cat\n"},
        {"empty_label", "path,label\na.png,\n"},
        {"no_records", "path,label\n"},
        {"other_split", "path,label,split\na.png,cat,all\n"},
        {"only_test", "path,label,split\na.png,cat,test\n"},
        {"class_of_test_only", "path,label,split\na.png,cat,train\nb.png,dog,test\n"}})
    io_test::put(folder / (std::string(name) + ".csv"), text);
  const auto records = [&](std::string_view name, std::string_view labels, std::size_t count) {
    std::string bytes;
    for (std::size_t i = 0; i < count; ++i) bytes += std::string(labels) + std::string(3072, '\x55');
    io_test::put(folder / (std::string(name) + ".bin"), bytes);
  };
  records("cifar10", "\x09", 1);
  records("cifar10_two", "\x01", 2);
  records("cifar10_label_10", "\x0a", 1);
  records("cifar100", "\x13\x63", 1);
  records("cifar100_label_20", "\x14\x63", 1);
}

}  // namespace seeds
