// SPDX-License-Identifier: MIT
#include "../catch.hpp"
#include "../scratch.hpp"

#include <minivit/data/image_write.hpp>
#include <minivit/data/open.hpp>

#include <cstdlib>
#include <set>
#include <span>

namespace dataset_test {

namespace mv = minivit;
namespace fs = std::filesystem;
using scratch::contains, scratch::Folder, scratch::message_of;

namespace {
mv::Image flat(int width, int height, int level) {
  mv::Image image(width, height);
  std::fill(image.rgb.begin(), image.rgb.end(), static_cast<std::uint8_t>(level));
  return image;
}
void save(const fs::path& path, const mv::Image& image) {
  fs::create_directories(path.parent_path());
  mv::write_png(path, image);
}
void save(const fs::path& path, const std::vector<std::byte>& bytes) {
  fs::create_directories(path.parent_path());
  mv::write_file(path, bytes);
}

/// `count` CIFAR records; record i has label i % 10 and pixel j the value i + j.
std::vector<std::byte> records(int count, int first = 0) {
  std::vector<std::byte> out;
  for (int i = first; i < first + count; ++i) {
    out.push_back(static_cast<std::byte>(i % 10));
    for (int j = 0; j < 3072; ++j) out.push_back(static_cast<std::byte>(i + j));
  }
  return out;
}
}  // namespace

TEST_CASE("shuffled: each number once, another order for another stream", "[data]") {
  const auto order = mv::shuffled(1000, mv::Random(1));
  CHECK(std::set<mv::Index>(order.begin(), order.end()).size() == 1000);
  CHECK(order == mv::shuffled(1000, mv::Random(1)));
  CHECK(order != mv::shuffled(1000, mv::Random(2)));
  CHECK(mv::shuffled(0, mv::Random(1)).empty());
  const auto some = mv::sample_of(100, 7, mv::Random(1));
  CHECK(some.size() == 7);
  CHECK(std::is_sorted(some.begin(), some.end()));
  CHECK(mv::sample_of(5, 9, mv::Random(1)).size() == 5);
}

TEST_CASE("cifar: labels and planes of the binary files, in order", "[data]") {
  const Folder folder;
  for (int i = 0; i < 5; ++i) save(folder.path() / ("data_batch_" + std::to_string(i + 1) + ".bin"), records(3, 3 * i));
  save(folder.path() / "test_batch.bin", records(2, 100));
  const auto train = mv::open_dataset(folder.path().string(), mv::Split::train, 32);
  REQUIRE(train.size() == 15);
  for (mv::Index i = 0; i < 15; ++i) {
    CHECK(train.label(i) == i % 10);
    CHECK(train.image(i)[0] == i);
    CHECK(train.image(i)[3071] == ((i + 3071) & 255));
  }
  CHECK(train.class_name(3) == "cat");
  CHECK(mv::open_dataset(folder.path().string(), mv::Split::test, 32).size() == 2);
  CHECK(mv::open_dataset(folder.path().string(), mv::Split::train, 32, {.count = 4, .seed = 0, .threads = 1}).size() == 4);
  const auto small = mv::open_dataset(folder.path().string(), mv::Split::test, 16);
  CHECK(small.side == 16);
  CHECK(small.picture(0) == mv::resize(mv::load_cifar10(folder.path(), mv::Split::test).picture(0), 16, 16));
}

TEST_CASE("cifar: names of classes from the file beside the records, when it has ten", "[data]") {
  const Folder folder;
  save(folder.path() / "test_batch.bin", records(1));
  const auto names = [&](const std::string& text) {
    mv::write_file(folder.path() / "batches.meta.txt", std::as_bytes(std::span(text)));
    return mv::load_cifar10(folder.path(), mv::Split::test).class_names;
  };
  const std::vector<std::string> letters{"a", "b", "c", "d", "e", "f", "g", "h", "i", "jay"};
  CHECK(names("a\nb\nc\nd\ne\nf\ng\nh\ni\njay\n") == letters);
  CHECK(names("\na\r\nb\r\nc\nd\n\n\ne\nf\ng\nh\ni\njay\n\n") == letters);
  CHECK(names("a\nb\nc\nd\ne\nf\ng\nh\ni\njay") == letters);
  CHECK(names("a\nb\n") == mv::cifar10_class_names());
  CHECK(names("") == mv::cifar10_class_names());
  const std::string ten = "a\nb\nc\nd\ne\nf\ng\nh\ni\njay\n";
  CHECK(names(ten + std::string(65536 - ten.size(), '\n')) == letters);  // the largest file of names that is read
  CHECK(contains(message_of([&] { names(ten + std::string(65537 - ten.size(), '\n')); }), "batches.meta.txt"));
}

TEST_CASE("cifar: wrong sizes, wrong labels and missing files are refused by name", "[data]") {
  const Folder folder;
  const auto load = [&] { mv::load_cifar10(folder.path(), mv::Split::test); };
  CHECK(contains(message_of(load), "test_batch.bin"));
  save(folder.path() / "test_batch.bin", std::vector<std::byte>{});
  CHECK(contains(message_of(load), "3073"));
  auto bytes = records(2);
  bytes.pop_back();
  save(folder.path() / "test_batch.bin", bytes);
  CHECK(contains(message_of(load), "found 6145"));
  bytes = records(2);
  bytes[3073] = std::byte{10};
  save(folder.path() / "test_batch.bin", bytes);
  CHECK(contains(message_of(load), "record 1 has a label out of range: expected 0 to 9, found 10"));
  mv::Dataset data(1, 32, mv::cifar10_class_names());
  CHECK_THROWS_AS(mv::append_cifar10_file(data, folder.path() / "test_batch.bin"), mv::Error);
  CHECK(data.size() == 1);  // nothing of a refused file stays
  CHECK(data.pixels.size() == 3072);
}

TEST_CASE("cifar: a file above 1 GiB is refused for its size, unread", "[data]") {
  const Folder folder;
  for (const char* const name : {"test_batch.bin", "test.bin"}) {
    save(folder.path() / name, records(1));
    fs::resize_file(folder.path() / name, (std::uintmax_t{1} << 30) + 1);  // sparse: takes no room
  }
  const auto refusal = [&](const char* name) {
    return "read " + (folder / name) + ": the file is too large: expected at most 1073741824 bytes, found 1073741825";
  };
  CHECK(message_of([&] { mv::load_cifar10(folder.path(), mv::Split::test); }) == refusal("test_batch.bin"));
  CHECK(message_of([&] { mv::load_cifar100(folder.path(), mv::Split::test); }) == refusal("test.bin"));
}

TEST_CASE("folder: classes and files in byte order, other files ignored", "[data]") {
  const Folder root;
  save(root.path() / "train/zebra/b.PNG", flat(8, 8, 20));
  save(root.path() / "train/zebra/a.png", flat(8, 8, 10));
  save(root.path() / "train/Ant/x.png", flat(8, 8, 30));
  save(root.path() / "train/Ant/notes.txt", flat(8, 8, 1));
  save(root.path() / "train/.hidden/x.png", flat(8, 8, 1));
  save(root.path() / "test/zebra/t.png", flat(8, 8, 40));
  const auto train = mv::open_dataset(root.path().string(), mv::Split::train, 8);
  CHECK(train.class_names == std::vector<std::string>{"Ant", "zebra"});
  CHECK(train.labels == std::vector<std::int32_t>{0, 1, 1});
  CHECK(train.image(0)[0] == 30);
  CHECK(train.image(1)[0] == 10);
  CHECK(train.image(2)[0] == 20);
  const auto test = mv::open_dataset(root.path().string(), mv::Split::test, 8);
  CHECK(test.classes == 2);  // labels of train, though only one class has a test picture
  CHECK(test.labels == std::vector<std::int32_t>{1});
}

TEST_CASE("cifar-100: fine or coarse labels, names beside the files, wrong files refused", "[data]") {
  const Folder folder;
  const auto records100 = [](int count) {  // record i: coarse i % 20, fine i % 100, pixel j the value i + j
    std::vector<std::byte> out;
    for (int i = 0; i < count; ++i) {
      out.push_back(static_cast<std::byte>(i % 20));
      out.push_back(static_cast<std::byte>(i % 100));
      for (int j = 0; j < 3072; ++j) out.push_back(static_cast<std::byte>(i + j));
    }
    return out;
  };
  save(folder.path() / "cifar-100-binary/train.bin", records100(45));
  save(folder.path() / "cifar-100-binary/test.bin", records100(21));
  const std::set<std::string> names = [] {
    const auto list = mv::cifar100_class_names();
    return std::set<std::string>(list.begin(), list.end());
  }();
  CHECK(names.size() == 100);
  CHECK(std::ranges::is_sorted(mv::cifar100_class_names()));
  CHECK(std::ranges::is_sorted(mv::cifar100_superclass_names()));
  const auto train = mv::open_dataset(folder.path().string(), mv::Split::train, 32);
  CHECK(train.classes == 100);
  CHECK(train.size() == 45);
  CHECK(train.label(44) == 44);
  CHECK(train.image(44)[7] == 51);
  const auto coarse = mv::open_dataset(folder.path().string(), mv::Split::test, 32, {.coarse = true});
  CHECK(coarse.classes == 20);
  CHECK(coarse.label(20) == 0);
  CHECK(coarse.class_name(1) == "fish");
  CHECK(coarse.image(20)[0] == 20);
  save(folder.path() / "cifar-100-binary/test.bin", records(1));
  CHECK(contains(message_of([&] { mv::load_cifar100(folder.path() / "cifar-100-binary", mv::Split::test); }), "3074"));
  auto bad = records100(2);
  bad[3075] = std::byte{100};
  save(folder.path() / "cifar-100-binary/test.bin", bad);
  CHECK(contains(message_of([&] { mv::load_cifar100(folder.path() / "cifar-100-binary", mv::Split::test); }),
                 "0 to 99, found 100"));
}

TEST_CASE("folder: pictures in folders below belong to the class, in torchvision's order", "[data]") {
  const Folder root;
  const char* const order[] = {"train/a/z.png", "train/a/b/c.JPG", "train/a/b-2/x.png", "train/a/b/d/y.PnG",
                               "train/c/e.jpeg"};
  for (int i = 0; i < 5; ++i) save(root.path() / order[i], flat(4, 4, 40 * i + 10));
  fs::create_directory_symlink(root.path() / "train/a", root.path() / "train/a/b/loop");
  const auto data = mv::open_dataset(root.path().string(), mv::Split::train, 4);
  CHECK(data.labels == std::vector<std::int32_t>{0, 0, 0, 0, 1});
  // "b-2" stands before "b/d", as in a sorted list of whole folders
  const int levels[] = {10, 50, 90, 130, 170};
  REQUIRE(data.size() == 5);
  for (mv::Index i = 0; i < 5; ++i) CHECK(data.image(i)[0] == levels[i]);
}

TEST_CASE("folder: broken pictures stop the opening or are left out and named, by choice", "[data]") {
  const Folder root;
  for (int i = 0; i < 8; ++i)
    save(root.path() / "train" / (i % 2 != 0 ? "a" : "b") / (std::to_string(i) + ".png"), flat(4, 4, i));
  save(root.path() / "train/a/0.jpg", std::vector<std::byte>(10));
  save(root.path() / "train/b/5.webp", flat(4, 4, 99));  // a PNG by its bytes: read
  save(root.path() / "train/b/7.tif", std::vector<std::byte>(10));
  save(root.path() / "train/b/8.png", flat(16384, 1, 1));
  const auto open = [&](mv::OnBroken on_broken, int threads) {
    return mv::open_dataset(root.path().string(), mv::Split::train, 4, {.threads = threads, .on_broken = on_broken});
  };
  CHECK(contains(message_of([&] { open(mv::OnBroken::stop, 2); }), "0.jpg: not an image"));
  for (const int threads : {1, 4}) {
    const auto data = open(mv::OnBroken::skip, threads);
    CHECK(data.size() == 9);
    CHECK(data.labels == std::vector<std::int32_t>{0, 0, 0, 0, 1, 1, 1, 1, 1});
    CHECK(data.pixels.size() == 9 * 48);
    const int levels[] = {1, 3, 5, 7, 0, 2, 4, 99, 6};
    for (mv::Index i = 0; i < 9; ++i) CHECK(data.image(i)[47] == levels[i]);
    REQUIRE(data.broken.size() == 3);
    CHECK(data.broken[0].file == (root.path() / "train/a/0.jpg").string());
    CHECK(contains(data.broken[0].reason, "not an image"));
    CHECK(contains(data.broken[1].reason, "7.tif"));
    CHECK(contains(data.broken[2].reason, "8.png: resize: impossible size"));
    CHECK(mv::with_side(data, 2).broken == data.broken);
    CHECK(mv::select(data, {0}).broken == data.broken);
  }
  const Folder all;
  save(all.path() / "train/a/x.png", std::vector<std::byte>(10));
  CHECK(contains(message_of([&] { mv::load_folder(all.path(), mv::Split::train, 4, {.on_broken = mv::OnBroken::skip}); }),
                 "every picture is broken"));
}

TEST_CASE("folder: labels follow a model's classes, by name or, when no name is known, by order", "[data]") {
  const Folder root;
  save(root.path() / "test/cat/x.png", flat(4, 4, 1));
  save(root.path() / "test/dog/x.png", flat(4, 4, 2));
  const auto labels = [&](std::vector<std::string> names) {
    const auto data = mv::open_dataset(root.path().string(), mv::Split::test, 4, {.class_names = names});
    CHECK(data.class_names == names);
    CHECK(data.classes == static_cast<int>(names.size()));
    return data.labels;
  };
  CHECK(labels({"cat", "dog"}) == std::vector<std::int32_t>{0, 1});
  CHECK(labels({"zebra", "dog", "cat"}) == std::vector<std::int32_t>{2, 1});
  CHECK(labels({"tench", "goldfish"}) == std::vector<std::int32_t>{0, 1});
  CHECK(labels({"crane", "crane"}) == std::vector<std::int32_t>{0, 1});
  CHECK(contains(message_of([&] {
                   labels({"cat", "mouse"});
                 }),
                 "the classes are not those of the model: expected 2 classes such as 'cat', found 2 classes with 'dog'"));
  CHECK(contains(message_of([&] { labels({"tench", "goldfish", "shark"}); }), "not those of the model"));
}

TEST_CASE("folder: pictures of another size are resized and cropped in the middle", "[data]") {
  const Folder root;
  auto wide = flat(40, 20, 0);
  for (int y = 0; y < 20; ++y)
    for (int x = 0; x < 120; ++x) wide.row(y)[x] = static_cast<std::uint8_t>(x + y);
  save(root.path() / "train/a/x.png", wide);
  const auto data = mv::load_folder(root.path(), mv::Split::train, 10);
  CHECK(data.picture(0) == mv::centre_crop(mv::resize(wide, 20, 10), 10));
}

TEST_CASE("folder: the threads do not change the result, and the first bad file is named", "[data]") {
  const Folder root;
  for (int i = 0; i < 300; ++i)
    save(root.path() / "train" / (i % 2 != 0 ? "a" : "b") / (std::to_string(1000 + i) + ".png"), flat(4, 4, i % 256));
  const auto one = mv::load_folder(root.path(), mv::Split::train, 4, {.threads = 1});
  const auto four = mv::load_folder(root.path(), mv::Split::train, 4, {.threads = 4});
  CHECK(one.pixels == four.pixels);
  CHECK(one.labels == four.labels);
  save(root.path() / "train/a/1101.png", std::vector<std::byte>(10));
  save(root.path() / "train/b/1200.png", std::vector<std::byte>(10));
  for (int i = 0; i < 20; ++i)
    CHECK(contains(message_of([&] { mv::load_folder(root.path(), mv::Split::train, 4, {.threads = 4}); }), "1101.png"));
}

TEST_CASE("folder: an unknown test class and an empty folder are refused", "[data]") {
  const Folder root;
  save(root.path() / "train/a/x.png", flat(4, 4, 1));
  save(root.path() / "test/b/x.png", flat(4, 4, 1));
  CHECK(contains(message_of([&] { mv::load_folder(root.path(), mv::Split::test, 4); }), "train does not have"));
  const Folder empty;
  fs::create_directories(empty.path() / "train/a");
  CHECK(contains(message_of([&] { mv::open_dataset(empty.path().string(), mv::Split::train, 4); }), "no pictures found"));
}

TEST_CASE("open_dataset: synthetic by name, and one clear error for anything else", "[data]") {
  const auto data = mv::open_dataset("synthetic", mv::Split::test, 32, {.count = 30, .seed = 2, .threads = 1});
  CHECK(data.pixels == mv::synthetic_dataset(30, mv::Split::test, 2).pixels);
  CHECK(mv::open_dataset("synthetic", mv::Split::test, 16, {.count = 5, .seed = 0, .threads = 1}).side == 16);
  const Folder folder;
  const auto open = [](const fs::path& path) {
    return message_of([&] { mv::open_dataset(path.string(), mv::Split::train, 32); });
  };
  CHECK(contains(open(folder.path() / "none"), "no such data set"));
  CHECK(contains(open(folder.path()), "no train images found"));
  save(folder.path() / "x.tar.gz", std::vector<std::byte>(3));
  CHECK(contains(open(folder.path() / "x.tar.gz"), "not a folder"));
}

TEST_CASE("cifar: the real pictures load with ten even classes", "[data][slow]") {
  const char* const path = std::getenv("MINIVIT_CIFAR10");
  if (path == nullptr) {
    WARN("skipped: set MINIVIT_CIFAR10 to a folder with train/<class>/ and test/<class>/ or the binary files");
    return;
  }
  const auto test = mv::open_dataset(path, mv::Split::test, 32);
  CHECK(test.classes == 10);
  CHECK(test.class_names == mv::cifar10_class_names());
  for (std::int32_t k = 0; k < 10; ++k) CHECK(std::count(test.labels.begin(), test.labels.end(), k) == test.size() / 10);
}

}  // namespace dataset_test
