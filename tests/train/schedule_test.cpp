// SPDX-License-Identifier: MIT
// Schedules against the rates the reference used, and the shape of the curve.
#include <minivit/train/schedule.hpp>

#include "catch.hpp"
#include "../fixtures.hpp"

#include <nlohmann/json.hpp>

#include <fstream>

namespace schedule_test {

using namespace minivit;

namespace {
nlohmann::json reference() {
  std::ifstream file(fixtures::path("lr_schedules.json"));
  REQUIRE(file);
  return nlohmann::json::parse(file);
}
}  // namespace

// The reference adds and divides in another order: a few roundings of double.
constexpr double relative = 1e-12;

TEST_CASE("schedule: Mini-DeiT's rate of each epoch", "[train]") {
  const auto rates = reference().at("mini_deit_lr_used_in_epoch").get<std::vector<double>>();
  REQUIRE(rates.size() == 300);
  constexpr Index steps_per_epoch = 7;
  const CosineSchedule schedule = mini_deit_schedule(300, 5, steps_per_epoch);
  for (std::size_t e = 0; e < rates.size(); ++e) {
    CAPTURE(e);
    for (const Index s : {Index{0}, Index{3}, steps_per_epoch - 1})
      REQUIRE(schedule.at(static_cast<Index>(e) * steps_per_epoch + s) == Approx(rates[e]).epsilon(relative));
  }
}

TEST_CASE("schedule: Mini-Swin's rate of selected steps", "[train]") {
  const auto all = reference();
  const auto& settings = all.at("mini_swin_settings");
  CosineSchedule schedule = mini_swin_schedule(settings.at("epochs"), settings.at("warmup_epochs"),
                                               settings.at("steps_per_epoch"), settings.at("base"));
  schedule.warmup_start = settings.at("warmup");
  schedule.minimum = settings.at("min");
  for (const auto& [step, rate] : all.at("mini_swin_lr_used_in_step").items()) {
    CAPTURE(step);
    CHECK(schedule.at(std::stol(step)) == Approx(rate.get<double>()).epsilon(relative));
  }
}

TEST_CASE("schedule: rises over the warm-up, falls to the minimum and stays there", "[train]") {
  const CosineSchedule s{.peak = 1, .warmup_start = 0.1, .minimum = 0.01, .warmup_steps = 10, .total_steps = 100};
  CHECK(s.at(0) == 0.1);
  CHECK(s.at(5) == Approx(0.55));
  for (Index t = 1; t < 10; ++t) CHECK(s.at(t) > s.at(t - 1));
  for (Index t = 11; t < 100; ++t) CHECK(s.at(t) < s.at(t - 1));
  CHECK(s.at(50) == Approx((1 + 0.01) / 2));  // time is not restarted: half of total_steps is half way down
  CHECK(s.at(100) == 0.01);
  CHECK(s.at(1000) == 0.01);
}

TEST_CASE("schedule: without warm-up it starts at the peak; a minimum above the peak makes it rise", "[train]") {
  CHECK(CosineSchedule{.peak = 0.5, .total_steps = 10}.at(0) == 0.5);
  CHECK(CosineSchedule{.peak = 0.5, .total_steps = 10, .lag = 1}.at(1) == 0.5);
  const CosineSchedule up{.peak = 2.5e-6, .minimum = 5e-6, .total_steps = 10};  // the reference's 384 recipe
  for (Index t = 1; t < 10; ++t) CHECK(up.at(t) > up.at(t - 1));
}

TEST_CASE("schedule: fields that make no schedule are refused", "[train]") {
  CHECK_NOTHROW(CosineSchedule{}.check());
  CHECK_THROWS_WITH((CosineSchedule{.warmup_steps = 11, .total_steps = 10}.check()),
                    "CosineSchedule: warmup_steps is out of range: expected 0 to total_steps, found 11");
  CHECK_THROWS_AS(CosineSchedule{.total_steps = 0}.check(), Error);
  CHECK_THROWS_AS(CosineSchedule{.hold = 0}.check(), Error);
  CHECK_THROWS_AS(CosineSchedule{.lag = -1}.check(), Error);
  CHECK_THROWS_AS(CosineSchedule{.peak = -1}.check(), Error);
}

}  // namespace schedule_test
