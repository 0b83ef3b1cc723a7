// SPDX-License-Identifier: MIT
// A training log as a table: the JSON lines of train/log.hpp as CSV (RFC 4180), one column for each key in the order in
// which they first appear. Written anew from the log after each epoch, so a resumed run has the same table as an unbroken
// one.
#pragma once

#include <minivit/core/file.hpp>
#include <minivit/io/file.hpp>
#include <minivit/io/json_value.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// A field, quoted when it has to be.
inline std::string csv_field(std::string text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}
}  // namespace detail

/// The text of a CSV table from JSON lines; keys that a line lacks stay empty, null (a number that was not finite) too.
/// Throws Error for a line that is no flat JSON object; `where` begins the message.
inline std::string csv_from_json_lines(std::string_view lines, std::string_view where) {
  std::vector<std::string> columns;
  std::vector<JsonValue> rows;
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    const std::string at = std::string(where) + ", line " + std::to_string(rows.size() + 1);
    rows.push_back(parse_json_strict(lines.substr(0, end), at, 3));
    const auto* const members = rows.back().as_object();
    if (members == nullptr) fail({.where = at, .what = "not a line of a training log", .expected = "a JSON object"});
    for (const JsonValue& value : *members) {
      if (value.as_object() != nullptr || value.as_array() != nullptr)
        fail({.where = at, .what = "'" + printable(value.name, 60) + "' is no single value"});
      if (std::ranges::find(columns, value.name) == columns.end()) columns.push_back(value.name);
    }
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  std::string text;
  for (std::size_t i = 0; i < columns.size(); ++i) text += (i ? "," : "") + detail::csv_field(columns[i]);
  text += "\r\n";
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (i) text += ',';
      const JsonValue* const value = row.find(columns[i]);
      if (value == nullptr || value->type == JsonValue::Type::null) continue;
      const std::string* const word = value->as_string();
      text += detail::csv_field(word != nullptr ? *word : value->json());
    }
    text += "\r\n";
  }
  return text;
}

/// Writes the table of the log at `log` to `csv`, atomically. Throws Error.
inline void write_csv(const std::string& log, const std::string& csv) {
  constexpr std::uint64_t most = std::uint64_t{1} << 30;
  const auto bytes = read_file(log, most);
  write_file_atomically(csv, csv_from_json_lines({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, log));
}

}  // namespace minivit::inline MINIVIT_ISA
