// SPDX-License-Identifier: MIT
// Attention from bf16 words against its definition in double, forward and backward.
#include "../catch.hpp"
#include "arches.hpp"
#include "guarded.hpp"
#include "random_values.hpp"

#include <minivit/kernels/dot/attention_backward.hpp>
#include <minivit/kernels/reference/attention.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace dot_attention_test {

namespace kernels = minivit::kernels;
using minivit::bf16;
using namespace kernel_test;

TEMPLATE_LIST_TEST_CASE("DotAttention: agrees with the definition to the rounding of its probabilities", "[kernel]",
                        FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  static constexpr kernels::RelativeOffsets<8> offsets{};
  for (const bool mix : {false, true})
    for (const bool relative : {false, true})
      for (const Index extra : {0, 1, 2})
        for (const auto& [heads, head_dim] : {std::pair<Index, Index>{1, 2}, {3, 16}, {2, 34}}) {
          const kernels::AttentionShape s{.tokens = 64 + extra,
                                          .heads = heads,
                                          .head_dim = head_dim,
                                          .side = 8,
                                          .extra_tokens = extra,
                                          .mix = mix,
                                          .relative = relative};
          const Index dim = s.dim(), ldq = 3 * dim + 2;
          std::vector<bf16> qkv(static_cast<std::size_t>(s.tokens * ldq));
          std::vector<double> wide(qkv.size());
          for (std::size_t i = 0; i < qkv.size(); ++i) {
            qkv[i] = bf16(static_cast<float>(uniform(11, static_cast<Index>(i), -2, 2)));
            wide[i] = static_cast<double>(static_cast<float>(qkv[i]));
          }
          const auto mixing = [&](std::uint64_t seed) {
            auto m = floats(seed, heads * heads, -0.4, 0.4);
            for (Index h = 0; h < heads; ++h) m[static_cast<std::size_t>(h * heads + h)] += 1;
            return m;
          };
          const auto before = mixing(12), after = mixing(13);
          auto table = floats(14, head_dim * s.columns(), -1, 1);
          for (auto& t : table) t = static_cast<float>(bf16(t));
          const std::vector<double> before_d(before.begin(), before.end()), after_d(after.begin(), after.end()),
              table_d(table.begin(), table.end());
          const kernels::AttentionWeights<float> w{mix ? before.data() : nullptr, mix ? after.data() : nullptr,
                                                   relative ? table.data() : nullptr, relative ? offsets.center() : nullptr};
          const kernels::AttentionWeights<double> wd{mix ? before_d.data() : nullptr, mix ? after_d.data() : nullptr,
                                                     relative ? table_d.data() : nullptr, w.offsets};

          kernels::detail::Cutter<float> count(nullptr);
          (void)kernels::DotAttention<Arch>(count, s);
          minivit::Buffer<float> scratch(count.used());
          std::fill_n(scratch.data(), scratch.size(), std::numeric_limits<float>::quiet_NaN());
          kernels::detail::Cutter<float> cut(scratch.data());
          const kernels::DotAttention<Arch> attention(cut, s);
          attention.prepare(qkv.data(), ldq, w, 0, heads);
          Guarded<float> out(s.tokens, dim, dim + 3);
          constexpr Index rows = kernels::DotAttention<Arch>::block_rows;
          kernels::each_block(0, s.tokens, rows, [&](Index first, Index some) {
            attention.rows(out.data() + first * out.ld(), out.ld(), qkv.data(), ldq, first, some, w);
          });

          std::vector<double> expected(static_cast<std::size_t>(s.tokens * dim)),
              work(static_cast<std::size_t>(kernels::reference::attention_scratch(s)));
          kernels::reference::attention<double>(expected.data(), dim, wide.data(), ldq, s, wd, work.data());
          double worst = 0;
          for (Index i = 0; i < s.tokens; ++i)
            for (Index c = 0; c < dim; ++c)
              worst = std::max(worst,
                               std::abs(static_cast<double>(out(i, c)) - expected[static_cast<std::size_t>(i * dim + c)]));
          INFO("mix " << mix << " relative " << relative << " extra " << extra << " heads " << heads << " head_dim "
                      << head_dim);
          // sum of |W'| <= 1.4 + 0.4 (heads - 1), |v| <= 2, each probability rounded by at most 2^-9 of itself
          CHECK(worst <= (1.4 + 0.4 * static_cast<double>(heads - 1)) * 2 / 512 + 2e-5);
          CHECK(out.intact());
        }
}

TEMPLATE_LIST_TEST_CASE("DotAttentionBackward: every gradient within 1 % of the definition's", "[kernel]",
                        FloatKernelTypes) {
  using Arch = typename TestType::Arch;
  static constexpr kernels::RelativeOffsets<5> small{};
  static constexpr kernels::RelativeOffsets<8> large{};
  for (const bool mix : {false, true})
    for (const bool relative : {false, true})
      for (const Index extra : {0, 1, 2})
        for (const Index side : {5, 8})  // less than one block of rows, and two with a short one
          for (const auto& [heads, head_dim] : {std::pair<Index, Index>{1, 8}, {3, 16}, {2, 34}}) {
            const kernels::AttentionShape s{.tokens = side * side + extra,
                                            .heads = heads,
                                            .head_dim = head_dim,
                                            .side = side,
                                            .extra_tokens = extra,
                                            .mix = mix,
                                            .relative = relative};
            const Index dim = s.dim(), ldq = 3 * dim + 2, ldo = dim + 1, table_size = head_dim * s.columns();
            std::vector<bf16> qkv(static_cast<std::size_t>(s.tokens * ldq));
            std::vector<double> wide(qkv.size());
            for (std::size_t i = 0; i < qkv.size(); ++i) {
              qkv[i] = bf16(static_cast<float>(uniform(11, static_cast<Index>(i), -1, 1)));
              wide[i] = static_cast<double>(static_cast<float>(qkv[i]));
            }
            const auto before = floats(12, heads * heads, -1, 1), after = floats(13, heads * heads, -1, 1),
                       table = floats(14, table_size, -1, 1), dout = floats(15, s.tokens * ldo, -1, 1);
            const std::vector<double> before_d(before.begin(), before.end()), after_d(after.begin(), after.end()),
                table_d(table.begin(), table.end()), dout_d(dout.begin(), dout.end());
            const auto* const offsets = !relative ? nullptr : side == 5 ? small.center() : large.center();
            const kernels::AttentionWeights<float> w{mix ? before.data() : nullptr, mix ? after.data() : nullptr,
                                                     relative ? table.data() : nullptr, offsets};
            const kernels::AttentionWeights<double> wd{mix ? before_d.data() : nullptr, mix ? after_d.data() : nullptr,
                                                       relative ? table_d.data() : nullptr, offsets};

            kernels::detail::Cutter<float> count(nullptr);
            (void)kernels::DotAttentionBackward<Arch>(count, s);
            minivit::Buffer<float> scratch(count.used());
            std::fill_n(scratch.data(), scratch.size(), std::numeric_limits<float>::quiet_NaN());
            kernels::detail::Cutter<float> cut(scratch.data());
            const kernels::DotAttentionBackward<Arch> backward(cut, s);
            Guarded<float> dqkv(s.tokens, 3 * dim, ldq);
            std::vector<float> dbefore(before.size()), dafter(after.size()), dtable(table.size());
            backward.run(dqkv.data(), {.mix_before = dbefore.data(), .mix_after = dafter.data(), .table = dtable.data()},
                         dout.data(), ldo, qkv.data(), ldq, w);

            std::vector<double> expected(wide.size()), ebefore(before.size()), eafter(after.size()), etable(table.size()),
                work(static_cast<std::size_t>(6 * heads * s.tokens));
            kernels::reference::attention_backward<double>(
                expected.data(), {.mix_before = ebefore.data(), .mix_after = eafter.data(), .table = etable.data()},
                dout_d.data(), ldo, wide.data(), ldq, s, wd, work.data());
            INFO("mix " << mix << " relative " << relative << " extra " << extra << " side " << side << " heads " << heads
                        << " head_dim " << head_dim);
            const auto distance = [](Index n, auto found, auto exact) {
              double wrong = 0, size = 0;
              for (Index i = 0; i < n; ++i) {
                wrong += std::pow(static_cast<double>(found(i)) - exact(i), 2);
                size += std::pow(exact(i), 2);
              }
              return std::sqrt(wrong / size);
            };
            for (Index part = 0; part < 3; ++part)  // of q, of k, of v
              CHECK(distance(
                        s.tokens * dim, [&](Index i) { return dqkv(i / dim, part * dim + i % dim); },
                        [&](Index i) { return expected[static_cast<std::size_t>(i / dim * ldq + part * dim + i % dim)]; }) <
                    0.01);
            const auto same = [&](const std::vector<float>& found, const std::vector<double>& exact) {
              return distance(
                  static_cast<Index>(found.size()), [&](Index i) { return found[static_cast<std::size_t>(i)]; },
                  [&](Index i) { return exact[static_cast<std::size_t>(i)]; });
            };
            // with one head this is one number, in which most terms cancel
            if (mix) CHECK(same(dbefore, ebefore) < (heads > 1 ? 0.01 : 0.05));
            if (mix) CHECK(same(dafter, eafter) < (heads > 1 ? 0.01 : 0.05));
            if (relative) CHECK(same(dtable, etable) < 0.01);
            CHECK(dqkv.intact());
          }
}

}  // namespace dot_attention_test
