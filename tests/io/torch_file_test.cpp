// SPDX-License-Identifier: MIT
#include "../fixtures.hpp"
#include "raw_torch.hpp"

#include <minivit/io/torch_file.hpp>

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace torch_file_test {

using namespace torch_test;
using minivit::DType;
using minivit::Index;
using minivit::ReadOptions;
using minivit::StateDict;
using minivit::TensorInfo;

namespace {

StateDict parsed(const std::string& bytes, const ReadOptions& options = {}) {
  const minivit::MemoryBytes source(bytes_of(bytes), "read x.pth");
  return minivit::TorchFile(source, "x.pth", options).state_dict(options.entry);
}
StateDict fixture_file(const std::string& name, const std::string& entry = {}) {
  const std::string path = fixtures::path(name);
  const minivit::InputFile file(path, 1 << 20);
  const minivit::FileBytes source(file);
  return minivit::TorchFile(source, path).state_dict(entry);
}
std::string refused(const std::string& bytes, const ReadOptions& options = {}) {
  const std::string message = message_of([&] { parsed(bytes, options); });
  if (!message.empty()) well_said(message, "x.pth");
  return message;
}
std::vector<float> values(const StateDict& file, std::string_view name) {
  const auto read = file.read<float>(name);
  return {read.begin(), read.end()};
}

/// A file with one tensor 'w' over a storage of 6 floats.
std::string one(const std::string& tensor_ops) { return torch_zip(dict({{"w", tensor_ops}}), {{"0", floats(6)}}); }
std::string one_legacy(const std::string& tensor_ops) {
  return torch_legacy(dict({{"w", tensor_ops}}), {{"0", 6, floats(6)}});
}
/// Both containers, with the same answer.
std::string refused_tensor(const std::string& tensor_ops) {
  const std::string message = refused(one(tensor_ops));
  CHECK(refused(one_legacy(tensor_ops)) == message);
  return message;
}
const std::string six = storage("0", 6);
const std::string w23 = tensor(six, 0, {2, 3}, {3, 1});

/// Names of the tensors in a dictionary, found by the rule or by ReadOptions::entry.
std::string names(const std::string& object, const std::string& entry = {}) {
  const StateDict file = parsed(torch_zip(object, {{"0", floats(6)}}), {.entry = entry});
  std::string all;
  for (const TensorInfo& t : file.tensors()) all += (all.empty() ? "" : " ") + t.name;
  return all;
}
std::string refused_entry(const std::string& object, const std::string& entry = {}) {
  return refused(torch_zip(object, {{"0", floats(6)}}), {.entry = entry});
}

}  // namespace

TEST_CASE("torch file: what PyTorch wrote is read, in both containers, every type and every kind of view", "[io]") {
  for (const std::string kind : {"zip", "legacy"}) {
    INFO(kind);
    const StateDict file = fixture_file("torch_kinds_" + kind + ".pth");
    CHECK(file.origin().container == "PyTorch " + kind);
    CHECK(file.origin().entry == "model");
    CHECK(file.origin().other_entries == std::vector<std::pair<std::string, std::size_t>>{{"ema.state_dict", 1}});
    CHECK(file.origin().left_out == std::vector<std::string>{"quantised: torch._utils._rebuild_qtensor"});
    for (const char* const name : {"f32", "f64", "f16", "bf16"})
      CHECK(values(file, name) == std::vector<float>{0, 1, 2, 3, 4, 5});
    const auto wide = file.read<std::int64_t>("i64"), narrow = file.read<std::int64_t>("i32");
    for (Index i = 0; i < 6; ++i) CHECK((wide.data()[i] == i && narrow.data()[i] == i));
    CHECK(file.at("i16").dtype == DType::I16);
    CHECK(file.at("i8").dtype == DType::I8);
    CHECK(file.at("u8").dtype == DType::U8);
    CHECK(file.at("b").dtype == DType::BOOL);

    // Views of a map of 6 x 8 numbers 0 ... 47.
    const auto is_view = [&](const char* name, std::vector<Index> shape, auto&& number) {
      INFO(name);
      const TensorInfo& t = file.at(name);
      REQUIRE(t.shape == shape);
      shape.resize(2, 1);
      const auto read = values(file, name);
      for (Index i = 0; i < shape[0]; ++i)
        for (Index j = 0; j < shape[1]; ++j)
          CHECK(read[static_cast<std::size_t>(i * shape[1] + j)] == static_cast<float>(number(i, j)));
    };
    is_view("map", {6, 8}, [](Index i, Index j) { return 8 * i + j; });
    is_view("transposed", {8, 6}, [](Index i, Index j) { return 8 * j + i; });
    is_view("row", {8}, [](Index i, Index) { return 16 + i; });
    is_view("column", {6}, [](Index i, Index) { return 8 * i + 3; });
    is_view("block", {3, 4}, [](Index i, Index j) { return 8 * (i + 1) + j + 2; });
    is_view("steps", {3, 3}, [](Index i, Index j) { return 16 * i + 3 * j; });
    const auto permuted = values(file, "permuted");  // [4, 2, 3] of [2, 3, 4]
    for (std::size_t i = 0; i < 24; ++i) CHECK(permuted[i] == static_cast<float>(i / 6 + 4 * (i % 3) + 12 * (i / 3 % 2)));
    CHECK(values(file, "scalar") == std::vector<float>{3.5f});
    CHECK(file.at("scalar").shape.empty());
    CHECK(file.at("empty").shape == std::vector<Index>{0, 5});
    CHECK(values(file, "parameter") == std::vector<float>{0, 1, 2});
    says(message_of([&] { file.bytes(file.at("transposed")); }), "does not stand in one piece");
    CHECK(values(fixture_file("torch_kinds_" + kind + ".pth", "ema.state_dict"), "module.f32") == std::vector<float>{1, 1});
  }
}

TEST_CASE("torch file: its first nine bytes tell it from files of other kinds", "[io]") {
  const auto is = [](const std::string& bytes) { return minivit::TorchFile::recognises(bytes_of(bytes)); };
  for (const std::uint64_t protocol : {2u, 3u, 4u, 5u}) CHECK(is("\x80" + le(protocol, 1) + "}(XXXXX"));
  for (const std::uint64_t protocol : {0u, 1u, 6u, 255u}) CHECK(!is("\x80" + le(protocol, 1) + "}(XXXXX"));
  for (const char* const other : {"", "\x80\x02", "\x80\x02}(XXXX", "\x81\x02}(XXXXX", "\x7f\x02}(XXXXX", "text, and no end",
                                  "\x89PNG\r\n\x1a\n...", "\x02\x02\x02\x02\x02\x02\x02\x02\x02"}) {
    INFO(other);
    CHECK(!is(other));
  }
  // The length of a safetensors header, which may begin like a pickle; at most 100,000,000 bytes.
  CHECK(!is(le(0x280, 8) + "{"));
  CHECK(!is(le(0x5F50280, 8) + "{"));
  CHECK(is(le(0x5F60280, 8) + "{"));

  CHECK(is("PK\x03\x04" + le(0, 5)));
  CHECK(is("PK\x03\x04" + le(20, 4) + "\x08"));
  for (const char white_or_brace : {'{', ' ', '\t', '\r', '\n'}) CHECK(!is("PK\x03\x04" + le(0, 4) + white_or_brace));
  CHECK(!is("PK\x03\x04" + le(0, 4)));
  for (const char* const mark : {"PK\x03\x05", "PK\x05\x06", "pk\x03\x04", "QK\x03\x04"}) CHECK(!is(mark + le(0, 5)));

  says(refused("a text that is no file of torch.save"), "pickle: does not begin with a protocol at byte 0");
  says(refused("short"), "pickle: does not begin with a protocol at byte 0");
}

TEST_CASE("torch file: the dictionary is chosen by one rule, or by name", "[io]") {
  const auto with = [](const char* name) {
    return std::pair<std::string, std::string>{name, dict({{std::string("in_") + name, w23}})};
  };
  const auto pairs = [&](const std::vector<const char*>& entries) {
    std::vector<std::pair<std::string, std::string>> all{{"epoch", "K\x03"}};
    for (const char* e : entries) all.push_back(with(e));
    return all;
  };
  CHECK(names(dict({{"w", w23}})) == "w");
  CHECK(names(call(name("collections", "OrderedDict"), {}) + text("w") + w23 + "s") == "w");
  CHECK(names(dict_of(pairs({"state_dict_ema", "model_ema", "model_state_dict", "state_dict", "model"}))) == "in_model");
  CHECK(names(dict_of(pairs({"state_dict_ema", "model_ema", "model_state_dict", "state_dict"}))) == "in_state_dict");
  CHECK(names(dict_of(pairs({"state_dict_ema", "model_ema", "model_state_dict"}))) == "in_model_state_dict");
  CHECK(names(dict_of(pairs({"state_dict_ema", "model_ema"}))) == "in_model_ema");
  CHECK(names(dict_of(pairs({"state_dict_ema"}))) == "in_state_dict_ema");
  CHECK(names(dict_of(pairs({"weights"}))) == "in_weights");
  CHECK(names(dict_of(pairs({"model_ema", "model"})), "model_ema") == "in_model_ema");
  CHECK(names(dict({{"a", dict_of({with("b")})}})) == "in_b");
  CHECK(names(dict({{"a", dict({{"b", dict_of({with("c")})}})}})) == "in_c");  // three keys deep, and no deeper
  says(refused_entry(dict({{"a", dict({{"b", dict({{"c", dict_of({with("d")})}})}})}})), "no tensors by name");
  CHECK(names(dict_of({{"a", dict_of({with("b")})}, with("c")}), "a.b") == "in_b");
  CHECK(names(dict({{"a.b", dict({{"w", w23}})}}), "a.b") == "w");  // a key with a dot in it
  CHECK(names(dict({{"model", dict({{"w", w23}})}, {"rng", w23}})) == "w");
  CHECK(names(dict({{"weights", dict({{"w", w23}})}, {"rng", w23}}), "weights") == "w");
  // holds itself
  CHECK(names("}q" + le(9, 1) + "(" + text("model") + dict({{"w", w23}}) + text("self") + "h" + le(9, 1) + "u") == "w");

  says(refused_entry(dict_of(pairs({"first", "second"}))),
       "more than one dictionary of tensors: found 'first' (1 tensors), 'second' (1 tensors)");
  says(refused_entry(dict_of(pairs({"first", "second"})), "third"),
       "no dictionary 'third' in the file: found 'first' (1 tensors)");
  says(refused_entry(dict({{"model", dict({})}})), "no tensors by name");
  says(refused_entry(w23),
       "no tensors by name in the file: expected a dictionary of tensors, found torch._utils._rebuild_tensor_v2");
  says(refused_entry(name("timm.models", "VisionTransformer") + ")\x81"),
       "found timm.models.VisionTransformer (in Python: torch.save(model.state_dict(), ...))");
  says(refused_entry(dict({{"model", name("timm.models", "VisionTransformer") + ")\x81"}})),
       "found under 'model' timm.models.VisionTransformer");
  for (const char* const value : {"N", "K\x01", "]", ")", "\x88"}) says(refused_entry(value), "no tensors by name");
}

TEST_CASE("torch file: unknown classes and hostile calls are skipped without effect", "[io]") {
  const io_test::Folder folder;
  const std::string victim = folder / "victim", attack = call(name("os", "system"), {text("touch " + victim)});
  const std::string object = dict({{"args", attack},
                                   {"model", dict({{"evil", attack}, {"w", w23}, {"n", "K\x01"}})},
                                   {"optimizer", name("builtins", "exec") + text("import os").append("\x85R")}});
  for (const std::string& bytes : {torch_zip(object, {{"0", floats(6)}}), torch_legacy(object, {{"0", 6, floats(6)}})}) {
    const StateDict file = parsed(bytes);
    CHECK(file.tensors().size() == 1);
    CHECK(file.origin().left_out == std::vector<std::string>{"evil: os.system", "n: an integer"});
  }
  says(refused_entry(attack), "found os.system");
  // Where a tensor's parts are expected.
  for (const std::string& part :
       {tensor(attack, 0, {2, 3}, {3, 1}),
        call(name("torch._utils", "_rebuild_tensor_v2"), {six, attack, numbers({6}), numbers({1}), "\x89", "N"}),
        call(attack, {six}), tensor(attack + "Q", 0, {6}, {1})})
    says(refused_entry(dict({{"w", part}})), "no tensors by name");
  CHECK(!std::filesystem::exists(victim));
}

TEST_CASE("torch file: a tensor that reaches outside of its storage is refused by name", "[io]") {
  says_nothing(refused_tensor(w23));
  says_nothing(refused_tensor(tensor(six, 5, {1}, {1})));
  says_nothing(refused_tensor(tensor(six, 1, {1, 5}, {77, 1})));  // along an axis of one nothing is stepped over
  CHECK(values(parsed(one(tensor(six, 0, {1, 3, 2}, {~0ull >> 1, 1, 3}))), "w") == std::vector<float>{0, 3, 1, 4, 2, 5});
  says_nothing(refused_tensor(tensor(six, 100, {0, 3}, {1ull << 40, 1})));
  const std::string past = "tensor 'w': it goes past the end of its storage: expected 6 elements, found ";
  says(refused_tensor(tensor(six, 0, {7}, {1})), past + "[7] from element 0");
  says(refused_tensor(tensor(six, 6, {1}, {1})), past + "[1] from element 6");
  says(refused_tensor(tensor(six, 1, {2, 3}, {3, 1})), past);
  says(refused_tensor(tensor(six, 0, {2, 3}, {4, 1})), past);
  says(refused_tensor(tensor(six, ~0ull >> 1, {1}, {1})), past);
  says(refused_tensor(tensor(six, 0, {2}, {~0ull >> 1})), past);
  says(refused_tensor(tensor(six, 0, {1ull << 40, 1ull << 40}, {1ull << 40, 1})), past);
  says(refused_tensor(tensor(six, ~0ull >> 1, {3}, {~0ull >> 2})), past);
  says(refused_tensor(tensor(six, 0, {1ull << 62}, {0})), "it has more elements than its storage: expected 6 at most");
  says(refused_tensor(tensor(six, 0, {1ull << 32, 1ull << 32}, {0, 0})), "it has more elements than its storage");
  says(refused_tensor(tensor(six, 0, {7}, {0})), "an expanded tensor: save tensor.clone() instead");
  says_nothing(refused_tensor(tensor(six, 0, {0, ~0ull >> 1, ~0ull >> 1}, {1, 1, 1})));  // no element at all
}

TEST_CASE("torch file: a tensor without elements is read wherever it claims to begin", "[io]") {
  const std::string object = dict({{"five", tensor(storage("1", 6), 5, {1}, {1})},
                                   {"none", tensor(storage("0", 0), 0, {0}, {1})},
                                   {"outside", tensor(storage("1", 6), 100, {2, 0}, {7, 1})},
                                   {"inside", tensor(storage("1", 6), 3, {0}, {1})},
                                   {"behind", tensor(storage("2", 0), 0, {0, 5}, {5, 1})}});
  for (const std::string& bytes : {torch_zip(object, {{"0", ""}, {"1", floats(6)}, {"2", ""}}),
                                   torch_legacy(object, {{"0", 0, ""}, {"1", 6, floats(6)}, {"2", 0, ""}})}) {
    const StateDict file = parsed(bytes);
    CHECK(values(file, "five") == std::vector<float>{5});
    for (const char* const name : {"none", "outside", "inside", "behind"}) {
      INFO(name);
      const TensorInfo& t = file.at(name);
      CHECK((t.size == 0 && t.bytes == 0 && t.strides.empty()));
      CHECK(values(file, name).empty());
      CHECK(file.bytes(t).empty());
    }
    // It stands where its storage begins; storages begin at multiples of 64.
    CHECK((file.at("five").offset == 5 * 4 && file.at("outside").offset == 0 && file.at("inside").offset == 0));
    CHECK(file.at("behind").offset == 64);
  }
}

TEST_CASE("torch file: a storage is found wherever the pickle describes it", "[io]") {
  // The very first thing of a pickle: a list, which begins before its parts. A tuple comes behind them.
  const std::string first = "](" + text("storage") + name("torch", "FloatStorage") + text("0") + text("cpu") + integer(6) +
                            "eq" + le(1, 1) + "0",
                    object = first + dict({{"w", tensor("h" + le(1, 1) + "Q", 0, {6}, {1})}});
  for (const std::string& bytes : {torch_zip(object, {{"0", floats(6)}}), torch_legacy(object, {{"0", 6, floats(6)}})})
    CHECK(values(parsed(bytes), "w") == std::vector<float>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("torch file: storages that are missing or of another size are refused", "[io]") {
  says(refused(torch_zip(dict({{"w", w23}}), {{"1", floats(6)}})), "tensor 'w': its storage '0' is not in the file");
  for (const int n : {0, 5, 7})
    says(refused(torch_zip(dict({{"w", w23}}), {{"0", floats(n)}})),
         "its storage has another size: expected 6 elements of 4 bytes, found " + std::to_string(4 * n));
  const auto start = std::chrono::steady_clock::now();
  for (const std::uint64_t claimed :
       {1ull << 40, 1ull << 62, ~0ull >> 1}) {  // nothing is allocated for what is only claimed
    const std::string huge = tensor(storage("0", claimed), 0, {claimed}, {1});
    says(refused(one(huge)), "its storage has another size");
    says(refused(one_legacy(huge)), "storage '0': wrong number of elements");
    says(refused(torch_legacy(dict({{"w", huge}}), {{"0", claimed, floats(6)}})),
         "storage '0': it goes past the end of the file");
  }
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
  const auto view = tuple({text("storage"), name("torch", "FloatStorage"), text("0"), text("cpu"), integer(6),
                           tuple({text("1"), integer(0), integer(6)})}) +
                    "Q";
  says(refused(one(tensor(view, 0, {6}, {1}))), "its storage is a part of another one");
}

TEST_CASE("torch file: names are checked before they are anybody's", "[io]") {
  says(refused_entry("}(" + text("w\xFF") + w23 + "u"), "its name is not valid UTF-8");
  says(refused_entry(dict({{"w", w23}, {"w", w23}})), "tensor 'w': repeated name");
  says(refused_entry(dict({{std::string(1001, 'n'), w23}})),
       "its name is too long: expected 1000 bytes at most, found 1001");
  CHECK(names("}(" + text("w") + w23 + "K\x01" + w23 + "u") == "w");
  says(refused_entry(dict({{"a\nb", tensor(six, 9, {1}, {1})}})), "tensor 'a\\x0ab'");
  // One long key of very many dictionaries and calls of a long name: time, not memory.
  const auto start = std::chrono::steady_clock::now();
  std::string many = "}(" + text(std::string(1'000'000, 'k')) + "q" + le(1, 1) + name(std::string(1'000'000, 'm'), "n") +
                     "q" + le(2, 1);
  for (int i = 0; i < 60'000; ++i) many += "h\x01}h\x01h\x02)R";
  many += text("w") + w23 + "u";
  CHECK(parsed(torch_zip(many, {{"0", floats(6)}})).origin().left_out.size() == 100);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
}

TEST_CASE("torch file: archives that are something else are told apart", "[io]") {
  says(refused(zip({{"x/weights.json", "{}"}})), "it holds no data.pkl: found 1 entries, the first is 'x/weights.json'");
  says(refused(zip({{"arr_0.npy", "..."}})), "it holds numpy arrays");
  says(refused(zip({{"a/data.pkl", "."}, {"b/data.pkl", "."}})), "more than one data.pkl");
  says(refused(torch_zip(dict({{"w", w23}}), {{"0", floats(6)}}, {{"constants.pkl", "."}})), "a TorchScript archive");
  says(refused(torch_zip(dict({{"w", w23}}), {{"0", floats(6)}}, {{"byteorder", "big"}})),
       "another byte order: expected little, found big");
  says_nothing(refused(torch_zip(dict({{"w", w23}}), {{"0", floats(6)}}, {{"byteorder", "little"}})));
  says(refused(torch_zip(text(std::string(2000, 'x')), {}), {.pickle = {.bytes = 1000}}),
       "the pickle is too large: expected 1000 bytes at most");
  // packed again without its folder
  CHECK(values(parsed(zip({{"data.pkl", begin + dict({{"w", w23}}) + "."}, {"data/0", floats(6)}})), "w").size() == 6);
}

TEST_CASE("torch file: a legacy file that lies is refused with what is wrong", "[io]") {
  const std::string object = dict({{"w", w23}});
  says(refused(begin + object + "."), "a pickle, but not of torch.save");
  says(refused(begin + "J" + le(7, 4) + "." + std::string(20, 'x')), "expected its magic number, found an integer");
  says(refused(magic + begin + "M" + le(1002, 2) + "." + little_system), "an unknown version");
  says(refused(torch_legacy(object, {{"0", 6, floats(6)}}, begin + dict({{"little_endian", "\x89"}}) + ".")),
       "another byte order");
  says(refused(torch_legacy(object, {{"0", 6, floats(6)}}, begin + dict({}) + ".")), "another byte order");
  says(refused(torch_legacy(object, {})), "tensor 'w': its storage '0' is not in the file");
  says(refused(torch_legacy(object, {{"1", 6, floats(6)}})), "storage '1': no tensor says what type it has");
  says(refused(torch_legacy(object, {{"0", 6, floats(6)}, {"0", 6, floats(6)}})), "storage '0': it is there twice");
  says(refused(torch_legacy(object, {{"0", 6, floats(6) + "x"}})), "the file goes on behind the last storage");
  says(refused(torch_legacy(object, {{"0", 6, floats(5)}})), "storage '0': it goes past the end of the file");
  says(refused(torch_legacy(object, {{"0", 5, floats(5)}})), "storage '0': wrong number of elements: expected 6, found 5");
  says(refused(torch_legacy(dict({{"w", w23}, {"v", tensor(storage("0", 3, "DoubleStorage"), 0, {3}, {1})}}),
                            {{"0", 6, floats(6)}})),
       "storage '0' is described in two ways");
  says(refused(magic + version_1001 + little_system + begin + object + "." + begin + "N."),
       "no list of storages behind the pickle: found None");
}

TEST_CASE("torch file: cut at any byte it is refused, with any byte changed it is refused or read", "[io]") {
  const std::string object = dict({{"epoch", "K\x05"},
                                   {"model", dict({{"w", tensor(six, 0, {3, 2}, {1, 3})}})},
                                   {"args", name("argparse", "Namespace") + ")\x81}b"}});
  for (const std::string& good : {torch_zip(object, {{"0", floats(6)}}), torch_legacy(object, {{"0", 6, floats(6)}})}) {
    CHECK(values(parsed(good), "w") == std::vector<float>{0, 3, 1, 4, 2, 5});
    for (std::size_t size = 0; size < good.size(); ++size) {
      const std::string message = message_of([&] { parsed(good.substr(0, size)); });
      if (message.empty() || message.size() > 500 || contains(message, "\n")) FAIL(size << ": " << message);
    }
    for (std::size_t at = 0; at < good.size(); ++at)
      for (int change = 1; change < 256; change += 6) {
        std::string changed = good;
        changed[at] = static_cast<char>(changed[at] ^ change);
        const std::string message = message_of([&] {
          const StateDict file = parsed(changed);
          for (const TensorInfo& t : file.tensors()) file.packed(t);
        });
        if (message.size() > 500 || contains(message, "\n")) FAIL(at << ": " << message);
      }
  }
}

}  // namespace torch_file_test
