// SPDX-License-Identifier: MIT
// JSON from a file, read strictly and event by event: valid UTF-8, nothing behind the end. The library underneath stops at a
// zero byte and skips a byte order mark; neither passes here. Repeated keys and depth are its handlers' to refuse.
#pragma once

#include <minivit/core/errors.hpp>
#include <minivit/core/utf8.hpp>

#if __has_include(<nlohmann/detail/input/parser.hpp>)
#include <nlohmann/json_fwd.hpp>

#include <nlohmann/detail/input/parser.hpp>
#else  // the library as one file
#include <nlohmann/json.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

namespace detail {

/// Stands for binary values, which JSON text has not.
struct NoBinary {};

/// What the parser takes types from. It asks for one of the library's trees; this is one by name only.
using JsonTypes = nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t, std::uint64_t, double,
                                       std::allocator, nlohmann::adl_serializer, NoBinary>;

}  // namespace detail

}  // namespace minivit::inline MINIVIT_ISA

/// @cond
// A class of types and nothing else. With the library's own, each file of a program that reads weights would compile its
// trees, writers and binary formats, too: a sixth of a classifier's memory (docs/explanation/compile_cost.md).
// The instruction set is spelt out, because a dispatched program sees the namespaces of several.
template <>
class nlohmann::basic_json<std::map, std::vector, std::string, bool, std::int64_t, std::uint64_t, double, std::allocator,
                           nlohmann::adl_serializer, minivit::MINIVIT_ISA::detail::NoBinary> {
 public:
  using number_integer_t = std::int64_t;                    // a number with a minus
  using number_unsigned_t = std::uint64_t;                  // a whole number without
  using number_float_t = double;                            // any other
  using string_t = std::string;                             // text and keys
  using binary_t = minivit::MINIVIT_ISA::detail::NoBinary;  // never there
  using exception = nlohmann::detail::exception;            // what parse_error is told
};
/// @endcond

namespace minivit::inline MINIVIT_ISA {

/// Position of the first byte that does not belong to well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at
/// most U+10FFFF), or npos.
constexpr std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = detail::utf8_length(text.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

/// Why a JSON text was refused.
struct JsonFault {
  std::string what;                       ///< what is wrong, in a few words
  std::string expected;                   ///< what should stand there; may be empty
  std::string found;                      ///< what does, made printable; may be empty
  std::optional<std::size_t> position{};  ///< byte in the text, when known
};

/// Base of event handlers: remembers the first fault and stops the parser there. Its functions are virtual, so that the
/// library's parser is compiled once and not for each handler.
class JsonHandler : public nlohmann::json_sax<detail::JsonTypes> {
 public:
  using Json = detail::JsonTypes;  ///< its types of numbers and text
  std::optional<JsonFault> fault;  ///< the first; none while all is well

  /// JSON text has no binary values: a fault.
  bool binary(Json::binary_t& /*value*/) final { return refuse("binary value", "", ""); }
  /// Called by the parser, which then stops.
  bool parse_error(std::size_t position, const std::string& token, const nlohmann::detail::exception& /*error*/) final {
    if (!fault) fault = JsonFault{"not valid JSON", "", concat({"'", printable(token, 40), "'"}), position};
    return false;
  }

 protected:
  /// Notes a fault unless there is one; false, so that the parser stops.
  bool refuse(std::string_view what, std::string_view expected, std::string_view found) {
    if (!fault) fault = JsonFault{std::string(what), std::string(expected), std::string(found)};
    return false;
  }
};

/// Feeds `text` to a handler. Returns the fault that stopped it, if any.
inline std::optional<JsonFault> parse_json_events(std::string_view text, JsonHandler& handler) {
  if (const std::size_t at = find_invalid_utf8(text); at != std::string_view::npos)
    return JsonFault{"not valid UTF-8", "", "", at};
  if (const std::size_t at = text.find('\0'); at != std::string_view::npos)
    return JsonFault{"not valid JSON", "", "a zero byte", at};
  if (text.starts_with("\xEF\xBB\xBF")) return JsonFault{"not valid JSON", "", "a byte order mark", 0};
  auto bytes = nlohmann::detail::input_adapter(text.data(), text.data() + text.size());
  const bool done = nlohmann::detail::parser<detail::JsonTypes, decltype(bytes)>(std::move(bytes)).sax_parse(&handler);
  if (handler.fault) return handler.fault;
  if (!done) return JsonFault{"not valid JSON", "", ""};
  return std::nullopt;
}

}  // namespace minivit::inline MINIVIT_ISA
