// SPDX-License-Identifier: MIT
#include "raw_torch.hpp"

#include <minivit/io/pickle_reader.hpp>

#include <bit>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

namespace pickle_reader_test {

using namespace torch_test;
using minivit::pickle::Kind;
using minivit::pickle::Limits;
using minivit::pickle::Object;
using minivit::pickle::Value;

namespace {

std::string refused(const std::string& bytes, const Limits& limits = {}) {
  return message_of([&] { minivit::pickle::read(bytes, "read x.pth", limits); });
}
/// The message about a value that is put together by these opcodes.
std::string refused_value(const std::string& ops) { return refused(begin + ops + "."); }

/// Reads a value and gives it to f(object, value).
template <class F>
void with(const std::string& ops, F&& f) {
  const std::string bytes = begin + ops + ".";
  const Object object = minivit::pickle::read(bytes, "read x.pth");
  CHECK(object.bytes == bytes.size());
  f(object, object.root);
}
std::int64_t integer_of(const std::string& ops) {
  std::int64_t n = 0;
  with(ops, [&](const Object&, const Value& v) {
    REQUIRE(v.kind == Kind::integer);
    n = v.number;
  });
  return n;
}
std::string text_in(const std::string& ops, Kind kind = Kind::text) {
  std::string out;
  with(ops, [&](const Object& object, const Value& v) {
    REQUIRE(v.kind == kind);
    out = object.text(v);
  });
  return out;
}

/// A pickle with one of nearly everything, as Python writes a checkpoint.
const std::string everything = begin + "}q" + le(0, 1) + "(" + text("model") + "q" + le(1, 1) +
                               call(name("collections", "OrderedDict"), {}) + "q" + le(2, 1) + "(" + text("a.weight") +
                               tensor(storage("0", 6), 0, {2, 3}, {3, 1}) + text("a.bias") +
                               tensor(storage("1", 3), 0, {3}, {1}) + "u}(" + text("_metadata") + "}ub" + text("args") +
                               name("argparse", "Namespace") + ")\x81}(" + text("lr") + "G" + std::string(8, '\x3f') +
                               text("names") + "](" + text("x") + "K\x07" + "eub" + text("epoch") + "M" + le(299, 2) +
                               text("none") + "N" + text("same") + "h" + le(1, 1) + "u.";

}  // namespace

TEST_CASE("pickle: numbers of every form", "[io]") {
  CHECK(integer_of("K\xff") == 255);
  CHECK(integer_of("M\xff\xff") == 65535);
  CHECK(integer_of("J\xfe\xff\xff\xff") == -2);
  CHECK(integer_of("J" + le(0x7fffffff, 4)) == 0x7fffffff);
  CHECK(integer_of(std::string("\x8a\x00", 2)) == 0);
  CHECK(integer_of("\x8a\x01\xff") == -1);
  CHECK(integer_of(std::string("\x8a\x02\xff\x00", 4)) == 255);
  CHECK(integer_of("\x8a\x08" + le(1ull << 63, 8)) == std::numeric_limits<std::int64_t>::min());
  CHECK(integer_of("\x8b" + le(3, 4) + "\x01\x02\x03") == 0x030201);
  CHECK(text_in("\x8a\x09" + std::string(9, '\x01'), Kind::long_number) == std::string(9, '\x01'));
  with("G" + std::string("\x3f\xb9\x99\x99\x99\x99\x99\x9a"), [](const Object&, const Value& v) {
    CHECK(v.kind == Kind::real);
    CHECK(std::bit_cast<double>(v.number) == 0.1);
  });
  with("\x88", [](const Object&, const Value& v) { CHECK((v.kind == Kind::boolean && v.number == 1)); });
  with("\x89", [](const Object&, const Value& v) { CHECK((v.kind == Kind::boolean && v.number == 0)); });
  with("N", [](const Object&, const Value& v) { CHECK(v.kind == Kind::none); });
}

TEST_CASE("pickle: texts and bytes of every form", "[io]") {
  for (const std::string& form : {"X" + le(2, 4), "\x8c" + le(2, 1), "\x8d" + le(2, 8), "T" + le(2, 4), "U" + le(2, 1)})
    CHECK(text_in(form + "ab") == "ab");
  for (const std::string& form : {"B" + le(2, 4), "C" + le(2, 1), "\x8e" + le(2, 8), "\x96" + le(2, 8)})
    CHECK(text_in(form + "ab", Kind::bytes) == "ab");
  CHECK(text_in(text("")) == "");
}

TEST_CASE("pickle: containers of every form, with the marks inside each other", "[io]") {
  const auto size = [](const std::string& ops, Kind kind) {
    std::size_t n = 99;
    with(ops, [&](const Object& object, const Value& v) {
      REQUIRE(v.kind == kind);
      n = object.items(v).size();
    });
    return n;
  };
  CHECK(size(")", Kind::tuple) == 0);
  CHECK(size("N\x85", Kind::tuple) == 1);
  CHECK(size("NN\x86", Kind::tuple) == 2);
  CHECK(size("NNN\x87", Kind::tuple) == 3);
  CHECK(size("(NNNNt", Kind::tuple) == 4);
  CHECK(size("]NaNa", Kind::list) == 2);
  CHECK(size("](NNNe", Kind::list) == 3);
  CHECK(size("\x8f(NN\x90", Kind::list) == 2);
  CHECK(size("(NN\x91", Kind::list) == 2);
  CHECK(size("}NNs", Kind::dict) == 2);
  CHECK(size("}(NNNNu", Kind::dict) == 4);
  CHECK(size("](](Ne](NNee", Kind::list) == 2);
  CHECK(size("NN0\x85", Kind::tuple) == 1);     // POP
  CHECK(size("N(NNN1\x85", Kind::tuple) == 1);  // POP_MARK
  CHECK(size("N(0\x85", Kind::tuple) == 1);     // POP takes a mark, too
  CHECK(size("N2\x86", Kind::tuple) == 2);      // DUP
}

TEST_CASE("pickle: what was remembered is the same thing, however it is numbered", "[io]") {
  with("}q" + le(7, 1) + "(" + text("self") + "h" + le(7, 1) + "u", [](const Object& object, const Value& v) {
    REQUIRE(object.find(v, "self") != nullptr);
    CHECK(object.find(v, "self")->number == v.number);  // a dictionary that holds itself
  });
  with("]r" + le(1u << 31, 4) + "0j" + le(1u << 31, 4), [](const Object&, const Value& v) { CHECK(v.kind == Kind::list); });
  with(text("a") + "\x94" + text("b") + "\x94h" + le(0, 1) + "\x87",
       [](const Object& object, const Value& v) { CHECK(object.text(object.items(v)[2]) == "a"); });
  says(refused_value("h\x01"), "nothing was remembered under 1 at byte 2");
  says(refused_value("q\x01"), "a value is missing");
}

TEST_CASE("pickle: names are texts and calls are notes, whatever they are called", "[io]") {
  const io_test::Folder folder;
  const std::string victim = folder / "victim";
  for (const std::string& what :
       {name("os", "system"), name("posix", "system"), name("builtins", "eval"), text("os") + text("system") + "\x93"}) {
    with(call(what, {text("touch " + victim)}), [&](const Object& object, const Value& v) {
      CHECK(v.kind == Kind::call);
      CHECK(contains(object.describe(v), "."));
    });
    with(what + text("touch " + victim) + "\x85\x81", [](const Object&, const Value& v) { CHECK(v.kind == Kind::call); });
    with(what + ")" + "}" + "\x92", [](const Object&, const Value& v) { CHECK(v.kind == Kind::call); });
    with(what + ")" + "\x81" + dict({{"x", "N"}}) + "b", [](const Object&, const Value& v) { CHECK(v.kind == Kind::call); });
  }
  CHECK(!std::filesystem::exists(victim));
  with(call(name("yacs.config", "CfgNode"), {}) + "(" + text("a") + "Nu" + "(NNe", [](const Object& object, const Value& v) {
    CHECK(object.items(v).size() == 2);  // what is put into an object of some class goes nowhere
    CHECK(object.describe(v) == "yacs.config.CfgNode");
  });
  with(name(std::string(1000, 'm'), std::string(1000, 'n')),
       [](const Object& object, const Value& v) { CHECK(object.describe(v).size() < 130); });
}

TEST_CASE("pickle: OrderedDict is a dictionary, also as Python 2 wrote it", "[io]") {
  const auto check = [](const Object& object, const Value& v) {
    CHECK(v.kind == Kind::dict);
    REQUIRE(object.find(v, "b") != nullptr);
    CHECK(object.find(v, "b")->number == 2);
    CHECK(object.find(v, "c") == nullptr);
  };
  with(call(name("collections", "OrderedDict"), {}) + "(" + text("a") + "K\x01" + text("b") + "K\x02u", check);
  with(call(name("collections", "OrderedDict"), {"](](" + text("a") + "K\x01" + "e](" + text("b") + "K\x02" + "ee"}), check);
  with(dict({{"b", "K\x01"}, {"b", "K\x02"}}), check);  // the last of two, as in Python
}

TEST_CASE("pickle: every other opcode is refused by its number", "[io]") {
  const std::string known(
      "(.012NabcsutRQqrhjJKMGXTUBCe)]}\x80\x81\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x90\x91\x92\x93\x94\x95\x96");
  int others = 0;
  for (int op = 0; op < 256; ++op) {
    if (known.find(static_cast<char>(op)) != std::string::npos) continue;
    char hex[8];
    std::snprintf(hex, sizeof hex, "0x%02x", op);
    const std::string message = refused_value("NN" + std::string(1, static_cast<char>(op)));
    if (!contains(message, std::string("opcode ") + hex + " is none that state dicts need at byte 4"))
      FAIL(op << ": " << message);
    ++others;
  }
  CHECK(others == 256 - 51);
}

TEST_CASE("pickle: stacks that do not add up are refused", "[io]") {
  for (const char* const ops : {"",    "NN",    "(N", "0",  "t",   "N(\x85", "u",  "(u", "}(Nu", "}Ns", "N(Ns", "a",
                                "NNa", "N(NNu", "R",  "NR", "(NR", "b",      "Nb", "Q",  "2",    "e",   "NNe"}) {
    INFO(ops);
    well_said(refused_value(ops), "x.pth");
  }
  says(refused(""), "does not begin with a protocol");
  says(refused("(dp0\n."), "does not begin with a protocol");
  says(refused("\x80\x06N."), "unknown protocol at byte 0: expected 2 to 5, found 6");
  says(refused_value("NN\x93"), "a name is no text");
  says(refused_value("cabc"), "a name has no end");
}

TEST_CASE("pickle: what goes past the end is refused with what is left and what was asked for", "[io]") {
  const auto past = [](int at, int left, const std::string& asked) {
    return "read x.pth: pickle: something goes past the end at byte " + std::to_string(at) + ": expected " +
           std::to_string(left) + " bytes at most, found " + asked + " (the file is cut short or damaged)";
  };
  CHECK(refused_value("X" + le(6, 4) + "abcd") == past(2, 5, "6"));   // four letters and the end
  CHECK(refused_value("X" + le(5, 4) + "abcd") == past(12, 0, "1"));  // takes the end, too
  CHECK(refused_value("NN\x8d" + le(~0ull, 8)) == past(4, 1, "18446744073709551615"));
  CHECK(refused_value("K\x01U\x09" + std::string(7, 'x')) == past(4, 8, "9"));
  CHECK(refused_value("\x8a\xff") == past(2, 1, "255"));
  CHECK(refused(begin + "NNJ\x01\x02\x03") == past(4, 3, "4"));
  CHECK(refused(begin + "G1234567") == past(2, 7, "8"));
  CHECK(refused(begin) == past(2, 0, "1"));
  CHECK(refused(begin + "N", {.bytes = 3}) == past(3, 0, "1"));
}

TEST_CASE("pickle: claimed lengths past the end are refused before anything is taken", "[io]") {
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& ops :
       {"X" + le(0xFFFFFFFF, 4), "\x8d" + le(~0ull, 8), "\x8d" + le(1ull << 63, 8), "B" + le(0xFFFFFFF0, 4),
        "\x8e" + le(~0ull - 8, 8), "\x96" + le(~0ull, 8), std::string("\x8a\xff"), "\x8b" + le(0x80000000, 4),
        "\x95" + le(~0ull, 8), std::string("U\xff"), std::string("\x8c\xff"), "T" + le(0x80000000, 4)})
    says(refused_value(ops), "past the end");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
}

TEST_CASE("pickle: numbers of values and of nested marks have limits", "[io]") {
  const Limits few{.bytes = 1000, .values = 10, .marks = 3};
  const std::string ten = begin + std::string(10, 'N') + std::string(9, '0') + ".",
                    eleven = begin + "N" + ten.substr(2, 10) + std::string(10, '0') + ".";
  says_nothing(refused(ten, few));
  says(refused(eleven, few), "too many values at byte 12: expected 10 at most, found more");
  says(refused(begin + "N" + "q\x01q\x02q\x03q\x04q\x05q\x06q\x07q\x08q\x09q\x0a" + ".", few), "too many values");
  says_nothing(refused(begin + "(((ttt.", few));
  says(refused(begin + "((((tttt.", few), "nested too deeply at byte 5: expected 3 levels at most");
  says(refused(begin + std::string(2'000'000, '('), {}), "nested too deeply");
  says(refused(begin + std::string(2'000'000, ']'), {}), "too many values");
  says(refused(begin + "N" + std::string(2'000'000, '\x94')), "too many values");
  says(refused(begin + text(std::string(2000, 'x')) + ".", few), "past the end");
}

TEST_CASE("pickle: a chain of 300,000 tuples inside each other is read and given up without recursion", "[io]") {
  says_nothing(refused(begin + ")" + std::string(300'000, '\x85') + "."));
}

TEST_CASE("pickle: what doubles at every step in Python stays small here", "[io]") {
  std::string ops = "]q" + le(0, 1);  // each list holds the one before it twice: 2^200 values for who follows them
  for (int i = 0; i < 200; ++i)
    ops += "](h" + le(static_cast<unsigned>(i), 1) + "h" + le(static_cast<unsigned>(i), 1) + "eq" +
           le(static_cast<unsigned>(i + 1), 1) + "\x86" + "0h" + le(static_cast<unsigned>(i + 1), 1);
  const auto start = std::chrono::steady_clock::now();
  with(ops, [](const Object& object, const Value& v) {
    CHECK(v.kind == Kind::list);
    CHECK(object.node_count() < 1000);
  });
  // The same list given to OrderedDict again and again: each of its elements counts.
  std::string again = "](" + std::string(100'000, 'N') + "eq" + le(0, 1);
  for (int i = 0; i < 100'000; ++i) again += name("collections", "OrderedDict") + "h" + le(0, 1) + "\x85R0";
  says(refused_value(again), "too many values");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
}

TEST_CASE("pickle: cut at any byte it is refused, with any byte changed it is refused or read", "[io]") {
  says_nothing(refused(everything));
  for (std::size_t size = 0; size < everything.size(); ++size) {
    const std::string message = refused(everything.substr(0, size));
    if (message.empty() || message.size() > 500 || contains(message, "\n")) FAIL(size << ": " << message);
  }
  for (std::size_t at = 0; at < everything.size(); ++at)
    for (int change = 1; change < 256; change += 2) {
      std::string changed = everything;
      changed[at] = static_cast<char>(changed[at] ^ change);
      const std::string message = refused(changed);  // any other exception fails the test
      if (message.size() > 500 || contains(message, "\n")) FAIL(at << ": " << message);
    }
}

}  // namespace pickle_reader_test
