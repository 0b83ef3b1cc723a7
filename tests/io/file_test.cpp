// SPDX-License-Identifier: MIT
#include "../catch.hpp"
#include "raw_file.hpp"

#include <minivit/io/checked.hpp>
#include <minivit/io/file.hpp>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace file_test {

using namespace minivit;
using namespace io_test;

namespace {
constexpr std::uint64_t top = ~std::uint64_t{0};
static_assert(checked::add(top - 1, 1) == top && !checked::add(top, 1) && !checked::add(1, top));
static_assert(checked::mul(top, 1) == top && checked::mul(0, top) == 0u && checked::mul(top, 0) == 0u);
static_assert(checked::mul(1ull << 32, (1ull << 32) - 1) && !checked::mul(1ull << 32, 1ull << 32));
}  // namespace

TEST_CASE("file: reads back what was written", "[io]") {
  const Folder folder;
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100'000}}) {
    const std::string content(size, 'x');
    write_file_atomically(folder / "a", content);
    InputFile file(folder / "a", 1'000'000);
    CHECK(file.size() == size);
    std::string read(size, '?');
    const auto bytes = std::as_writable_bytes(std::span(read));
    file.read(bytes.first(size / 3));  // in two pieces
    file.read(bytes.subspan(size / 3));
    CHECK(read == content);
  }
}

TEST_CASE("file: whatever is no readable regular file is refused by name", "[io]") {
  const Folder folder;
  const auto refused = [](const std::string& path) { return message_of([&] { InputFile(path, 1000); }); };
  CHECK(refused(folder / "missing.bin").find("No such file or directory") != std::string::npos);
  CHECK(refused(folder / "missing.bin").find("missing.bin") != std::string::npos);
  CHECK(refused(folder.path().string()).find("found a folder") != std::string::npos);
  CHECK(refused("/dev/zero").find("found a device") != std::string::npos);
  CHECK(refused(std::string("a\0b", 3)).find("zero byte") != std::string::npos);
  CHECK(refused("").find("No such file") != std::string::npos);
  std::filesystem::create_symlink("loop", folder.path() / "loop");
  CHECK(refused(folder / "loop").find("symbolic links") != std::string::npos);
  put(folder / "large", std::string(1001, 'x'));
  CHECK(refused(folder / "large").find("expected at most 1000 bytes, found 1001") != std::string::npos);
  CHECK(refused(folder / std::string(300, 'n')).size() <= 500);
}

TEST_CASE("file: a pipe without a writer does not block", "[io]") {
  const Folder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  const auto start = std::chrono::steady_clock::now();
  ::alarm(20);  // if it blocks after all, end the test instead of hanging
  CHECK(message_of([&] { InputFile(folder / "pipe", 1000); }).find("found a pipe") != std::string::npos);
  CHECK(message_of([&] { write_file_atomically(folder / "pipe", "x"); }).find("found a pipe") != std::string::npos);
  ::alarm(0);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1));
}

TEST_CASE("file: a sparse giant is refused before memory is taken", "[io]") {
  const Folder folder;
  put(folder / "sparse", "");
  std::filesystem::resize_file(folder / "sparse", std::uintmax_t{8} << 30);
  CHECK(message_of([&] { SafeTensors::open(folder / "sparse"); }).find("too large") != std::string::npos);
  CHECK(message_of([&] {
          SafeTensors::open(folder / "sparse", {.file_bytes = std::uint64_t{1} << 40});
        }).find("empty header") != std::string::npos);
}

TEST_CASE("file: without commit the old file is intact and nothing else remains", "[io]") {
  const Folder folder;
  put(folder / "a", "old");
  {
    AtomicFile file(folder / "a");
    file.write("new");
    CHECK(folder.count() == 2);  // the old file and the temporary one
  }
  CHECK(get(folder / "a") == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("file: what a killed program left behind is removed by the next save, and nothing else", "[io]") {
  const Folder folder;
  put(folder / "a", "old");
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    AtomicFile file(folder / "a");
    file.write("half of the n");
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
  CHECK(get(folder / "a") == "old");
  REQUIRE(folder.count() == 2);
  const std::vector<std::string> others{".minivit-1.tmp",    ".minivit-1-.tmp",    ".minivit--1.tmp",
                                        ".minivit-1-2.tmp2", ".minivit-1-2-3.tmp", ".minivit-.tmp",
                                        ".minivit-x-1.tmp",  "minivit-1-2.tmp",    ".minivit.tmp"};
  for (const std::string& name : others) put(folder / name, "of another program");
  std::filesystem::create_directory(folder / ".minivit-1-2.tmp");              // one of our names, but no file
  std::filesystem::create_symlink(folder / "a", folder / ".minivit-1-3.tmp");  // nor this
  {
    AtomicFile mine(folder / "b");  // another save, at the same time
    mine.write("b");
    write_file_atomically(folder / "a", "new");
    CHECK(folder.count() == 1 + others.size() + 2 + 1);  // a, the others, folder and link, what `mine` writes to
    mine.commit();
  }
  CHECK(get(folder / "a") == "new");
  CHECK(get(folder / "b") == "b");
  CHECK(folder.count() == 2 + others.size() + 2);
}

TEST_CASE("file: programs that save to one path at the same time do not disturb each other", "[io]") {
  const Folder folder;
  constexpr int programs = 4, saves = 100;
  std::vector<pid_t> children;
  for (int k = 0; k < programs; ++k) {
    children.push_back(::fork());
    REQUIRE(children.back() >= 0);
    if (children.back() > 0) continue;
    const std::string content(10'000, static_cast<char>('a' + k));
    for (int i = 0; i < saves; ++i)
      if (!message_of([&] { write_file_atomically(folder / "a", content); }).empty()) ::_exit(1);
    ::_exit(0);
  }
  for (const pid_t child : children) {
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);  // else a temporary file was taken from a living program
  }
  const std::string content = get(folder / "a");
  CHECK(content.size() == 10'000);
  CHECK(content.find_first_not_of(content[0]) == std::string::npos);
  CHECK(folder.count() == 1);
}

TEST_CASE("file: when a write fails the old file is intact and the temporary one is removed", "[io]") {
  const Folder folder;
  put(folder / "a", "old");
  {
    const FileSizeLimit limit(1000);
    const std::string message = message_of([&] { write_file_atomically(folder / "a", std::string(5000, 'x')); });
    CHECK(message.find("File too large") != std::string::npos);
    CHECK(message.find("write") != std::string::npos);
  }
  CHECK(get(folder / "a") == "old");
  CHECK(folder.count() == 1);
  write_file_atomically(folder / "a", std::string(5000, 'x'));
  CHECK(get(folder / "a").size() == 5000);
}

TEST_CASE("file: a read-only folder is refused and its file kept", "[io]") {
  const Folder folder;
  put(folder / "a", "old");
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0555));
  const bool root = ::geteuid() == 0;
  if (root) REQUIRE(::seteuid(65534) == 0);  // root may write everywhere
  const std::string message = message_of([&] { write_file_atomically(folder / "a", "new"); });
  if (root) REQUIRE(::seteuid(0) == 0);
  std::filesystem::permissions(folder.path(), std::filesystem::perms(0755));
  CHECK(message.find("Permission denied") != std::string::npos);
  CHECK(get(folder / "a") == "old");
  CHECK(folder.count() == 1);
}

TEST_CASE("file: devices and folders are never replaced", "[io]") {
  const Folder folder;
  CHECK(message_of([] { write_file_atomically("/dev/full", "x"); }).find("found a device") != std::string::npos);
  CHECK(std::filesystem::is_character_file("/dev/full"));
  std::filesystem::create_symlink("/dev/full", folder.path() / "link");
  CHECK(message_of([&] { write_file_atomically(folder / "link", "x"); }).find("found a device") != std::string::npos);
  CHECK(message_of([&] { write_file_atomically(folder.path().string(), "x"); }).find("found a folder") != std::string::npos);
  CHECK(message_of([&] { write_file_atomically(folder / "no/such/folder", "x"); }).find("No such file") !=
        std::string::npos);
  CHECK(message_of([&] { write_file_atomically(folder / "no/", "x"); }).find("names a folder") != std::string::npos);
  CHECK(message_of([] { write_file_atomically("", "x"); }).find("empty") != std::string::npos);
  CHECK(folder.count() == 1);
}

TEST_CASE("file: a symbolic link is followed, not replaced", "[io]") {
  const Folder folder;
  std::filesystem::create_directory(folder.path() / "disk");
  put(folder / "disk/real", "old");
  std::filesystem::create_symlink("disk/real", folder.path() / "link");
  write_file_atomically(folder / "link", "new");
  CHECK(get(folder / "disk/real") == "new");
  CHECK(std::filesystem::is_symlink(folder.path() / "link"));
}

TEST_CASE("file: a file that shrinks while it is read is an Error", "[io]") {
  const Folder folder;
  put(folder / "a", std::string(100, 'x'));
  InputFile file(folder / "a", 1000);
  std::filesystem::resize_file(folder / "a", 50);
  std::byte to[100];
  CHECK(message_of([&] { file.read(to); }).find("ends early: expected 100 bytes, found 50") != std::string::npos);
}

}  // namespace file_test
