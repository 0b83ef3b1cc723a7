// SPDX-License-Identifier: MIT
#include "../catch.hpp"
#include "../fixtures.hpp"
#include "raw_file.hpp"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace safetensors_test {

using namespace minivit;
using namespace io_test;

namespace {
static_assert(half_to_float(0x3C00) == 1.0f && half_to_float(0xC000) == -2.0f && half_to_float(0x7BFF) == 65504.0f);
static_assert(half_to_float(0x0001) == 0x1p-24f && half_to_float(0x03FF) == 1023 * 0x1p-24f &&
              half_to_float(0x0400) == 0x1p-14f);
static_assert(half_to_float(0x7C00) == std::numeric_limits<float>::infinity() && half_to_float(0x3555) == 0x1.554p-2f);
static_assert(std::bit_cast<std::uint32_t>(half_to_float(0x8000)) == 0x80000000u);
static_assert(static_cast<float>(bf16(1.0f)) == 1.0f && bf16(-123.5f).bits == 0xC2F7);

std::string header_of(const std::string& bytes) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  return bytes.substr(8, length);
}
}  // namespace

TEST_CASE("safetensors: what is written is read back", "[io]") {
  const Folder folder;
  const std::array<float, 6> weight{1, -2, 3.5f, 0, std::numeric_limits<float>::infinity(), 1e-42f};
  const std::array<double, 1> scale{0.1};
  const std::array<std::int64_t, 2> step{-1, std::numeric_limits<std::int64_t>::max()};
  const std::array<std::uint64_t, 1> seed{~std::uint64_t{0}};
  const std::array<std::uint8_t, 3> bytes{0, 127, 255};
  write_safetensors(folder / "a",
                    {{"w", DType::F32, {2, 3}, weight.data()},
                     {"scale", DType::F64, {}, scale.data()},
                     array_to_write<std::int64_t>("step", step),
                     array_to_write<std::uint64_t>("seed", seed),
                     array_to_write<std::uint8_t>("bytes", bytes),
                     {"none", DType::F32, {0, 5}, nullptr}},
                    {{"key", "line 1\nline \"2\" \xC3\xA9"}, {"", ""}});
  const SafeTensors file = SafeTensors::open(folder / "a");
  CHECK(file.tensors().size() == 6);
  CHECK(file.metadata() == std::map<std::string, std::string>{{"", ""}, {"key", "line 1\nline \"2\" \xC3\xA9"}});
  CHECK(file.at("w").shape == std::vector<Index>{2, 3});
  CHECK(file.at("scale").shape.empty());
  CHECK(std::ranges::equal(file.read<float>("w"), weight));
  CHECK(file.read<double>("scale").data()[0] == 0.1);
  CHECK(std::ranges::equal(file.read<std::int64_t>("step"), step));
  CHECK(std::ranges::equal(file.read<std::uint64_t>("seed"), seed));
  CHECK(std::ranges::equal(file.read<std::uint8_t>("bytes"), bytes));
  CHECK(file.read<float>("none").size() == 0);
  CHECK(file.find("nothing") == nullptr);
  CHECK(message_of([&] { file.at("nothing"); }).find("no tensor 'nothing'") != std::string::npos);
}

TEST_CASE("safetensors: the same tensors give the same bytes in any order, largest type first, data at a multiple of 64",
          "[io]") {
  const Folder folder;
  const std::array<double, 2> data{1, 2};
  for (int length = 0; length < 70; ++length) {  // every length of the header modulo 64
    const std::string long_name(static_cast<std::size_t>(length), 'z');
    std::vector<TensorToWrite> tensors{{"u" + long_name, DType::U8, {3}, data.data()},
                                       {"b", DType::F32, {1}, data.data()},
                                       {"a", DType::F32, {2}, data.data()},
                                       {"d", DType::F64, {1}, data.data()}};
    write_safetensors(folder / "a", tensors);
    std::ranges::reverse(tensors);
    write_safetensors(folder / "b", tensors);
    const std::string bytes = get(folder / "a");
    CHECK(bytes == get(folder / "b"));
    CHECK((8 + header_of(bytes).size()) % 64 == 0);
    const SafeTensors file = SafeTensors::open(folder / "a");
    CHECK(file.tensors()[0].name == "d");
    CHECK(file.tensors()[1].name == "a");
    CHECK(file.tensors()[2].name == "b");
  }
}

TEST_CASE("safetensors: unaligned tensors are read by copy", "[io]") {
  const std::string header =
      R"({"u":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"f":{"dtype":"F32","shape":[2],"data_offsets":[1,9]},)"
      R"("d":{"dtype":"F64","shape":[1],"data_offsets":[9,17]},"h":{"dtype":"F16","shape":[1],"data_offsets":[17,19]}})";
  std::string bytes = raw(header, 19);
  const std::size_t data = bytes.size() - 19;
  const std::array<float, 2> f{1.5f, -2.5f};
  const double d = 1.0 / 3;
  const std::uint16_t h = 0x3E00;
  std::memcpy(bytes.data() + data + 1, f.data(), 8);
  std::memcpy(bytes.data() + data + 9, &d, 8);
  std::memcpy(bytes.data() + data + 17, &h, 2);
  const SafeTensors file = parse(bytes);
  CHECK(std::ranges::equal(file.read<float>("f"), f));
  CHECK(file.read<double>("f").data()[1] == -2.5);
  CHECK(file.read<double>("d").data()[0] == d);
  CHECK(file.read<float>("d").data()[0] == static_cast<float>(d));
  CHECK(file.read<float>("h").data()[0] == 1.5f);
}

TEST_CASE("safetensors: all 65536 half and bfloat16 values are widened exactly", "[io]") {
  const Folder folder;
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  write_safetensors(folder / "a", {{"h", DType::F16, {65536}, all.data()}, {"b", DType::BF16, {65536}, all.data()}});
  const SafeTensors file = SafeTensors::open(folder / "a");
  const Buffer<float> h = file.read<float>("h");
  const Buffer<float> b = file.read<float>("b");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const int exponent = static_cast<int>(i >> 10 & 31), mantissa = static_cast<int>(i & 1023);
    const double sign = i >> 15 ? -1 : 1;
    const float value = h.data()[i];
    if (exponent == 31) CHECK((mantissa ? std::isnan(value) : std::isinf(value)));
    else if (value != sign * (exponent ? std::ldexp(1024 + mantissa, exponent - 25) : std::ldexp(mantissa, -24)))
      FAIL("half " << i);
    if (std::bit_cast<std::uint32_t>(b.data()[i]) != i << 16) FAIL("bfloat16 " << i);
  }
}

TEST_CASE("safetensors: types we do not compute with are refused by name when asked for", "[io]") {
  for (const auto& [name, bits] : detail::dtype_names) {
    INFO(name);
    const SafeTensors file = parse(raw(
        "{\"a\":{\"dtype\":\"" + std::string(name) + "\",\"shape\":[8],\"data_offsets\":[0," + std::to_string(bits) + "]}}",
        static_cast<std::size_t>(bits)));
    const bool floating = name == "F32" || name == "F64" || name == "F16" || name == "BF16";
    const std::string as_float = message_of([&] { file.read<float>("a"); });
    CHECK((as_float.find("found " + std::string(name)) != std::string::npos) == !floating);
    CHECK((as_float.find("tensor 'a'") != std::string::npos) == !floating);
    const bool integer = name == "I64" || name == "I32" || name == "U8";
    CHECK(message_of([&] { file.read<std::int64_t>("a"); }).empty() == integer);
    CHECK(message_of([&] { file.read<std::int32_t>("a"); }).empty() == (name == "I32" || name == "U8"));
  }
}

TEST_CASE("safetensors: a header that begins with something else is refused with its first byte, from files, too", "[io]") {
  const Folder folder;
  const auto both = [&](const std::string& header, const std::string& found) {
    const std::string bytes = raw(header, 0), path = folder / "a.safetensors",
                      expected = ": header: wrong first byte, byte 8 of the file: expected '{', found " + found +
                                 " (is this a safetensors file?)";
    CHECK(refusal(bytes) == "read file.safetensors" + expected);
    put(path, bytes);
    CHECK(message_of([&] { SafeTensors::open(path); }) == "read " + path + expected);
  };
  both("", "an empty header");
  both("[", "'['");
  both("[]", "'['");
  both("xyz{}", "'x'");
  both(std::string("\0{}", 3), "'\\x00'");
}

TEST_CASE("safetensors: a header may be as long as the limit and no longer, before any of it is read", "[io]") {
  const Folder folder;
  const std::string path = folder / "a.safetensors";
  const auto refused = [&](std::string_view bytes, const SafeTensors::Limits& limits) {
    const std::string message = message_of(
        [&] { SafeTensors::parse(std::as_bytes(std::span(bytes.data(), bytes.size())), path, limits); });
    put(path, bytes);
    CHECK(message_of([&] { SafeTensors::open(path, limits); }) == message);
    return message;
  };
  const std::string header = R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", file = raw(header, 3);
  const auto limit = [](std::uint64_t header_bytes) { return SafeTensors::Limits{.header_bytes = header_bytes}; };
  CHECK(refused(file, limit(header.size())) == "");
  CHECK(refused(file, limit(header.size() + 1)) == "");
  CHECK(contains(refused(file, limit(header.size() - 1)),
                 concat({"header length in bytes 0 to 7 is too large: expected at most ", header.size() - 1, ", found ",
                         header.size(), " (is this a safetensors file?)"})));
  // What the length says decides, not what is there.
  CHECK(contains(refused(length_bytes(100'000'000), {}), "header goes past the end of the file: expected at most 0 bytes"));
  CHECK(contains(refused(length_bytes(100'000'001), {}), "too large: expected at most 100000000, found 100000001"));
}

TEST_CASE("safetensors: what cannot be read back is not written", "[io]") {
  const Folder folder;
  const float x = 1;
  const auto refused = [&](const std::vector<TensorToWrite>& tensors,
                           const std::map<std::string, std::string>& metadata = {}) {
    const std::string message = message_of([&] { write_safetensors(folder / "a", tensors, metadata); });
    CHECK(folder.count() == 0);
    return message;
  };
  CHECK(refused({{"a", DType::F32, {1}, &x}, {"a", DType::F64, {0}, &x}}).find("'a': name cannot be used") !=
        std::string::npos);
  CHECK(refused({{"__metadata__", DType::F32, {1}, &x}}).find("reserved") != std::string::npos);
  CHECK(refused({{"\xFF", DType::F32, {1}, &x}}).find("tensor name is not valid UTF-8") != std::string::npos);
  CHECK(refused({}, {{"k", "\xC0\x80"}}).find("metadata value is not valid UTF-8") != std::string::npos);
  CHECK(refused({}, {{"\xED\xA0\x80", ""}}).find("metadata key is not valid UTF-8") != std::string::npos);
  CHECK(refused({{"a", DType::F32, {-1}, &x}}).find("negative extent") != std::string::npos);
  CHECK(refused({{"a", DType::F32, {1, 1, 1, 1, 1, 1, 1, 1, 1}, &x}}).find("too many axes") != std::string::npos);
  CHECK(refused({{"a", DType::F4, {1}, &x}}).find("does not end on a byte") != std::string::npos);
  CHECK(refused({{"a", DType::F32, {Index{1} << 62}, &x}}).find("too large") != std::string::npos);
  CHECK(refused({{"a", DType::F32, {1}, nullptr}}).find("has no data") != std::string::npos);
  CHECK(refused({}, {{"k", std::string(100'000'000, 'x')}}).find("header would be too large") != std::string::npos);
}

TEST_CASE("safetensors: a failing disk leaves the old file", "[io]") {
  const float x = 1;
  CHECK(message_of([&] {
          write_safetensors("/dev/full", {{"a", DType::F32, {1}, &x}});
        }).find("a device") != std::string::npos);
}

TEST_CASE("safetensors: copies and moves of a file keep its tensors", "[io]") {
  SafeTensors first = parse(raw(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", 3));
  const SafeTensors copy = first;
  const SafeTensors moved = std::move(first);
  CHECK(copy.read<std::uint8_t>("a").data()[2] == 2);
  CHECK(moved.read<std::uint8_t>("a").data()[2] == 2);
  TensorInfo stranger = copy.at("a");
  stranger.offset = 1;
  CHECK(message_of([&] { copy.bytes(stranger); }).find("does not belong") != std::string::npos);
}

TEST_CASE("safetensors: the reference files are read, values and metadata", "[io]") {
  const std::string folder = fixtures::folder();
  const SafeTensors weights = SafeTensors::open(folder + "/mini_deit_a.weights.safetensors");
  CHECK(weights.tensors().size() == 51);
  Index parameters = 0;
  for (const TensorInfo& tensor : weights.tensors()) parameters += tensor.size;
  CHECK(parameters == 66146);
  CHECK(weights.metadata().at("params") == "66146");
  CHECK(weights.at("blocks.0.block.attn.conv_l.instances.1.weight").shape == std::vector<Index>{3, 3, 1, 1});
  // First values of the fixtures' generator, given to 9 digits: exact in float32.
  CHECK(weights.read<float>("head.weight").data()[0] == 0.0986553356f);
  CHECK(weights.read<float>("pos_embed").data()[1] == 0.00378015148f);
  const SafeTensors train = SafeTensors::open(folder + "/train_mini_deit.safetensors");
  const Buffer<std::int64_t> labels = train.read<std::int64_t>("labels");
  CHECK(std::ranges::equal(labels, std::array<std::int64_t, 4>{0, 4, 2, 8}));
  for (const char* name : {"deit_a.expected", "deit_a.weights", "deit_distilled_a.expected", "deit_odd.expected", "losses",
                           "deit_tiny_patch16_224.logits", "mini_deit_a.expected", "mini_deit_odd.expected",
                           "mini_deit_odd.weights", "mini_deit_share_only.expected", "mini_deit_tiny_patch16_224.logits"}) {
    INFO(name);
    const SafeTensors file = SafeTensors::open(folder + "/" + name + ".safetensors");
    CHECK(!file.tensors().empty());
    for (const TensorInfo& tensor : file.tensors())
      if (tensor.dtype == DType::F32 || tensor.dtype == DType::F64)
        for (const double value : file.read<double>(tensor.name))
          if (!std::isfinite(value)) FAIL(tensor.name << " is not finite");
  }
}

}  // namespace safetensors_test
