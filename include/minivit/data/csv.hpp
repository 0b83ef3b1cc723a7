// SPDX-License-Identifier: MIT
// Lists of pictures as CSV (RFC 4180): a header with the columns path and label, and split if one file holds both parts;
// other columns are passed by. Paths are relative to the list's folder. Labels are class names, or whole numbers that are
// the classes' numbers.
#pragma once

#include <minivit/data/pictures.hpp>

#include <functional>
#include <map>
#include <set>

namespace minivit::inline MINIVIT_ISA {

/// Largest list that is read.
inline constexpr std::uint64_t max_csv_file = std::uint64_t{256} << 20;

/// Calls row(line, fields) for every record, `line` being where it begins (1 for the first). Fields in quotes may hold
/// commas, line ends and doubled quotes; line ends are LF or CRLF; a byte order mark is passed by. Throws Error that names
/// the line: a quote inside a field without quotes, text behind a closing quote, a quote that is not closed, a NUL, records
/// of different lengths.
inline void read_csv(std::string_view text, const std::string& where,
                     const std::function<void(Index line, const std::vector<std::string>& fields)>& row) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Index line = 1, start = 1;
  const auto refuse = [&](const char* what) {
    detail::fail_with(where, std::string(what) + " in line " + std::to_string(line));
  };
  std::vector<std::string> fields;
  std::size_t width = 0, at = 0;
  const auto end_field = [&] {
    return at == text.size() || text[at] == ',' || text[at] == '\n' || text.substr(at, 2) == "\r\n";
  };
  while (at < text.size()) {
    start = line;
    fields.clear();
    for (;;) {  // one field, and what ends it
      std::string& field = fields.emplace_back();
      if (at < text.size() && text[at] == '"') {
        for (++at;; ++at) {
          if (at == text.size()) refuse("a quote is not closed");
          if (text[at] == '"' && text.substr(at, 2) != "\"\"") break;
          if (text[at] == '"') ++at;
          if (text[at] == '\n') ++line;
          if (text[at] == '\0') refuse("a NUL byte");
          field += text[at];
        }
        ++at;
        if (!end_field()) refuse("text behind a closing quote");
      } else {
        for (; !end_field(); ++at) {
          if (text[at] == '"') refuse("a quote inside a field without quotes");
          if (text[at] == '\0') refuse("a NUL byte");
          field += text[at];
        }
      }
      if (at == text.size() || text[at] != ',') break;
      ++at;
    }
    if (at < text.size()) at += text[at] == '\r' ? 2 : 1;
    ++line;
    if (fields.size() == 1 && fields[0].empty()) continue;  // an empty line
    if (width == 0) width = fields.size();
    if (fields.size() != width)
      detail::fail_with(where, "a record of another length in line " + std::to_string(start),
                        std::to_string(width) + " fields", std::to_string(fields.size()));
    row(start, fields);
  }
}

/// The records of a list.
struct CsvList {
  std::vector<std::filesystem::path> files;  ///< (N), below the list's folder unless absolute
  std::vector<std::string> labels;           ///< (N), as they are written
  std::vector<Split> splits;                 ///< (N), or empty when there is no such column
};

/// The list that `text` is, its paths below `folder`; `where` begins messages. Throws Error that names the line.
inline CsvList parse_csv_list(std::string_view text, const std::filesystem::path& folder, const std::string& where) {
  CsvList list;
  constexpr auto none = static_cast<std::size_t>(-1);
  std::size_t path_column = none, label_column = none, split_column = none;
  bool header = true;
  read_csv(text, where, [&](Index line, const std::vector<std::string>& fields) {
    const auto refuse = [&](const std::string& what, std::string_view expected = {}, std::string_view found = {}) {
      detail::fail_with(where, what + " in line " + std::to_string(line), expected, found);
    };
    if (std::exchange(header, false)) {
      for (std::size_t i = 0; i < fields.size(); ++i)
        for (auto [name, column] :
             {std::pair("path", &path_column), std::pair("label", &label_column), std::pair("split", &split_column)}) {
          if (fields[i] != name) continue;
          if (*column != none) refuse("the column '" + fields[i] + "' stands twice");
          *column = i;
        }
      if (path_column == none || label_column == none) refuse("no header", "columns 'path' and 'label'", fields[0]);
      return;
    }
    const std::string& label = fields[label_column];
    if (fields[path_column].empty()) refuse("an empty path");
    if (label.empty()) refuse("an empty label");
    if (split_column != none) {
      const std::string& split = fields[split_column];
      if (split != "train" && split != "test" && split != "val") refuse("an unknown split", "train, test or val", split);
      list.splits.push_back(split == "train" ? Split::train : Split::test);
    }
    list.files.push_back(folder / fields[path_column]);
    list.labels.push_back(label);
  });
  if (list.files.empty()) detail::fail_with(where, "the list is empty", "a header 'path,label' and a line for each picture");
  return list;
}

/// Reads a list, no picture yet. Throws Error that names the file and the line.
inline CsvList read_csv_list(const std::filesystem::path& path) {
  const auto bytes = read_file(path, max_csv_file);
  return parse_csv_list({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.parent_path(),
                        "open " + path.string());
}

namespace detail {
/// The number that a label is, without sign or leading zeros; -1 when it is none below a hundred thousand. Each class up to
/// the largest gets a name, so a limit bounds what a few bytes of a list may cost.
inline std::int32_t label_number(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text.size() > 1 && text[0] == '0')) return -1;
  std::int32_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return -1;
    number = number * 10 + (c - '0');
  }
  return number;
}

/// Whether the classes are called "0", "1", "2", ...
inline bool are_numbers(const std::vector<std::string>& classes) {
  for (std::size_t k = 0; k < classes.size(); ++k)
    if (label_number(classes[k]) != static_cast<std::int32_t>(k)) return false;
  return true;
}

/// The classes of a list: "0" to the largest when all labels are numbers, else the names in byte order.
inline std::vector<std::string> csv_classes(const CsvList& list) {
  std::int32_t most = 0;
  for (const auto& label : list.labels) {
    const std::int32_t number = label_number(label);
    most = number < 0 || most < 0 ? -1 : std::max(most, number);
  }
  if (most < 0) {
    const std::set<std::string> names(list.labels.begin(), list.labels.end());
    return {names.begin(), names.end()};
  }
  std::vector<std::string> numbers;
  for (std::int32_t k = 0; k <= most; ++k) numbers.push_back(std::to_string(k));
  return numbers;
}
}  // namespace detail

/// The pictures of one split, numbered by `classes`; of all records when the list has no column `split`. Throws Error when a
/// label is none of the classes.
inline PictureList csv_pictures(CsvList list, Split split, std::vector<std::string> classes, const std::string& where) {
  std::map<std::string_view, std::int32_t> number;
  for (std::size_t k = 0; k < classes.size(); ++k) number.emplace(classes[k], static_cast<std::int32_t>(k));
  PictureList out;
  for (std::size_t i = 0; i < list.files.size(); ++i) {
    if (!list.splits.empty() && list.splits[i] != split) continue;
    const auto at = number.find(list.labels[i]);
    if (at == number.end()) detail::fail_with("open " + where, "a class that train does not have", {}, list.labels[i]);
    out.files.push_back(std::move(list.files[i]));
    out.labels.push_back(at->second);
  }
  if (out.files.empty())
    detail::fail_with("open " + where, std::string("no ") + split_name(split) + " pictures in the list");
  out.class_names = std::move(classes);
  return out;
}

/// The pictures that a list names; see OpenOptions. `classes`: those of the list of training pictures, when that is another
/// file.
inline Dataset load_csv(const std::filesystem::path& path, Split split, int side, const OpenOptions& options = {},
                        std::vector<std::string> classes = {}) {
  CsvList list = read_csv_list(path);
  if (classes.empty()) classes = detail::csv_classes(list);
  auto pictures = csv_pictures(std::move(list), split, std::move(classes), path.string());
  // Numbers are the numbers of the model's classes, unless those are called by numbers themselves.
  const auto& names = options.class_names;
  if (detail::are_numbers(pictures.class_names) && pictures.class_names.size() <= names.size() &&
      !detail::are_numbers(names))
    pictures.class_names = names;
  return load_pictures(std::move(pictures), side, options, path.string());
}

}  // namespace minivit::inline MINIVIT_ISA
