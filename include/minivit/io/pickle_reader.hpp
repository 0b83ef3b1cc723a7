// SPDX-License-Identifier: MIT
// Reads a pickle of protocol 2 to 5 into a pickle::Object: the opcodes that PyTorch's state dicts and what is saved beside
// them need, with bounded numbers of values and of nesting. It keeps a stack and a memo as Python's own reader does, but
// where that one would import or call something, it only notes that down. Opcodes: CPython's pickletools.py. Left out, and
// refused by name: protocol 0 and 1 texts, extension registry, out-of-band buffers.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/io/pickle.hpp>
#include <minivit/io/pickle_limits.hpp>

#include <bit>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA::pickle {

namespace detail {

class Reader {
 public:
  Reader(std::string_view pickle, std::string_view where, const Limits& limits)
      : pickle_(pickle), where_(where), limits_(limits), out_(pickle) {}

  Object read() {
    if (pickle_.size() < 2 || byte(0) != 0x80)
      refuse("does not begin with a protocol", "protocol 2 to 5", "", "save it again with torch.save");
    while (step()) continue;
    out_.bytes = at_;
    return std::move(out_);
  }

 private:
  // clang-format off
  enum Op : unsigned char {
    mark = '(', stop = '.', pop_one = '0', pop_to_mark = '1', duplicate = '2', none = 'N', append_one = 'a', append_all = 'e', build = 'b',
    name = 'c', set_one = 's', set_all = 'u', tuple = 't', empty_tuple = ')', empty_list = ']', empty_dict = '}', reduce = 'R',
    persistent = 'Q', put = 'q', long_put = 'r', get = 'h', long_get = 'j', int32 = 'J', uint8 = 'K', uint16 = 'M', real = 'G',
    text32 = 'X', old_text32 = 'T', old_text8 = 'U', bytes32 = 'B', bytes8 = 'C',
    protocol = 0x80, new_object = 0x81, tuple1 = 0x85, tuple2 = 0x86, tuple3 = 0x87, yes = 0x88, no = 0x89, long8 = 0x8a, long32 = 0x8b,
    text8 = 0x8c, text64 = 0x8d, bytes64 = 0x8e, empty_set = 0x8f, add_all = 0x90, frozen_set = 0x91, new_object_named = 0x92,
    stack_name = 0x93, memoize = 0x94, frame = 0x95, byte_array = 0x96
  };
  // clang-format on

  [[noreturn]] void refuse(const std::string& what, const std::string& expected = {}, const std::string& found = {},
                           std::string_view hint = "the file is damaged, or was not written by torch.save") const {
    fail({.where = where_,
          .what = "pickle: " + what + " at byte " + std::to_string(op_at_),
          .expected = expected,
          .found = found,
          .hint = hint});
  }
  unsigned byte(std::size_t at) const { return static_cast<unsigned char>(pickle_[at]); }

  /// The next `count` bytes.
  std::string_view take(std::uint64_t count) {
    if (count > pickle_.size() - at_)
      refuse("something goes past the end", std::to_string(pickle_.size() - at_) + " bytes at most", std::to_string(count),
             "the file is cut short or damaged");
    const std::string_view taken = pickle_.substr(at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return taken;
  }
  std::uint64_t unsigned_number(std::size_t bytes) {
    std::uint64_t value = 0;
    const std::string_view taken = take(bytes);
    for (std::size_t i = 0; i < bytes; ++i)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(taken[i])) << (8 * i);
    return value;
  }
  /// Up to the end of the line, which is taken, too.
  Value line() {
    const std::size_t end = pickle_.find('\n', at_);
    if (end == std::string_view::npos) refuse("a name has no end");
    const Value value = slice(Kind::text, end - at_);
    ++at_;
    return value;
  }
  /// The next `count` bytes as a value.
  Value slice(Kind kind, std::uint64_t count) {
    const std::size_t from = at_;
    take(count);
    if (count > std::numeric_limits<std::uint32_t>::max()) refuse("something is too long");
    return {kind, static_cast<std::uint32_t>(count), static_cast<std::int64_t>(from)};
  }
  Value long_integer(std::uint64_t count) {
    if (count > 8) return slice(Kind::long_number, count);
    const std::string_view taken = take(count);
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(taken[i]); };
    const unsigned char sign = !taken.empty() && (byte(taken.size() - 1) & 0x80u) != 0 ? 0xff
                                                                                       : 0;  // in all bytes behind the last
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < 8; ++i) bits |= std::uint64_t{i < taken.size() ? byte(i) : sign} << (8 * i);
    return {Kind::integer, 0, static_cast<std::int64_t>(bits)};
  }
  Value big_endian_real() {
    std::uint64_t bits = 0;
    for (const char c : take(8)) bits = bits << 8 | static_cast<unsigned char>(c);
    return {Kind::real, 0, static_cast<std::int64_t>(bits)};
  }

  void count_value() {
    if (++values_ > limits_.values)
      refuse("too many values", std::to_string(limits_.values) + " at most", "more", "is this a checkpoint?");
  }
  void push(const Value& value) {
    count_value();
    stack_.push_back(value);
  }
  /// Values behind the last mark; those in front of it are out of reach.
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Value pop() {
    if (stack_.size() <= floor()) refuse("a value is missing");
    const Value value = stack_.back();
    stack_.pop_back();
    return value;
  }
  Value& top() {
    if (stack_.size() <= floor()) refuse("a value is missing");
    return stack_.back();
  }
  std::vector<Value> pop_values(std::size_t count) {
    if (stack_.size() - floor() < count) refuse("a value is missing");
    return drop_from(stack_.size() - count);
  }
  std::vector<Value> pop_marked() {
    if (marks_.empty()) refuse("a mark is missing");
    const std::size_t from = marks_.back();
    marks_.pop_back();
    return drop_from(from);
  }
  std::vector<Value> drop_from(std::size_t from) {
    std::vector<Value> values(stack_.begin() + static_cast<std::ptrdiff_t>(from), stack_.end());
    stack_.resize(from);
    return values;
  }

  void remember(std::uint64_t number) {
    count_value();
    memo_[number] = top();
  }
  void recall(std::uint64_t number) {
    const auto at = memo_.find(number);
    if (at == memo_.end()) refuse("nothing was remembered under " + std::to_string(number));
    push(at->second);
  }

  /// Puts values into the container at the top of the stack. Into an object of some class they go nowhere.
  void add_to_top(Kind wanted, const std::vector<Value>& values) {
    const Value& to = top();
    if (wanted == Kind::dict && values.size() % 2 != 0) refuse("a key has no value");
    if (to.kind == wanted) out_.append(to, values);
    else if (to.kind != Kind::call)
      refuse("values are put into something that holds none", wanted == Kind::dict ? "a dictionary" : "a list",
             out_.describe(to));
  }

  /// what(arguments), noted down. Only OrderedDict becomes what it would be in Python: a dictionary.
  void note_call() {
    const Value arguments = pop(), what = pop();
    if (!out_.is_name(what, "collections", "OrderedDict")) return push(out_.add(Kind::call, {what, arguments}));
    const Value dict = out_.add(Kind::dict, {});
    const auto given = out_.items(arguments);
    if (arguments.kind == Kind::tuple && given.size() == 1) {  // by Python 2: one list of (key, value)
      const Value list = given[0];
      for (std::size_t i = 0; i < out_.items(list).size(); ++i) {
        count_value();  // the same list may be given again and again
        const auto pair = out_.items(out_.items(list)[i]);
        if (pair.size() == 2) out_.append(dict, std::vector<Value>(pair.begin(), pair.end()));
      }
    }
    push(dict);
  }

  void name_of(const Value& module, const Value& what) {
    if (module.kind != Kind::text || what.kind != Kind::text) refuse("a name is no text");
    push(out_.add(Kind::name, {module, what}));
  }

  /// Does the next opcode; false when it was the last.
  bool step() {
    op_at_ = at_;
    const unsigned op = static_cast<unsigned char>(take(1)[0]);
    // clang-format off
    switch (op) {
      case protocol:
        if (const auto version = unsigned_number(1); version < 2 || version > 5) refuse("unknown protocol", "2 to 5", std::to_string(version), "save it again with torch.save");
        return true;
      case frame:
        if (unsigned_number(8) > pickle_.size() - at_) refuse("a frame goes past the end", "", "", "the file is cut short or damaged");
        return true;
      case stop: {
        if (!marks_.empty() || stack_.size() != 1) refuse("it ends with " + std::to_string(stack_.size()) + " values", "1");
        out_.root = stack_.back();
        return false;
      }
      case mark:
        if (marks_.size() >= limits_.marks) refuse("nested too deeply", std::to_string(limits_.marks) + " levels at most", "more");
        marks_.push_back(stack_.size());
        return true;
      case pop_one:
        if (stack_.size() == floor() && !marks_.empty()) marks_.pop_back();
        else pop();
        return true;
      case pop_to_mark: pop_marked(); return true;
      case duplicate: push(top()); return true;

      case none: push({}); return true;
      case yes: push({Kind::boolean, 0, 1}); return true;
      case no: push({Kind::boolean, 0, 0}); return true;
      case uint8: push({Kind::integer, 0, static_cast<std::int64_t>(unsigned_number(1))}); return true;
      case uint16: push({Kind::integer, 0, static_cast<std::int64_t>(unsigned_number(2))}); return true;
      case int32: push({Kind::integer, 0, static_cast<std::int32_t>(static_cast<std::uint32_t>(unsigned_number(4)))}); return true;
      case long8: push(long_integer(unsigned_number(1))); return true;
      case long32: push(long_integer(unsigned_number(4))); return true;  // a negative count is a huge one: past the end
      case real: push(big_endian_real()); return true;

      case text8:
      case old_text8: push(slice(Kind::text, unsigned_number(1))); return true;
      case text32:
      case old_text32: push(slice(Kind::text, unsigned_number(4))); return true;
      case text64: push(slice(Kind::text, unsigned_number(8))); return true;
      case bytes8: push(slice(Kind::bytes, unsigned_number(1))); return true;
      case bytes32: push(slice(Kind::bytes, unsigned_number(4))); return true;
      case bytes64:
      case byte_array: push(slice(Kind::bytes, unsigned_number(8))); return true;

      case empty_tuple: push(out_.add(Kind::tuple, {})); return true;
      case tuple1: push(out_.add(Kind::tuple, pop_values(1))); return true;
      case tuple2: push(out_.add(Kind::tuple, pop_values(2))); return true;
      case tuple3: push(out_.add(Kind::tuple, pop_values(3))); return true;
      case tuple: push(out_.add(Kind::tuple, pop_marked())); return true;
      case empty_list:
      case empty_set: push(out_.add(Kind::list, {})); return true;
      case frozen_set: push(out_.add(Kind::list, pop_marked())); return true;
      case empty_dict: push(out_.add(Kind::dict, {})); return true;
      case append_one: add_to_top(Kind::list, pop_values(1)); return true;
      case append_all:
      case add_all: add_to_top(Kind::list, pop_marked()); return true;
      case set_one: add_to_top(Kind::dict, pop_values(2)); return true;
      case set_all: add_to_top(Kind::dict, pop_marked()); return true;

      case name: {
        const Value module = line();
        name_of(module, line());
        return true;
      }
      case stack_name: {
        const Value what = pop(), module = pop();
        name_of(module, what);
        return true;
      }
      case reduce:
      case new_object: note_call(); return true;
      case new_object_named: {  // class, arguments, named arguments: those are left out
        pop();
        note_call();
        return true;
      }
      case build:  // sets attributes of the object below
        pop();
        top();
        return true;
      case persistent: push(out_.add(Kind::persistent, pop_values(1))); return true;

      case put: remember(unsigned_number(1)); return true;
      case long_put: remember(unsigned_number(4)); return true;
      case memoize: remember(memo_.size()); return true;
      case get: recall(unsigned_number(1)); return true;
      case long_get: recall(unsigned_number(4)); return true;
      default: break;
    }
    // clang-format on
    constexpr char digits[] = "0123456789abcdef";
    refuse("opcode 0x" + std::string{digits[op >> 4], digits[op & 15]} + " is none that state dicts need", "", "",
           "save the state dict alone: torch.save(model.state_dict(), ...)");
  }

  std::string_view pickle_;
  std::string_view where_;
  Limits limits_;
  Object out_;
  std::size_t at_ = 0, op_at_ = 0, values_ = 0;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::map<std::uint64_t, Value> memo_;  // sorted: numbers chosen by the file must not decide how long a look-up takes
};

}  // namespace detail

/// The pickle at the beginning of `pickle`, which must outlive the result; Object::bytes says where it ends. Throws Error,
/// beginning with `where`, for whatever is not a pickle, is cut short, or is more than `limits` allow.
inline Object read(std::string_view pickle, std::string_view where, const Limits& limits = {}) {
  return detail::Reader(pickle.substr(0, limits.bytes), where, limits).read();
}

}  // namespace minivit::inline MINIVIT_ISA::pickle
