// SPDX-License-Identifier: MIT
#include "../catch.hpp"

#include <minivit/data/loader.hpp>
#include <minivit/data/synthetic.hpp>

#include <atomic>
#include <map>
#include <set>

namespace loader_test {

namespace mv = minivit;

namespace {
using Loader = mv::Loader<32, 10>;

const mv::Dataset& shapes() {
  static const mv::Dataset data = mv::synthetic_dataset(45, mv::Split::train);
  return data;
}
mv::LoaderOptions training(int threads = 1, int prefetch = 2) {
  mv::LoaderOptions o;
  o.batch = 8;
  o.seed = 11;
  o.shuffle = true;
  o.augment.padding = 4;
  o.augment.flip = true;
  o.augment.mixup = 0.8;
  o.augment.cutmix = 1;
  o.augment.smoothing = 0.1;
  o.threads = threads;
  o.prefetch = prefetch;
  return o;
}
std::uint64_t hash(const Loader::batch_type& b) {
  const auto bytes = [](const auto& tensor) {
    return mv::hash_name(
        {reinterpret_cast<const char*>(tensor.data()), static_cast<std::size_t>(tensor.size()) * sizeof(float)});
  };
  return bytes(b.images) ^ mv::mix_bits(bytes(b.targets)) ^
         mv::mix_bits(static_cast<std::uint64_t>(b.epoch * 1000 + b.number));
}
std::vector<std::uint64_t> hashes(Loader& loader, int count) {
  std::vector<std::uint64_t> out;
  for (int i = 0; i < count; ++i) out.push_back(hash(loader.next()));
  return out;
}
}  // namespace

TEST_CASE("loader: batches come in order and an epoch holds each image once", "[data]") {
  for (const int prefetch : {0, 1, 2, 5}) {
    Loader loader(shapes(), training(1, prefetch));
    REQUIRE(loader.batches() == 6);
    for (mv::Index epoch = 0; epoch < 2; ++epoch) {
      std::set<mv::Index> seen;
      for (mv::Index k = 0; k < 6; ++k) {
        const auto& batch = loader.next();
        CHECK(batch.epoch == epoch);
        CHECK(batch.number == k);
        CHECK(batch.size() == (k < 5 ? 8 : 5));
        CHECK(batch.images.batch() == batch.size());
        seen.insert(batch.indices.begin(), batch.indices.end());
        for (std::size_t j = 0; j < batch.labels.size(); ++j) CHECK(batch.labels[j] == shapes().label(batch.indices[j]));
      }
      CHECK(seen.size() == 45);
    }
  }
}

TEST_CASE("loader: the same seed gives the same batches for any number of threads and any prefetch", "[data]") {
  Loader plain(shapes(), training(1, 0));
  const auto want = hashes(plain, 14);
  CHECK(std::set<std::uint64_t>(want.begin(), want.end()).size() == 14);
  for (const int threads : {1, 2, 4})
    for (const int prefetch : {0, 1, 3}) {
      Loader loader(shapes(), training(threads, prefetch));
      CHECK(hashes(loader, 14) == want);
    }
  auto other = training();
  other.seed = 12;
  Loader loader(shapes(), other);
  CHECK(hashes(loader, 14) != want);
}

TEST_CASE("loader: with RandAugment and erasing, batches do not depend on threads or on where it started", "[data]") {
  auto options = training(1, 0);
  Loader without(shapes(), options);
  options.augment.rand_augment = mv::RandAugment{};
  options.augment.erasing.probability = 0.5;
  Loader plain(shapes(), options);
  const auto want = hashes(plain, 12);
  CHECK(hashes(without, 12) != want);
  for (const int threads : {1, 2, 4}) {
    options.threads = threads;
    options.prefetch = threads - 1;
    Loader loader(shapes(), options);
    CHECK(hashes(loader, 12) == want);
    loader.start(1, 2);
    CHECK(hash(loader.next()) == want[8]);
  }
}

TEST_CASE("loader: repeated augmentation shows each image several times in a row, changed differently", "[data]") {
  const mv::Dataset data = mv::synthetic_dataset(300, mv::Split::train);
  auto options = training(1, 0);
  options.augment.mixup = options.augment.cutmix = 0;
  options.batch = 32;
  const auto once = Loader(data, options).order(1);
  options.repeats = 3;
  Loader loader(data, options);
  CHECK(loader.epoch_size() == 256);  // of 300
  REQUIRE(loader.batches() == 8);
  const auto order = loader.order(1);
  REQUIRE(order.size() == 256);
  for (std::size_t i = 0; i < order.size(); ++i) CHECK(order[i] == once[i / 3]);

  std::vector<mv::Index> seen;
  std::map<mv::Index, std::set<std::uint64_t>> versions;
  for (const auto& batch : loader.epoch(1)) {
    seen.insert(seen.end(), batch.indices.begin(), batch.indices.end());
    for (std::size_t j = 0; j < batch.indices.size(); ++j) {
      CHECK(batch.labels[j] == data.label(batch.indices[j]));
      const auto image = batch.images.view()[static_cast<mv::Index>(j)];
      versions[batch.indices[j]].insert(mv::hash_name(
          {reinterpret_cast<const char*>(image.data()), static_cast<std::size_t>(image.size()) * sizeof(float)}));
    }
  }
  CHECK(seen == order);
  CHECK(versions.size() == 86);  // 256 / 3, rounded up
  std::size_t distinct = 0;
  for (const auto& [index, hashes] : versions) distinct += hashes.size();
  CHECK(distinct > 250);  // of 256: two draws of 81 places and 2 directions are rarely the same
  CHECK(loader.order(1) != loader.order(2));

  const auto want = hashes(loader, 4);
  options.threads = 2;
  options.prefetch = 2;
  Loader resumed(data, options);
  resumed.start(2, 0);
  CHECK(hashes(resumed, 4) == want);
  resumed.start(1, 8);  // behind the last batch
  CHECK(hash(resumed.next()) == want[0]);
  CHECK_THROWS_AS(resumed.start(1, 9), mv::Error);

  CHECK(Loader(shapes(), options).epoch_size() == 45);  // too few for a group of 256
  options.repeats = 0;
  CHECK_THROWS_WITH(Loader(data, options), Catch::Contains("repeats"));
}

TEST_CASE("loader: starting at any batch continues exactly", "[data]") {
  Loader whole(shapes(), training());
  const auto want = hashes(whole, 18);
  for (int at = 0; at <= 12; ++at) {
    Loader resumed(shapes(), training());
    resumed.start(at / 6, at % 6);
    const std::vector<std::uint64_t> rest(want.begin() + at, want.begin() + at + 4);
    CHECK(hashes(resumed, 4) == rest);
    resumed.start(0, at % 7);  // batch 6 of 6 is the first of the next epoch
    CHECK(hash(resumed.next()) == want[static_cast<std::size_t>(at % 7)]);
  }
  CHECK_THROWS_AS(whole.start(0, 7), mv::Error);
  CHECK_THROWS_AS(whole.start(-1, 0), mv::Error);
}

TEST_CASE("loader: shuffling differs between epochs; without it the order is the data set's", "[data]") {
  Loader loader(shapes(), training());
  CHECK(loader.order(0) != loader.order(1));
  mv::LoaderOptions o;
  o.batch = 10;
  o.augment.preprocessing = {.mean = {0, 0, 0}, .std = {1, 1, 1}};
  Loader plain(shapes(), o);
  mv::Index next = 0;
  for (const auto& batch : plain.epoch(3)) {
    CHECK(batch.epoch == 3);
    for (std::size_t j = 0; j < batch.indices.size(); ++j, ++next) {
      CHECK(batch.indices[j] == next);
      const auto image = batch.images.view()[static_cast<mv::Index>(j)];
      for (mv::Index i = 0; i < image.size(); ++i)
        REQUIRE(image.data()[i] == static_cast<float>(shapes().image(next)[i]) / 255.0F);
      for (int k = 0; k < 10; ++k) CHECK(batch.targets.view()(j, k) == (k == batch.labels[j] ? 1.0F : 0.0F));
    }
  }
  CHECK(next == 45);
}

TEST_CASE("loader: drop_last leaves out the shorter batch", "[data]") {
  auto o = training();
  o.drop_last = true;
  Loader loader(shapes(), o);
  CHECK(loader.batches() == 5);
  for (int i = 0; i < 12; ++i) CHECK(loader.next().size() == 8);
}

TEST_CASE("loader: an error on the worker reaches the caller at its batch, and the loader can go on", "[data]") {
  for (const int prefetch : {0, 1, 3}) {
    auto o = training(2, prefetch);
    auto broken = std::make_shared<std::atomic<bool>>(true);
    auto images = std::make_shared<std::atomic<int>>(0);
    o.transform = [broken, images](std::span<float>, const mv::Random&) {
      if (images->fetch_add(1) >= 16 && *broken) throw std::runtime_error("bad image");
    };
    Loader loader(shapes(), o);
    CHECK(loader.next().number == 0);
    CHECK(loader.next().number == 1);
    CHECK_THROWS_WITH(loader.next(), "bad image");
    CHECK_THROWS_WITH(loader.next(), "bad image");
    *broken = false;
    CHECK(loader.next().number == 2);
  }
}

TEST_CASE("loader: the transform may change each image and has a stream of its own for each position of each epoch",
          "[data]") {
  auto o = training(1, 0);
  o.augment.mixup = o.augment.cutmix = 0;
  std::set<std::uint64_t> streams;
  o.transform = [&](std::span<float> image, const mv::Random& random) {
    streams.insert(random.bits(0));
    std::fill(image.begin(), image.end(), 2.5F);
  };
  Loader loader(shapes(), o);
  for (int i = 0; i < 12; ++i) {
    const auto& batch = loader.next();
    CHECK(std::all_of(batch.images.data(), batch.images.data() + batch.images.size(), [](float v) { return v == 2.5F; }));
  }
  CHECK(streams.size() == 90);  // two epochs of 45 images
}

TEST_CASE("loader: destroying or restarting it in the middle never hangs", "[data]") {
  for (int i = 0; i < 50; ++i) {
    Loader loader(shapes(), training(1, 1 + i % 3));
    if (i % 2 == 0) loader.next();
    if (i % 5 == 0) loader.start(i, 1);
    if (i % 7 == 0) loader.next();
  }
  SUCCEED();
}

TEST_CASE("loader: data that does not fit the model is refused in words", "[data]") {
  const auto refused = [](const mv::Dataset& data, const mv::LoaderOptions& o) {
    try {
      Loader loader(data, o);
    } catch (const mv::Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(refused(mv::with_side(shapes(), 16), {}).find("another side") != std::string::npos);
  CHECK(refused(mv::Dataset(3, 32, {"a", "b"}), {}).find("number of classes") != std::string::npos);
  CHECK(refused(mv::Dataset(0, 32, mv::synthetic_class_names()), {}).find("empty") != std::string::npos);
  auto bad = shapes();
  bad.labels[4] = 10;
  CHECK(refused(bad, {}).find("label") != std::string::npos);
  auto o = training();
  o.batch = 0;
  CHECK(refused(shapes(), o).find("batch size") != std::string::npos);
  o.batch = 46;
  o.drop_last = true;
  CHECK(refused(shapes(), o).find("drop_last") != std::string::npos);
}

}  // namespace loader_test
