// SPDX-License-Identifier: MIT
#include "../catch.hpp"
#include "../scratch.hpp"

#include <minivit/core/random.hpp>
#include <minivit/data/image_write.hpp>
#include <minivit/data/open.hpp>

namespace csv_test {

namespace mv = minivit;
namespace fs = std::filesystem;
using scratch::contains, scratch::message_of;

namespace {
using Row = std::vector<std::string>;

/// A folder with lists and pictures.
struct Folder : scratch::Folder {
  void text(const char* name, std::string_view text) const { mv::write_file(path() / name, std::as_bytes(std::span(text))); }
  void picture(const std::string& name, int level) const {
    mv::Image image(4, 4);
    std::fill(image.rgb.begin(), image.rgb.end(), static_cast<std::uint8_t>(level));
    fs::create_directories((path() / name).parent_path());
    mv::write_png(path() / name, image);
  }
  std::string file(const char* name) const { return (path() / name).string(); }
};

std::vector<Row> rows(std::string_view text) {
  std::vector<Row> out;
  mv::read_csv(text, "list.csv", [&](mv::Index, const Row& fields) { out.push_back(fields); });
  return out;
}
using Labels = std::vector<std::int32_t>;
}  // namespace

TEST_CASE("csv: fields, quotes and line ends of RFC 4180", "[data]") {
  CHECK(rows("").empty());
  CHECK(rows("a,b\nc,d\n") == std::vector<Row>{{"a", "b"}, {"c", "d"}});
  CHECK(rows("a,b\r\nc,d") == std::vector<Row>{{"a", "b"}, {"c", "d"}});
  CHECK(rows("\xEF\xBB\xBF"
             "a,b") == std::vector<Row>{{"a", "b"}});
  CHECK(rows("a,\n,b\n") == std::vector<Row>{{"a", ""}, {"", "b"}});
  CHECK(rows("\"a,b\",c") == std::vector<Row>{{"a,b", "c"}});
  CHECK(rows("\"a\"\"b\",\"\"\r\n\"\"\"\",c") == std::vector<Row>{{"a\"b", ""}, {"\"", "c"}});
  CHECK(rows("\"a\r\nb\",c\nd,e") == std::vector<Row>{{"a\r\nb", "c"}, {"d", "e"}});
  CHECK(rows("a b , c") == std::vector<Row>{{"a b ", " c"}});  // spaces belong to a field
  CHECK(rows("a,b\n\n\r\nc,d\n\n") == std::vector<Row>{{"a", "b"}, {"c", "d"}});
}

TEST_CASE("csv: what breaks the rules is refused by its line", "[data]") {
  const auto refused = [](std::string_view text) { return message_of([&] { rows(text); }); };
  CHECK(contains(refused("a,b\nc\n"), "list.csv: a record of another length in line 2: expected 2 fields, found 1"));
  CHECK(contains(refused("a,b\n\"c\nd\",e\nf,g,h\n"), "a record of another length in line 4"));
  CHECK(contains(refused("a,b\nc,\"d\n"), "a quote is not closed in line"));
  CHECK(contains(refused("a,b\nc\"d,e\n"), "a quote inside a field without quotes in line 2"));
  CHECK(contains(refused("a,b\n\"c\"d,e\n"), "text behind a closing quote in line 2"));
  CHECK(contains(refused(std::string_view("a,\0", 3)), "a NUL byte in line 1"));
  CHECK(contains(refused(std::string_view("\"a\0\"", 4)), "a NUL byte in line 1"));
}

TEST_CASE("csv: any bytes are read or refused, and what is read is written back the same", "[data]") {
  const mv::Random random(5);
  std::uint64_t draw = 0;
  constexpr std::string_view letters("a,\"\n\r\0b", 7);
  int good = 0;
  for (int k = 0; k < 3000; ++k) {
    std::string text;
    for (std::uint64_t n = random.bits(draw++) % 12; n > 0; --n) text += letters[random.bits(draw++) % letters.size()];
    std::vector<Row> first;
    try {
      first = rows(text);
    } catch (const mv::Error&) {
      continue;
    }
    ++good;
    std::string again;  // with every field in quotes
    for (const Row& row : first) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        again += i > 0 ? ",\"" : "\"";
        for (const char c : row[i]) again += c == '"' ? std::string("\"\"") : std::string(1, c);
        again += '"';
      }
      again += "\n";
    }
    CHECK(rows(again) == first);
  }
  CHECK(good > 300);
}

TEST_CASE("list: classes by name, paths relative to the list, other columns passed by", "[data]") {
  const Folder folder;
  folder.picture("pictures/a, b.png", 10);
  folder.picture("pictures/c.png", 20);
  folder.picture("d.png", 30);
  folder.text("list.csv", "who,label,path\nme,zebra,\"pictures/a, b.png\"\nme,ant,pictures/c.png\nme,zebra," +
                              folder.file("d.png") + "\n");
  const auto data = mv::open_dataset(folder.file("list.csv"), mv::Split::test, 4);
  CHECK(data.class_names == Row{"ant", "zebra"});
  CHECK(data.labels == Labels{1, 0, 1});
  CHECK(data.image(0)[0] == 10);
  CHECK(data.image(2)[0] == 30);
  CHECK(mv::open_dataset(folder.file("list.csv"), mv::Split::test, 4, {.count = 2}).size() == 2);
  CHECK(contains(message_of([&] { mv::open_dataset(folder.file("list.csv"), mv::Split::train, 4); }),
                 "does not say which pictures are for training"));
}

TEST_CASE("list: numbers are the numbers of the classes, a model's when it is known", "[data]") {
  const Folder folder;
  folder.picture("x.png", 1);
  folder.text("list.csv", "path,label\nx.png,10\nx.png,2\n");
  const auto open = [&](Row names) {
    return mv::open_dataset(folder.file("list.csv"), mv::Split::test, 4, {.class_names = std::move(names)});
  };
  const auto alone = open({});
  CHECK(alone.labels == Labels{10, 2});
  CHECK(alone.classes == 11);
  CHECK(alone.class_names[10] == "10");
  Row words;
  for (char c = 'a'; c < 'p'; ++c) words.emplace_back(1, c);
  const auto known = open(words);
  CHECK(known.labels == Labels{10, 2});
  CHECK(known.class_names == words);
  words.resize(5);
  CHECK(contains(message_of([&] { open(words); }), "not those of the model"));
  Row digits;
  for (int k = 0; k < 20; ++k) digits.push_back(std::to_string(k));
  CHECK(open(digits).labels == Labels{10, 2});
  folder.text("list.csv", "path,label\nx.png,10\nx.png,02\n");  // not all are numbers: names
  CHECK(open({}).class_names == Row{"02", "10"});
}

TEST_CASE("list: whole numbers from 0 on are numbers, with gaps; anything else makes all labels names", "[data]") {
  const auto classes = [](const Row& labels) {
    return mv::detail::csv_classes({.files = {}, .labels = labels, .splits = {}});
  };
  const auto numbers = [](int count) {
    Row out;
    for (int k = 0; k < count; ++k) out.push_back(std::to_string(k));
    return out;
  };
  CHECK(classes(numbers(12)) == numbers(12));  // "10" is not behind "1"
  CHECK(classes({"11", "2", "0", "10", "2"}) == numbers(12));
  CHECK(classes({"0", "0"}) == numbers(1));
  CHECK(classes({"0", "1"}) == numbers(2));
  CHECK(classes({"1", "0"}) == numbers(2));
  CHECK(classes({"3"}) == numbers(4));
  CHECK(classes({"99999", "5"}).size() == 100000);
  for (const char* const name : {"-1", "-0", "+1", "00", "01", "1.0", " 1", "1 ", "0x1", "100000", "one", "/", ":"}) {
    CAPTURE(name);
    Row names{name, "9", "10"};
    std::sort(names.begin(), names.end());
    CHECK(classes({"10", name, "9"}) == names);
    CHECK(classes({"9", "10", name}) == names);
  }
  const Folder folder;
  folder.picture("x.png", 1);
  const auto open = [&](const char* labels) {
    folder.text("list.csv", labels);
    return mv::open_dataset(folder.file("list.csv"), mv::Split::test, 4);
  };
  const auto some = open("label,path\n10,x.png\n0,x.png\n2,x.png\n");
  CHECK(some.labels == Labels{10, 0, 2});
  CHECK(some.class_names == numbers(11));
  const auto names = open("label,path\n10,x.png\n-1,x.png\n2,x.png\n");
  CHECK(names.labels == Labels{1, 0, 2});
  CHECK(names.class_names == Row{"-1", "10", "2"});
}

TEST_CASE("list: one file with both splits, or one for each, labelled alike", "[data]") {
  const Folder folder;
  for (const char* const name : {"a", "b", "c"}) folder.picture(std::string(name) + ".png", name[0]);
  folder.text("all.csv", "path,label,split\na.png,x,train\nb.png,y,train\nc.png,y,val\n");
  CHECK(mv::open_dataset(folder.file("all.csv"), mv::Split::train, 4).labels == Labels{0, 1});
  const auto part = mv::open_dataset(folder.file("all.csv"), mv::Split::test, 4);
  CHECK(part.labels == Labels{1});
  CHECK(part.classes == 2);
  folder.text("train.csv", "path,label\na.png,x\nb.png,y\n");
  folder.text("test.csv", "path,label\nc.png,y\n");
  CHECK(mv::open_dataset(folder.path().string(), mv::Split::train, 4).labels == Labels{0, 1});
  CHECK(mv::open_dataset(folder.path().string(), mv::Split::test, 4).labels == Labels{1});
  folder.text("test.csv", "path,label\nc.png,z\n");
  CHECK(contains(message_of([&] { mv::open_dataset(folder.path().string(), mv::Split::test, 4); }),
                 "a class that train does not have: found z"));
  fs::create_directories(folder.path() / "train/x");  // folders of classes are taken first
  fs::copy_file(folder.path() / "a.png", folder.path() / "train/x/a.png");
  CHECK(mv::open_dataset(folder.path().string(), mv::Split::train, 4).size() == 1);
}

TEST_CASE("list: broken pictures and missing ones stop or are left out and named", "[data]") {
  const Folder folder;
  folder.picture("a.png", 7);
  folder.text("bad.png", "no picture");
  folder.text("list.csv", "path,label\nnone.png,x\na.png,y\nbad.png,x\n.,x\n");
  CHECK(contains(message_of([&] { mv::open_dataset(folder.file("list.csv"), mv::Split::test, 4); }),
                 "none.png: No such file"));
  const auto data = mv::open_dataset(folder.file("list.csv"), mv::Split::test, 4, {.on_broken = mv::OnBroken::skip});
  CHECK(data.labels == Labels{1});
  CHECK(data.image(0)[0] == 7);
  REQUIRE(data.broken.size() == 3);
  CHECK(contains(data.broken[0].reason, "No such file"));
  CHECK(contains(data.broken[1].reason, "not an image"));
  CHECK(contains(data.broken[2].reason, "not a regular file"));
}

TEST_CASE("list: a header or record that makes no sense is refused by its line", "[data]") {
  const Folder folder;
  const auto refused = [&](const char* text) {
    folder.text("list.csv", text);
    return message_of([&] { mv::open_dataset(folder.file("list.csv"), mv::Split::test, 4); });
  };
  CHECK(contains(refused(""), "the list is empty"));
  CHECK(contains(refused("path,label\n"), "the list is empty"));
  CHECK(contains(refused("a.png,cat\n"), "no header in line 1: expected columns 'path' and 'label', found a.png"));
  CHECK(contains(refused("path,label,path\n"), "the column 'path' stands twice"));
  CHECK(contains(refused("path,label\n,cat\n"), "an empty path in line 2"));
  CHECK(contains(refused("path,label\na.png,\n"), "an empty label in line 2"));
  CHECK(contains(refused("path,label,split\na.png,cat,dev\n"),
                 "an unknown split in line 2: expected train, test or val, found dev"));
  CHECK(contains(refused("path,label,split\na.png,cat,train\n"), "no test pictures in the list"));
  CHECK(contains(message_of([&] { mv::open_dataset(folder.file("none.csv"), mv::Split::test, 4); }), "no such data set"));
}

}  // namespace csv_test
