// SPDX-License-Identifier: MIT
// Arena::split: how work is cut between threads.
#include <minivit/core/arena.hpp>

#include <mutex>
#include <vector>

#include "../catch.hpp"

namespace arena_test {

namespace mv = minivit;
using mv::Index;

namespace {

struct Piece {
  Index first, count;
  int worker;
};

std::vector<Piece> pieces_of(const mv::Threads* team, int workers, Index n, Index step, Index cost) {
  mv::Arena<float> arena(mv::Memory::rewind);
  arena.share(team, workers);
  std::vector<Piece> pieces;
  std::mutex mutex;
  arena.split(n, step, cost, [&](Index first, Index count, int worker) {
    const std::lock_guard lock(mutex);
    pieces.push_back({first, count, worker});
  });
  std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.first < b.first; });
  return pieces;
}

constexpr Index much = 10'000'000;

}  // namespace

TEST_CASE("Arena::split: the pieces are all of the work, cut at multiples of the step, each with a worker of its own",
          "[core]") {
  const mv::Threads team(2);
  for (const int workers : {2, 3, 4, 7, 16})
    for (const Index n : {2, 9, 17, 50, 65, 197})
      for (const Index step : {1, 4, 12}) {
        const auto pieces = pieces_of(&team, workers, n, step, much);
        const Index steps = (n + step - 1) / step, most = (steps + workers - 1) / workers * step;
        Index next = 0;
        std::vector<int> used(static_cast<std::size_t>(workers), 0);
        for (const Piece& p : pieces) {
          CHECK(p.first == next);
          CHECK(p.first % step == 0);
          CHECK((p.count >= 1 && p.count <= most));
          REQUIRE((p.worker >= 0 && p.worker < workers));
          CHECK(++used[static_cast<std::size_t>(p.worker)] == 1);
          next += p.count;
        }
        CHECK(next == n);
      }
}

TEST_CASE("Arena::split: one piece for worker 0 alone, for one step, and for work that is not worth a hand-over", "[core]") {
  const mv::Threads team(2);
  const auto is_whole = [](const std::vector<Piece>& pieces, Index n) {
    return pieces.size() == 1 && pieces[0].first == 0 && pieces[0].count == n && pieces[0].worker == 0;
  };
  CHECK(pieces_of(&team, 2, 197, 4, much).size() == 2);
  CHECK(is_whole(pieces_of(nullptr, 1, 197, 4, much), 197));
  CHECK(is_whole(pieces_of(&team, 1, 197, 4, much), 197));
  CHECK(is_whole(pieces_of(&team, 2, 4, 4, much), 4));
  CHECK(is_whole(pieces_of(&team, 2, 197, 4, 10), 197));
}

TEST_CASE("Arena::split: an exception of a piece reaches the caller", "[core]") {
  const mv::Threads team(2);
  mv::Arena<float> arena(mv::Memory::rewind);
  arena.share(&team, 2);
  CHECK_THROWS_AS(team.run([&] {
    arena.split(8, 1, much, [](Index, Index, int worker) {
      if (worker == 1) throw worker;
    });
  }),
                  int);
}

}  // namespace arena_test
