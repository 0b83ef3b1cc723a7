// SPDX-License-Identifier: MIT
// The same products by oneDNN's matmul, weights packed in the layout that it prefers. Without oneDNN (Debian: libdnnl-dev)
// the peer is absent.
#pragma once

#include <minivit/kernels/dot/element.hpp>

#include <cstdio>
#include <string>
#include <unordered_map>
#include <vector>

#ifdef MINIVIT_HAS_ONEDNN
#include <dnnl.hpp>
#endif

#ifdef MINIVIT_HAS_ONEDNN

inline const char* onednn_version() {
  static const std::string text = [] {
    const auto* const v = dnnl_version();
    return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
  }();
  return text.c_str();
}

/// y [m, n] = act(x W + b) in W: float to float, bf16 to bf16, 8 bits (one scale per channel) to float.
template <class W>
class OneDnn {
  using Dt = dnnl::memory::data_type;
  using Tag = dnnl::memory::format_tag;
  static constexpr bool is_bf16 = std::is_same_v<W, minivit::bf16>, is_int8 = std::is_same_v<W, minivit::int8>;

 public:
  static constexpr bool present = true;

  OneDnn(minivit::Index m, minivit::Index n, minivit::Index k, bool gelu) : stream_(engine_) {
    const dnnl::memory::desc x({m, k},
                               is_bf16   ? Dt::bf16
                               : is_int8 ? Dt::u8
                                         : Dt::f32,
                               Tag::ab),
        any({k, n},
            is_bf16   ? Dt::bf16
            : is_int8 ? Dt::s8
                      : Dt::f32,
            Tag::any),
        bias({1, n}, Dt::f32, Tag::ab), y({m, n}, is_bf16 ? Dt::bf16 : Dt::f32, Tag::ab);
    dnnl::primitive_attr attributes;
    if (is_int8) attributes.set_output_scales(1 << 1, std::vector<float>(static_cast<std::size_t>(n), 0.01f));
    if (gelu) {
      dnnl::post_ops after;
      after.append_eltwise(1.f, dnnl::algorithm::eltwise_gelu_erf, 0.f, 0.f);
      attributes.set_post_ops(after);
    }
    const dnnl::matmul::primitive_desc description(dnnl::matmul::desc(x, any, bias, y), attributes, engine_);
    product_ = dnnl::matmul(description);
    arguments_ = {{DNNL_ARG_SRC, dnnl::memory(x, engine_)},
                  {DNNL_ARG_WEIGHTS, dnnl::memory(description.weights_desc(), engine_)},
                  {DNNL_ARG_BIAS, dnnl::memory(bias, engine_)},
                  {DNNL_ARG_DST, dnnl::memory(y, engine_)}};
    // fresh memory is zero, and its time depends on its type only
    for (int i = 0; i < 3; ++i) run();
  }
  void run() {
    product_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_;
  dnnl::matmul product_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

#else

inline const char* onednn_version() { return "not installed"; }

template <class W>
struct OneDnn {
  static constexpr bool present = false;
  OneDnn(minivit::Index, minivit::Index, minivit::Index, bool) {}
  void run() {}
};

#endif
