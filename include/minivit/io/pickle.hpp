// SPDX-License-Identifier: MIT
// What a pickle describes, as plain data: numbers, texts, containers, names of Python things, and calls written down as
// (what, arguments). Nothing is ever looked up, imported or called, so a hostile name is a text like any other.
// pickle_reader.hpp makes these from bytes.
#pragma once

#include <minivit/core/isa.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA::pickle {

/// What a value is.
enum class Kind : unsigned char {
  none,         ///< Python's None
  boolean,      ///< number is 0 or 1
  integer,      ///< number
  real,         ///< number holds the bits of the double
  text,         ///< UTF-8 as Python wrote it, not checked
  bytes,        ///< raw
  long_number,  ///< an integer of more than 64 bits: its bytes, least significant first
  name,         ///< items: module, name; both text
  tuple,        ///< items: its values
  list,         ///< also sets
  dict,         ///< items: key, value, key, value, ...; also collections.OrderedDict
  call,         ///< items: what, arguments. Also objects of classes: what is set on or put into them is left out
  persistent    ///< items: what the writer left outside of the pickle, as it calls it
};

/// One value: 16 bytes, everything larger stands in the pickle or in the Object.
struct Value {
  Kind kind = Kind::none;    ///< decides what the other two mean
  std::uint32_t length = 0;  ///< of text, bytes and long_number
  std::int64_t number = 0;   ///< where those begin in the pickle; for kinds with items the number of the node

  bool has_items() const { return kind >= Kind::name; }  ///< a name, a container or a call
};

/// A pickle's value and everything in it. Containers may hold each other in circles: who follows them must count.
class Object {
 public:
  Value root;             ///< the value of the whole pickle
  std::size_t bytes = 0;  ///< length of the pickle

  /// Of this text, which outlives the object; root is None until the reader sets it.
  explicit Object(std::string_view pickle = {}) : pickle_(pickle) {}

  /// Of text, bytes and long_number, else empty. Lives as long as the pickle.
  std::string_view text(const Value& value) const {
    const bool is = value.kind == Kind::text || value.kind == Kind::bytes || value.kind == Kind::long_number;
    return is ? pickle_.substr(static_cast<std::size_t>(value.number), value.length) : std::string_view();
  }
  /// Of kinds that have some, else empty.
  std::span<const Value> items(const Value& value) const {
    return value.has_items() ? std::span<const Value>(nodes_[static_cast<std::size_t>(value.number)])
                             : std::span<const Value>();
  }
  /// Whether it is text, and this one.
  bool is_text(const Value& value, std::string_view text_is) const {
    return value.kind == Kind::text && text(value) == text_is;
  }
  /// Whether it names this thing of this module.
  bool is_name(const Value& value, std::string_view module, std::string_view name) const {
    return value.kind == Kind::name && text(items(value)[0]) == module && text(items(value)[1]) == name;
  }

  /// A dictionary's value under a text key, or null; of several the last, as in Python.
  const Value* find(const Value& dict, std::string_view key) const {
    const auto pairs = dict.kind == Kind::dict ? items(dict) : std::span<const Value>();
    for (std::size_t i = pairs.size(); i >= 2; i -= 2)
      if (is_text(pairs[i - 2], key)) return &pairs[i - 1];
    return nullptr;
  }

  /// "argparse.Namespace", "a list": for people. Short, however long the names are in the pickle.
  std::string describe(const Value& value) const {
    const auto full_name = [&](const Value& v) {
      constexpr std::size_t most = 60;
      return std::string(text(items(v)[0]).substr(0, most)) + "." + std::string(text(items(v)[1]).substr(0, most));
    };
    // clang-format off
    switch (value.kind) {
      case Kind::none: return "None";
      case Kind::boolean: return "a truth value";
      case Kind::integer:
      case Kind::long_number: return "an integer";
      case Kind::real: return "a number";
      case Kind::text: return "a text";
      case Kind::bytes: return "bytes";
      case Kind::name: return full_name(value);
      case Kind::tuple: return "a tuple";
      case Kind::list: return "a list";
      case Kind::dict: return "a dictionary";
      case Kind::call: {
        const Value& what = items(value)[0];
        if (what.kind == Kind::name) return full_name(what);
        const auto id = what.kind == Kind::persistent ? items(items(what)[0]) : std::span<const Value>();  // ("module", class, file, source)
        return id.size() > 1 && id[1].kind == Kind::name ? full_name(id[1]) : "the result of a call";
      }
      case Kind::persistent: return "a storage";
    }
    // clang-format on
    return {};
  }

  /// Every node by number, for who looks for something wherever it is.
  std::size_t node_count() const { return nodes_.size(); }
  /// Its items; precondition: number < node_count().
  std::span<const Value> node(std::size_t number) const { return nodes_[number]; }

  /// A new node with these items, as a value: for the reader.
  Value add(Kind kind, std::vector<Value> items) {
    nodes_.push_back(std::move(items));
    return {kind, 0, static_cast<std::int64_t>(nodes_.size() - 1)};
  }
  /// More items for a node that add() made: a pickle fills containers after it made them.
  void append(const Value& to, std::span<const Value> items) {
    auto& node = nodes_[static_cast<std::size_t>(to.number)];
    node.insert(node.end(), items.begin(), items.end());
  }

 private:
  std::string_view pickle_;
  std::vector<std::vector<Value>> nodes_;
};

}  // namespace minivit::inline MINIVIT_ISA::pickle
