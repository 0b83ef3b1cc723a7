// SPDX-License-Identifier: MIT
// PackedWeights: a model's parameters in the form the kernels want, as the same tree of layers over another storage. Owns
// its memory, so the model may change or go away afterwards.
#pragma once

#include <minivit/core/threads.hpp>
#include <minivit/models/network.hpp>

#include <algorithm>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// Panels of W for every matrix and copies of T for everything else. S: Packed or Trainable storage with elements W.
template <class Model, class S, class W>
class PackedWeights {
  using T = typename Model::Scalar;

 public:
  using Net = typename Model::template NetOver<S>;  ///< the layers over S

  /// Reserves memory for every parameter and makes nothing of it yet: call pack().
  PackedWeights() : panels_(total<true>()), vectors_(total<false>()) {
    kernels::touch_gelu_constants<typename S::Arch, T>();
    W* panel = panels_.data();
    T* vector = vectors_.data();
    std::size_t row = 0;
    jobs_.reserve(Model::parameter_table().size());
    Net::visit(net_, Name{}, [&](const Name&, auto& p) {
      using P = std::remove_reference_t<decltype(p)>;
      const Index offset = Model::parameter_table()[row++].offset;
      if constexpr (is_matrix<P>) {
        add({&p, panel, offset, 0,
             [](void* matrix, W* memory, const T* source) { static_cast<P*>(matrix)->pack(memory, source); }});
        panel += P::size();
      } else {
        p = P(vector);
        add({vector, nullptr, offset, p.size(), nullptr});
        vector += aligned_count<T>(p.size());
      }
    });
  }
  PackedWeights(const PackedWeights&) = delete;
  PackedWeights& operator=(const PackedWeights&) = delete;

  /// Copies and packs every parameter of `model`. Does not allocate.
  void pack(const Model& model, const Threads& threads) {
    threads.for_each(static_cast<Index>(jobs_.size()), [&](Index i) {
      const Job& job = jobs_[static_cast<std::size_t>(i)];
      job.run(model.data() + job.offset);
    });
  }
  /// The same without a model in memory: each thread holds one parameter at a time.
  template <ParameterSource<T> Source>
  void pack(const Source& source, const Threads& threads) {
    const ParameterTable& table = Model::parameter_table();
    const Index largest = aligned_count<T>(std::ranges::max(table, {}, &ParameterInfo::size).size);
    Buffer<T> memory(largest * threads.count());
    threads.for_each(static_cast<Index>(jobs_.size()), [&](Index i, int worker) {
      T* const one = memory.data() + worker * largest;
      source(table[static_cast<std::size_t>(i)], one);
      jobs_[static_cast<std::size_t>(i)].run(one);
    });
  }

  const Net& net() const { return net_; }  ///< valid, and the same after every pack(), as long as this object
  /// Calls f(name, matrix) for every packed matrix.
  template <class F>
  void visit_matrices(F&& f) {
    Net::visit(net_, Name{}, [&](const Name& name, auto& p) {
      if constexpr (is_matrix<std::remove_reference_t<decltype(p)>>) f(name, p);
    });
  }
  /// Bytes held.
  Index bytes() const {
    return panels_.size() * static_cast<Index>(sizeof(W)) + vectors_.size() * static_cast<Index>(sizeof(T));
  }

 private:
  struct Job {
    void* target;  // the matrix to point at its panels, or the copy of a vector
    W* memory;
    Index offset;  // in the model's slab
    Index count;
    void (*pack)(void*, W*, const T*);

    void run(const T* source) const {
      if (pack) pack(target, memory, source);
      else std::copy_n(source, count, static_cast<T*>(target));
    }
  };

  [[gnu::noinline]] void add(const Job& job) { jobs_.push_back(job); }  // called for each type of parameter

  template <class P>
  static constexpr bool is_matrix = requires {
    typename P::Element;
  };

  template <bool Matrices>
  static constexpr Index total() {
    Index sum = 0;
    Net net;
    Net::visit(net, Name{}, [&](const Name&, const auto& p) {
      using P = std::remove_cvref_t<decltype(p)>;
      if constexpr (is_matrix<P>) sum += Matrices ? P::size() : 0;
      else sum += Matrices ? 0 : aligned_count<T>(p.size());
    });
    return sum;
  }

  Buffer<W> panels_;
  Buffer<T> vectors_;
  Net net_;
  std::vector<Job> jobs_;
};

}  // namespace minivit::inline MINIVIT_ISA
