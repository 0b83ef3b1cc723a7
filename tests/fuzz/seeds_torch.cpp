// SPDX-License-Identifier: MIT
// Seeds of weights: files of torch.save, sound ones first, then tensors and dictionaries that it never writes.
#include "../io/raw_torch.hpp"
#include "seeds.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace seeds {

using namespace torch_test;

/// What torch.save writes, in both containers: tensors of every type, in the order of memory and not. And the archive with
/// each byte changed in three ways: fuzzing hardly finds those changes that leave its many sums and sizes true.
void write_torch_files(const Folder& all) {
  const Folder folder = all / "weights";
  const std::string six = storage("0", 6);
  const std::string plain = tensor(six, 0, {2, 3}, {3, 1}), turned = tensor(six, 0, {3, 2}, {1, 3}),
                    part = tensor(six, 1, {2}, {2});
  const std::string small = torch_zip(dict({{"w", plain}}), {{"0", floats(6)}});
  const auto put = [&](const std::string& name, const std::string& object) {
    io_test::put(folder / ("torch_zip_" + name), torch_zip(object, {{"0", floats(6)}}));
    io_test::put(folder / ("torch_legacy_" + name), torch_legacy(object, {{"0", 6, floats(6)}}));
  };
  const auto rebuilt = [](string_view module, string_view what, Values arguments) {
    return dict({{"w", call(name(module, what), arguments)}});
  };
  const auto typed = [&](const char* type, std::uint64_t bytes, std::uint64_t elements) {
    return rebuilt("torch._utils", "_rebuild_tensor_v3",
                   {storage("0", bytes, "UntypedStorage"), integer(0), numbers({elements}), numbers({1}), "\x89", "N",
                    name("torch", type)});
  };
  for (const char* type : {"DoubleStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "IntStorage", "ShortStorage",
                           "CharStorage", "ByteStorage", "BoolStorage", "ComplexFloatStorage"})
    put(type, dict({{"w", tensor(storage("0", 3, type), 0, {2}, {1})}}));
  put("views", dict({{"a", turned}, {"b", part}}));
  put("expanded", dict({{"w", tensor(six, 0, {7}, {0})}}));
  put("huge", dict({{"w", tensor(six, 0, {1ull << 62, 0}, {0, 0})}}));
  put("long_name", dict({{std::string(1001, 'n'), plain}}));
  put("view_of_storage", dict({{"w", tensor(tuple({text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"),
                                                   integer(6), tuple({text("1"), integer(0), integer(6)})}) +
                                                "Q",
                                            0, {6}, {1})}}));
  put("parameter", rebuilt("torch._utils", "_rebuild_parameter", {plain, "\x88", "N"}));
  put("subclass", rebuilt("torch._tensor", "_rebuild_from_type_v2",
                          {name("torch._utils", "_rebuild_tensor_v2"), name("my", "Tensor"),
                           tuple({six, integer(0), numbers({6}), numbers({1}), "\x89", "N"}), "N"}));
  put("size", rebuilt("torch._utils", "_rebuild_tensor_v2",
                      {six, integer(0), call(name("torch", "Size"), {numbers({6})}), numbers({1}), "\x89", "N"}));
  put("negated", rebuilt("torch._utils", "_rebuild_tensor_v2",
                         {six, integer(0), numbers({6}), numbers({1}), "\x89", "N", dict({{"neg", "\x88"}})}));
  put("untyped", typed("float32", 24, 6));
  put("untyped_part", typed("float32", 23, 5));
  put("entries", dict({{"model", dict({{"module.w", plain}})}, {"model_ema", dict({{"w", turned}})}}));
  const std::string pickled = begin + dict({{"w", plain}}) + ".";
  io_test::put(folder / "zip_narrow", zip({{"a/data.pkl", pickled}, {"a/data/0", floats(6)}, {"a/version", "3"}}));
  io_test::put(folder / "zip_of_numpy", zip({{"arr_0.npy", "..."}}));
  io_test::put(folder / "zip_of_two", zip({{"a/data.pkl", "."}, {"b/data.pkl", "."}}));
  io_test::put(folder / "zip_of_script", zip({{"a/data.pkl", pickled}, {"a/constants.pkl", "."}}));
  io_test::put(folder / "zip_other_size", zip({{"a/data.pkl", pickled}, {"a/data/0", floats(5)}}));
  for (const char* order : {"little", "big"})
    io_test::put(folder / (std::string("zip_") + order),
                 torch_zip(dict({{"w", plain}}), {{"0", floats(6)}}, {{"byteorder", order}}));
  for (std::size_t at = 0; at < small.size(); ++at)
    for (const unsigned change : {0x01u, 0x08u, 0xffu}) {
      std::string changed = small;
      changed[at] = static_cast<char>(static_cast<unsigned char>(changed[at]) ^ change);
      io_test::put(folder / ("torch_zip_" + std::to_string(at) + "_" + std::to_string(change)), changed);
    }
}

/// Both containers with one object that has storage "0" of six floats.
void put_both(const Folder& folder, const std::string& name, string_view object) {
  io_test::put(folder / ("odd_zip_" + name), torch_zip(object, {{"0", floats(6)}}));
  io_test::put(folder / ("odd_legacy_" + name), torch_legacy(object, {{"0", 6, floats(6)}}));
}

/// Storages that say of themselves what they should not, and the calls that rebuild a tensor with wrong arguments.
void write_odd_tensors(const Folder& all) {
  const Folder folder = all / "weights";
  const auto put = [&](const char* name, const std::string& value) { put_both(folder, name, dict({{"w", value}})); };
  const std::string six = storage("0", 6), none = integer(0), shape = numbers({6}), stride = numbers({1});
  const std::string plain = tensor(six, 0, {6}, {1}), minus_one = integer(~0ull);
  const auto utils = [](string_view what, Values arguments) { return call(name("torch._utils", what), arguments); };

  const auto put_storage = [&](const char* name, Values parts) { put(name, tensor(tuple(parts) + "Q", 0, {6}, {1})); };
  const std::string word = text("storage"), key = text("0"), cpu = text("cpu"), count = integer(6);
  const std::string floats_of_torch = name("torch", "FloatStorage");
  put_storage("cuda", {word, name("torch.cuda", "FloatStorage"), key, text("cuda:0"), count});
  put_storage("module_storage", {word, name("torch.storage", "FloatStorage"), key, cpu, count});
  put_storage("other_module", {word, name("my", "FloatStorage"), key, cpu, count});
  put_storage("other_type", {word, name("torch", "OddStorage"), key, cpu, count});
  put_storage("type_is_text", {word, text("FloatStorage"), key, cpu, count});
  put_storage("four_parts", {word, floats_of_torch, key, cpu});
  put_storage("seven_parts", {word, floats_of_torch, key, cpu, count, "N", "N"});
  put_storage("other_word", {text("module"), floats_of_torch, key, cpu, count});
  put_storage("key_is_number", {word, floats_of_torch, none, cpu, count});
  put_storage("minus_one_elements", {word, floats_of_torch, key, cpu, minus_one});
  put_storage("elements_are_text", {word, floats_of_torch, key, cpu, text("6")});
  put("storage_is_text", tensor(text("0"), 0, {6}, {1}));
  for (const char* type : {"ComplexDoubleStorage", "QInt8Storage", "QUInt8Storage", "QInt32Storage"})
    put(type, tensor(storage("0", 6, type), 0, {6}, {1}));

  const auto put_v2 = [&](const char* name, string_view offset, string_view extents, string_view strides) {
    put(name, utils("_rebuild_tensor_v2", {six, offset, extents, strides, "\x89", "N"}));
  };
  put_v2("minus_one_offset", minus_one, shape, stride);
  put_v2("minus_one_shape", none, numbers({~0ull}), stride);
  put_v2("minus_one_stride", none, shape, numbers({~0ull}));
  put_v2("shape_of_text", none, tuple({text("6")}), stride);
  put_v2("shape_is_number", none, count, stride);
  put_v2("nine_axes", none, numbers({1, 1, 1, 1, 1, 1, 1, 1, 6}), numbers({6, 6, 6, 6, 6, 6, 6, 6, 1}));
  put_v2("two_strides", none, shape, numbers({6, 1}));
  put_v2("size_of_two", none, call(name("torch", "Size"), {shape, shape}), stride);
  put_v2("size_of_other", none, call(name("my", "Size"), {shape}), stride);
  put_v2("product_too_large", none, numbers({2, 2, 1ull << 62, 4}), numbers({1, 1, 4, 1}));
  put_v2("step_too_large", none, numbers({2, 1ull << 62}), numbers({1, 8}));
  put_v2("turned_with_one", none, numbers({3, 1, 2}), numbers({1, 5, 3}));

  put("version_1", utils("_rebuild_tensor", {six, none, shape, stride}));
  put("version_1_of_three", utils("_rebuild_tensor", {six, none, shape}));
  put("version_2_of_five", utils("_rebuild_tensor_v2", {six, none, shape, stride, "\x89"}));
  put("version_3_of_six", utils("_rebuild_tensor_v3", {six, none, shape, stride, "\x89", "N"}));
  for (const char* type : {"complex64", "qint8", "odd"})
    put(type, utils("_rebuild_tensor_v3", {six, none, shape, stride, "\x89", "N", name("torch", type)}));
  put("other_function", utils("_rebuild_odd", {plain}));
  put("parameter_with_state", utils("_rebuild_parameter_with_state", {plain, "\x88", "N", "N"}));
  put("parameter_of_nothing", utils("_rebuild_parameter", {}));
  std::string parameter = plain;
  for (int depth = 0; depth < 4; ++depth) parameter = utils("_rebuild_parameter", {parameter});
  put("parameter_four_times", parameter);
  const auto from_type = [](Values arguments) { return call(name("torch._tensor", "_rebuild_from_type_v2"), arguments); };
  put("subclass_of_two", from_type({name("torch._utils", "_rebuild_tensor_v2"), name("my", "Tensor")}));
  put("subclass_of_other", from_type({name("my", "rebuild"), name("my", "Tensor"), tuple({six}), "N"}));
}

/// Dictionaries of tensors inside each other: which are found, chosen, and looked up by entry_name of io_targets.hpp.
void write_odd_entries(const Folder& all) {
  const Folder folder = all / "weights";
  const std::string plain = tensor(storage("0", 6), 0, {6}, {1}), tensors = dict({{"w", plain}});
  const auto put = [&](const char* name, string_view object) { put_both(folder, name, object); };
  put("holds_itself", std::string("}q\0(", 4) + text("w") + plain + text("me") + std::string("h\0u", 3));
  put("five_deep", dict({{"a", dict({{"b", dict({{"c", dict({{"d", tensors}})}})}})}, {"w", plain}}));
  put("six_entries", dict({{"a", tensors}, {"b", tensors}, {"c", tensors}, {"d", tensors}, {"e", tensors}, {"f", tensors}}));
  put("no_tensors", dict({{"a", dict({{"b", text("c")}})}}));
  put("model_is_text", dict({{"model", text("c")}}));
  put("root_is_list", "]");
  put("found_by_parts", dict({{"ema", dict({{"state", tensors}})}, {"w", plain}}));
  put("found_as_a_whole", dict({{"ema.state.", tensors}}));
  put("found_half", dict({{"ema", dict({{"w", plain}})}}));
  put("found_a_number", dict({{"ema.state.", integer(1)}, {"w", plain}}));
  put("key_is_bytes", joined({"}(C\x01w", plain, text("w"), plain, "u"}));
  std::vector<std::pair<std::string, std::string>> items{{"w", plain}};
  for (int i = 0; i < 102; ++i) items.emplace_back(std::to_string(i), "N");
  put("left_out", dict_of(items));
  std::string by_bytes = torch_legacy(tensors, {});
  by_bytes.resize(by_bytes.size() - 2);  // the end of an empty list of keys
  io_test::put(folder / "odd_legacy_list_of_bytes", by_bytes +
                                                        "C\x01"
                                                        "0e." +
                                                        le(6, 8) + floats(6));
}

/// Pickles by themselves: what tensors do not need, and what is bounded.
void write_pickles(const Folder& all) {
  const Folder folder = all / "pickle";
  const auto put = [&](const char* name, const std::string& value) {
    io_test::put(folder / name, begin + tuple({value}) + ".");
  };
  const std::string ordered = name("collections", "OrderedDict"), pair = tuple({text("k"), integer(1)});
  put("call_of_storage", joined({tuple({text("module"), text("my")}), "Q)R"}));
  put("call_of_class", joined({tuple({text("module"), name("my", "Net"), text("net.py")}), "Q)R"}));
  put("call_of_text", joined({text("my"), ")R"}));
  put("ordered", call(ordered, {joined({"](", pair, pair, "e"})}));
  put("ordered_of_triples", call(ordered, {joined({"](", tuple({"N", "N", "N"}), "e"})}));
  io_test::put(folder / "many_marks", begin + std::string(1001, '('));
  // A list that holds itself twice is a list of pairs, and so is the dictionary made of it: each is twice the last.
  std::string doubling = begin + std::string("]q\0(h\0h\0e", 9);
  for (int i = 0; i < 20; ++i)
    doubling +=
        "\x85q\x01"
        "0" +
        ordered + "h\x01R";
  io_test::put(folder / "ordered_that_doubles", doubling + ".");
}

}  // namespace seeds
