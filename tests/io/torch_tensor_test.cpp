// SPDX-License-Identifier: MIT
// What a file of torch.save says about a tensor: types and their sizes, the modules they may be of, shapes, and what makes
// no sense.
#include "raw_torch.hpp"

#include <minivit/io/torch_file.hpp>

#include <iterator>
#include <optional>
#include <string>
#include <vector>

namespace torch_tensor_test {

using namespace torch_test;
using minivit::DType;
using minivit::StateDict;

namespace {

StateDict parsed(const std::string& bytes) {
  const minivit::MemoryBytes source(bytes_of(bytes), "read x.pth");
  return minivit::TorchFile(source, "x.pth").state_dict();
}
std::string refused(const std::string& bytes) {
  const std::string message = message_of([&] { parsed(bytes); });
  if (!message.empty()) well_said(message, "x.pth");
  return message;
}
std::vector<float> values(const StateDict& file, std::string_view name) {
  const auto read = file.read<float>(name);
  return {read.begin(), read.end()};
}
const std::vector<float> zero_to_five{0, 1, 2, 3, 4, 5};

/// A file with one tensor 'w' over a storage of 6 floats.
std::string one(const std::string& tensor_ops) { return torch_zip(dict({{"w", tensor_ops}}), {{"0", floats(6)}}); }
const std::string six = storage("0", 6);
const std::string w23 = tensor(six, 0, {2, 3}, {3, 1});

/// Why 'x' is no tensor.
std::string left_out(const std::string& ops) {
  const StateDict file = parsed(torch_zip(dict({{"w", w23}, {"x", ops}}), {{"0", floats(6)}}));
  REQUIRE(file.origin().left_out.size() == 1);
  return file.origin().left_out[0];
}
std::string rebuilt(std::string_view what, Values arguments) { return call(name("torch._utils", what), arguments); }

/// `elements` of a type that stands beside a storage of `bytes` bytes.
std::string typed(string_view type, std::uint64_t bytes, std::uint64_t elements, string_view module = "torch") {
  return rebuilt("_rebuild_tensor_v3", {storage("0", bytes, "UntypedStorage"), "K" + le(0, 1), numbers({elements}),
                                        numbers({1}), "\x89", "N", name(module, type)});
}

/// A type of PyTorch, ours, and bytes of an element.
struct Type {
  const char* name;
  std::optional<DType> dtype;
  std::uint64_t bytes;
};

}  // namespace

TEST_CASE("torch tensor: every kind of storage has elements of its size", "[io]") {
  const Type types[] = {{"FloatStorage", DType::F32, 4},  {"DoubleStorage", DType::F64, 8},
                        {"HalfStorage", DType::F16, 2},   {"BFloat16Storage", DType::BF16, 2},
                        {"LongStorage", DType::I64, 8},   {"IntStorage", DType::I32, 4},
                        {"ShortStorage", DType::I16, 2},  {"CharStorage", DType::I8, 1},
                        {"ByteStorage", DType::U8, 1},    {"BoolStorage", DType::BOOL, 1},
                        {"UntypedStorage", DType::U8, 1}, {"ComplexFloatStorage", DType::C64, 8},
                        {"ComplexDoubleStorage", {}, 16}, {"QInt8Storage", {}, 1},
                        {"QUInt8Storage", {}, 1},         {"QInt32Storage", {}, 4}};
  CHECK(std::size(types) == minivit::detail::storage_types.size());
  for (const Type& type : types) {
    INFO(type.name);
    const std::uint64_t size = 3 * type.bytes;
    const std::string object = dict({{"w", w23}, {"x", tensor(storage("1", 3, type.name), 0, {3}, {1})}});
    // In a legacy file nothing else says where the next storage begins.
    const auto legacy = [&](std::uint64_t bytes) {
      return torch_legacy(object, {{"1", 3, std::string(bytes, 'x')}, {"0", 6, floats(6)}});
    };
    const auto zipped = [&](std::uint64_t bytes) {
      return torch_zip(object, {{"0", floats(6)}, {"1", std::string(bytes, 'x')}});
    };
    CHECK(!refused(legacy(size - 1)).empty());
    CHECK(!refused(legacy(size + 1)).empty());
    for (const StateDict& file : {parsed(legacy(size)), parsed(zipped(size))}) {
      CHECK(values(file, "w") == zero_to_five);
      if (type.dtype) {
        CHECK(file.at("x").dtype == type.dtype);
        CHECK(file.bytes(file.at("x")).size() == size);
      } else {
        CHECK(file.origin().left_out == std::vector<std::string>{"x: its numbers are " + std::string(type.name)});
      }
    }
    if (!type.dtype) continue;  // in an archive nobody asks for its size
    for (const std::uint64_t bytes : {size - 1, size + 1})
      says(refused(zipped(bytes)), "tensor 'x': its storage has another size: expected 3 elements of " +
                                       std::to_string(type.bytes) + " bytes, found " + std::to_string(bytes) + " bytes");
  }
}

TEST_CASE("torch tensor: every type beside a storage of bytes has elements of its size", "[io]") {
  const Type types[] = {{"float32", DType::F32, 4},
                        {"float64", DType::F64, 8},
                        {"float16", DType::F16, 2},
                        {"bfloat16", DType::BF16, 2},
                        {"int64", DType::I64, 8},
                        {"int32", DType::I32, 4},
                        {"int16", DType::I16, 2},
                        {"int8", DType::I8, 1},
                        {"uint8", DType::U8, 1},
                        {"bool", DType::BOOL, 1},
                        {"uint16", DType::U16, 2},
                        {"uint32", DType::U32, 4},
                        {"uint64", DType::U64, 8},
                        {"float8_e4m3fn", DType::F8_E4M3, 1},
                        {"float8_e5m2", DType::F8_E5M2, 1},
                        {"float8_e4m3fnuz", DType::F8_E4M3FNUZ, 1},
                        {"float8_e5m2fnuz", DType::F8_E5M2FNUZ, 1},
                        {"float8_e8m0fnu", DType::F8_E8M0, 1}};
  CHECK(std::size(types) == minivit::detail::tensor_types.size());
  for (const Type& type : types) {
    INFO(type.name);
    const std::uint64_t elements = 24 / type.bytes;
    const StateDict file = parsed(one(typed(type.name, 24, elements)));
    CHECK(file.at("w").dtype == type.dtype);
    CHECK(file.bytes(file.at("w")).size() == 24);
    says(refused(one(typed(type.name, 24, elements + 1))),
         "it goes past the end of its storage: expected " + std::to_string(elements) + " elements");
  }
}

TEST_CASE("torch tensor: newer types stand beside a storage that counts bytes", "[io]") {
  CHECK(values(parsed(one(typed("float32", 24, 6))), "w") == std::vector<float>{0, 1, 2, 3, 4, 5});
  CHECK(parsed(one(typed("float8_e4m3fn", 24, 24))).at("w").dtype == DType::F8_E4M3);
  CHECK(parsed(one(typed("uint16", 24, 12))).at("w").bytes == 24);
  says(refused(one(typed("float32", 24, 7))), "it goes past the end of its storage: expected 6 elements");
  says(refused(one(typed("float32", 28, 7))),
       "its storage has another size: expected 7 elements of 4 bytes, found 24 bytes");
  says(refused(one(typed("float32", 23, 5))), "no tensors by name");
  says(refused(one(typed("float3", 24, 6))), "no tensors by name");
}

TEST_CASE("torch tensor: types are those of torch's own modules", "[io]") {
  const auto of = [](string_view module) {
    const std::string id = tuple({text("storage"), name(module, "FloatStorage"), text("0"), text("cpu"), integer(6)});
    return tensor(id + "Q", 0, {6}, {1});
  };
  for (const char* const module : {"torch", "torch.cuda", "torch.storage"}) {
    INFO(module);
    CHECK(values(parsed(one(of(module))), "w") == zero_to_five);
    CHECK(values(parsed(one(typed("float32", 24, 6, module))), "w") == zero_to_five);
  }
  for (const std::string module :
       {"numpy", "", "Torch", "torch.nn", "torch.cud", "torch.cuda.x", "torch.storages", "builtins"}) {
    INFO(module);
    CHECK(left_out(of(module)) == "x: its storage has the unknown type " + module + ".FloatStorage");
    CHECK(left_out(typed("float32", 24, 6, module)) == "x: its numbers are " + module + ".float32");
  }
}

TEST_CASE("torch tensor: shape and strides are tuples, lists, or torch.Size of one of them", "[io]") {
  const auto shaped = [](string_view shape, string_view strides) {
    return rebuilt("_rebuild_tensor_v2", {six, "K" + le(0, 1), shape, strides, "\x89", "N"});
  };
  const auto size = [](Values arguments) { return call(name("torch", "Size"), arguments); };
  const std::string shape = numbers({3, 2}), strides = numbers({1, 3}), list = "](" + integer(3) + integer(2) + "e";
  for (const std::string& ops :
       {shaped(shape, strides), shaped(size({shape}), strides), shaped(shape, size({strides})),
        shaped(size({shape}), size({strides})), shaped(list, strides), shaped(size({list}), strides)}) {
    const StateDict file = parsed(one(ops));
    CHECK(file.at("w").shape == std::vector<minivit::Index>{3, 2});
    CHECK(values(file, "w") == std::vector<float>{0, 3, 1, 4, 2, 5});
  }
  CHECK(values(parsed(one(shaped(size({")"}), ")"))), "w") == std::vector<float>{0});  // torch.Size(()): one number
  for (const std::string& other :
       {size({}), size({shape, shape}), size({shape, "N"}), size({integer(6)}), size({"N"}), size({size({shape})}),
        call(name("torch", "Tensor"), {shape}), call(name("numpy", "Size"), {shape}), dict({{"a", integer(3)}}), integer(6),
        std::string("N")}) {
    says(left_out(shaped(other, strides)), "x: offset, shape and strides are no numbers of 0 or more");
    says(left_out(shaped(shape, other)), "x: offset, shape and strides are no numbers of 0 or more");
  }
}

TEST_CASE("torch tensor: a tensor whose description makes no sense is no tensor", "[io]") {
  const std::string shape = "offset, shape and strides are no numbers";
  says(left_out(tensor(six, ~0ull, {6}, {1})), shape);  // -1
  says(left_out(tensor(six, 0, {~0ull}, {1})), shape);
  says(left_out(tensor(six, 0, {2, 3}, {~0ull, 1})), shape);
  says(left_out(tensor(six, 0, {6}, {1, 1})), shape);
  says(left_out(tensor(six, 0, {1, 1, 1, 1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1, 1, 1, 1})), shape);
  says(left_out(rebuilt("_rebuild_tensor_v2", {six, "K" + le(0, 1)})), "too few arguments");
  says(left_out(rebuilt("_rebuild_tensor_v3", {six, "K" + le(0, 1), numbers({6}), numbers({1}), "\x89", "N"})),
       "too few arguments");
  says(left_out(tensor("N", 0, {6}, {1})), "its storage is None");
  says(left_out(tensor(text("0") + "Q", 0, {6}, {1})), "its storage is described in an unknown way");
  says(left_out(tensor(storage("0", 6, "MeshStorage"), 0, {6}, {1})), "its storage has the unknown type torch.MeshStorage");
  says(left_out(tensor(storage("0", 6, "ComplexDoubleStorage"), 0, {6}, {1})), "its numbers are ComplexDoubleStorage");
  says(left_out(rebuilt("_rebuild_tensor_v2",
                        {six, "K" + le(0, 1), numbers({6}), numbers({1}), "\x89", "N", dict({{"neg", "\x88"}})})),
       "a negated or conjugated view");
  says(left_out(rebuilt("_rebuild_parameter",
                        {rebuilt("_rebuild_parameter",
                                 {rebuilt("_rebuild_parameter", {rebuilt("_rebuild_parameter", {w23, "\x88", "N"})})})})),
       "_rebuild_parameter");
  CHECK(parsed(one(rebuilt("_rebuild_parameter", {w23, "\x88", "N"}))).tensors().size() == 1);
  CHECK(parsed(one(rebuilt("_rebuild_tensor", {six, "K" + le(0, 1), numbers({6}), numbers({1})}))).tensors().size() == 1);
  CHECK(parsed(one(call(name("torch._tensor", "_rebuild_from_type_v2"),
                        {name("torch._utils", "_rebuild_tensor_v2"), name("my", "Tensor"),
                         tuple({six, "K" + le(0, 1), numbers({6}), numbers({1}), "\x89", "N"}), "N"})))
            .tensors()
            .size() == 1);
}

}  // namespace torch_tensor_test
