// SPDX-License-Identifier: MIT
// Trainer: one optimisation step on one batch. Model, optional teacher, loss, optimiser and schedule are plain values.
//
// A batch is cut into micro-batches whose size depends on the model only; each is computed from end to end by one thread
// with a gradient of its own, and the gradients are added in the order of the images. So there is no barrier inside a
// micro-batch, the step is bit-identical for every number of threads, and memory grows with threads, not with the batch.
#pragma once

#include <minivit/models/packed_weights.hpp>
#include <minivit/train/divergence.hpp>
#include <minivit/train/fitting.hpp>
#include <minivit/train/metrics.hpp>
#include <minivit/train/trainer_options.hpp>

#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

namespace detail {
/// The default loss: plain cross-entropy without a teacher, Mini-DeiT's distillation with one.
template <class Teacher>
using DefaultLoss = std::conditional_t<std::is_void_v<Teacher>, SoftTargetCrossEntropy, DeiTDistillation>;
}  // namespace detail

/// Trains `Student`, with the predictions of `Teacher` when there is one (same image size and classes), and with its
/// attention and hidden states when `Loss` is a WeightDistillation. `Loss` is called as loss(LossInputs, dlogits,
/// ddistilled) and adds to the gradients; see train/losses.hpp. A batch of any size needs the memory of one micro-batch for
/// each thread, so gradient accumulation is no option: it is how every batch is computed.
///
/// W is what the products of both models multiply: the student's own type, or bf16. With bf16 the weights, what the layers
/// hand on and what backward keeps are rounded to bf16 before they are multiplied; sums, master weights, gradients, the
/// residual stream, layer norm, softmax, attention's backward and the optimiser stay in float32 (Micikevicius et al. 2018,
/// without loss scaling, which bf16's range does not need).
template <class Student, class Teacher = void, class Loss = detail::DefaultLoss<Teacher>, class W = typename Student::Scalar>
class Trainer {
  using T = typename Student::Scalar;
  static_assert(std::is_same_v<W, T> || (std::is_same_v<W, bf16> && std::is_same_v<T, float>),
                "Trainer: W, what products multiply, must be the student's own type, or bf16 for a student in float");
  using Net = typename Student::template NetOver<Trainable<W, T>>;
  static constexpr int K = Student::config.classes;
  static constexpr bool distils = !std::is_void_v<Teacher>;
  static constexpr bool two_heads = Student::distilled;
  using Parts = detail::TeacherParts<Student, Teacher, Loss, W>;

 public:
  using Model = Student;                    ///< what is trained
  using Images = typename Student::Images;  ///< [B, channels, image, image], normalised
  using Targets = View<const T, Dyn, K>;    ///< [B, classes], soft targets
  using Options = TrainerOptions<Loss>;     ///< with the options of this loss

  /// Updates `student` in place; it must outlive the trainer. Throws Error for options out of range.
  explicit Trainer(Student& student, Options options = {}) requires(!distils)
      : student_(student),
        options_(checked(std::move(options))),
        threads_(options_.threads),
        state_(student.size()),
        fit_(options_.seed) {
    static_assert(
        !requires(Loss loss) { loss.terms; }, "Trainer: a loss with feature terms needs a teacher");
    reserve();
  }
  /// Copies what it needs of `teacher`. The teacher gets no gradient and runs without stochastic depth.
  Trainer(Student& student, const std::conditional_t<distils, Teacher, int>& teacher, Options options = {}) requires(distils)
      : student_(student),
        options_(checked(std::move(options))),
        threads_(options_.threads),
        state_(student.size()),
        fit_(options_.seed) {
    static_assert(Teacher::config.image == Student::config.image && Teacher::config.channels == Student::config.channels,
                  "Trainer: teacher and student must read images of the same size");
    static_assert(Teacher::config.classes == K, "Trainer: teacher and student must know the same classes");
    check_terms();
    teacher_.pack(teacher, threads_);
    reserve();
  }

  /// One step: forward, loss, backward, clipping, AdamW. `targets` [B, K] are soft targets; each row sums to one. Throws
  /// Error, and leaves the student as it was, when the loss or a gradient is not finite.
  StepReport step(Images images, Targets targets) {
    const StepReport report = accumulate(images, targets);
    const double scale = clip_factor(report.gradient_norm, options_.optimiser.clip_norm);
    const Profile::Scope profile("optimiser");
    minivit::step(options_.optimiser, state_, Student::parameter_table(), student_.data(), gradients_.data(), report.lr,
                  scale, threads_, options_.rate_scales);
    if constexpr (Parts::Fit::size > 0)
      minivit::step(options_.optimiser, fit_.state, fit_.table(), fit_.weights.data(), fit_.gradients.data(), report.lr,
                    scale, threads_);
    if (average_)
      update_average(average_->data(), student_.data(), student_.size(), options_.average.at(state_.step), threads_);
    return report;
  }

  /// Forward and backward only: fills `gradients()` for the batch.
  StepReport accumulate(Images images, Targets targets) {
    const Index batch = images.batch();
    if (batch < 1 || targets.batch() != batch)
      fail({.where = "Trainer",
            .what = "targets do not fit the images",
            .expected = std::to_string(batch) + " rows, at least 1",
            .found = std::to_string(targets.batch())});
    {
      const Profile::Scope profile("pack weights");
      weights_.pack(student_, threads_);
    }
    std::fill(gradients_.data(), gradients_.data() + gradients_.size(), T{0});
    if constexpr (Parts::Fit::size > 0) std::fill_n(fit_.gradients.data(), fit_.gradients.size(), T{0});
    if (std::exchange(interrupted_, true))  // an exception left the gradients of half a batch behind
      for (const auto& slot : slots_) {
        std::fill_n(slot->gradients.data(), slot->gradients.size(), T{0});
        std::fill_n(slot->fit_gradients.data(), slot->fit_gradients.size(), T{0});
      }
    const Index pieces = (batch + micro_batch_ - 1) / micro_batch_;
    const auto workers = static_cast<Index>(slots_.size());
    StepReport report{.lr = options_.schedule.at(state_.step), .images = batch};
    for (Index first = 0; first < pieces; first += workers) {
      const Index count = std::min(workers, pieces - first);
      threads_.for_each(count, [&](Index s) {
        const Index at = (first + s) * micro_batch_;
        const Index size = std::min(micro_batch_, batch - at);
        slots_[static_cast<std::size_t>(s)]->compute(*this, images.slice(at, size), targets.slice(at, size), at, batch);
      });
      add_gradients(count);
      for (Index s = 0; s < count; ++s) {
        report.loss += slots_[static_cast<std::size_t>(s)]->loss;
        report.correct += slots_[static_cast<std::size_t>(s)]->correct;
      }
    }
    interrupted_ = false;
    const Profile::Scope profile("gradient norm");
    report.gradient_norm = global_norm(Student::parameter_table(), gradients_.data(), threads_, options_.rate_scales);
    if constexpr (Parts::Fit::size > 0)
      report.gradient_norm = std::hypot(report.gradient_norm, global_norm(fit_.table(), fit_.gradients.data(), threads_));
    if (!std::isfinite(report.loss.total) || !std::isfinite(report.gradient_norm)) fail_diverged(report, images, targets);
    return report;
  }

  Student& student() { return student_; }  ///< the model in training; do not change it during step()
  /// Of the last batch, before clipping.
  const Student& gradients() const { return gradients_; }
  /// The same of the fitting layers.
  const T* fitting_gradients() const requires(Parts::Fit::size > 0) { return fit_.gradients.data(); }
  /// The moving average of the weights; null unless options().average is on. It begins as a copy of the student's first
  /// weights.
  const Student* average() const { return average_.get(); }
  /// Everything that a resumed run needs besides state().step: calls f(prefix, table, data) for the student's weights (no
  /// prefix), both moments, the moving average and the fitting layers, as far as there are any.
  template <class F>
  void visit_state(F&& f) {
    const ParameterTable& table = Student::parameter_table();
    f("", table, student_.data());
    f("optimiser.m.", table, state_.m.data());
    f("optimiser.v.", table, state_.v.data());
    if (average_) f("average.", table, average_->data());
    if constexpr (Parts::Fit::size > 0) {
      f("fitting.weights.", fit_.table(), fit_.weights.data());
      f("fitting.optimiser.m.", fit_.table(), fit_.state.m.data());
      f("fitting.optimiser.v.", fit_.table(), fit_.state.v.data());
    }
  }
  /// Goes on after `step` optimiser steps, whose results visit_state has put in place.
  void set_step(Index step) {
    state_.step = step;
    if constexpr (Parts::Fit::size > 0) fit_.state.step = step;
  }
  /// The optimiser's memory and the number of steps taken.
  const AdamWState<T>& state() const { return state_; }
  const Options& options() const { return options_; }  ///< as given
  Index micro_batch() const { return micro_batch_; }   ///< images that one thread computes together

  /// Bytes of working memory for each image that is computed at the same time.
  Index bytes_per_image() const { return slots_.front()->memory.size() * static_cast<Index>(sizeof(T)) / micro_batch_; }
  /// Bytes of everything but the student: moments, gradients, packed weights, working memory.
  Index bytes() const {
    const Index copies = 2 + 1 + (average_ ? 1 : 0) + static_cast<Index>(slots_.size());
    Index total = (copies * student_.size() + (4 + static_cast<Index>(slots_.size())) * Parts::Fit::size) *
                      static_cast<Index>(sizeof(T)) +
                  weights_.bytes();
    for (const auto& slot : slots_) total += slot->memory.size() * static_cast<Index>(sizeof(T));
    if constexpr (distils) total += teacher_.bytes();
    return total;
  }

 private:
  /// What one thread needs for one micro-batch.
  struct Slot {
    Student gradients;
    Buffer<T> fit_gradients = Buffer<T>(Parts::Fit::size);
    Buffer<T> memory;
    LossValues loss;
    Index correct = 0;

    void compute(const Trainer& trainer, Images images, Targets targets, Index first_image, Index batch) {
      Arena<T> arena(memory.data(), memory.size(), trainer.options_.memory);
      run(trainer, images, targets, first_image, batch, arena);
    }

    /// Forward, loss and backward of one micro-batch.
    void run(const Trainer& trainer, Images images, Targets targets, Index first_image, Index batch, Arena<T>& arena) {
      const Index size = images.batch();
      const auto take = [&](bool used) { return arena.template take<Dyn, K>(used ? size : 0); };
      const typename Net::Output out{take(true), take(two_heads)}, dout{take(true), take(two_heads)};
      std::fill(dout.logits.begin(), dout.logits.end(), T{0});
      std::fill(dout.distilled.begin(), dout.distilled.end(), T{0});
      LossInputs<T, K> in{.logits = out.logits, .targets = targets, .batch_total = batch};
      if constexpr (two_heads) in.distilled_logits = out.distilled;
      typename Parts::Features features{};
      if constexpr (distils) in.teacher_logits = trainer.teacher_(images, features, arena);
      const auto saved = trainer.weights_.net().forward(images, out, arena, trainer.stochastic_depth(first_image));
      loss = trainer.options_.loss(in, dout.logits, dout.distilled);
      correct = 0;
      for (Index b = 0; b < size; ++b) correct += argmax(View<const T, K>(out.logits[b].data())) == argmax(targets[b]);
      if constexpr (distils) {
        const auto terms = detail::feature_terms(trainer.options_.loss);
        const typename Parts::Tap tap{{}, terms, features, batch, trainer.fit_.weights.data(), fit_gradients.data(), &loss};
        trainer.weights_.net().backward(saved, dout, gradients.net(), arena, tap);
      } else {
        trainer.weights_.net().backward(saved, dout, gradients.net(), arena);
      }
    }
  };

  /// Of this step, for images from number `first_image` of the batch on.
  StochasticDepth stochastic_depth(Index first_image) const {
    return {options_.drop_path, Random(options_.seed).fork("drop_path").fork(static_cast<std::uint64_t>(state_.step)),
            first_image};
  }

  /// Elements of a slot's arena.
  static constexpr Index memory_size(Index batch, Memory memory) {
    Arena<T> arena(memory);
    const auto take = [&](bool used) { return arena.template take<Dyn, K>(used ? batch : 0); };
    const typename Net::Output out{take(true), take(two_heads)}, dout{take(true), take(two_heads)};
    typename Parts::Features features{};
    if constexpr (distils) features = Parts::Running::plan(batch, arena);
    const auto saved = Net{}.forward(Images(nullptr, batch), out, arena);
    if constexpr (distils) {
      const typename Parts::Terms terms{};
      Net{}.backward(saved, dout, typename Student::Net{}, arena, typename Parts::Tap{{}, terms, features});
    } else {
      Net{}.backward(saved, dout, typename Student::Net{}, arena);
    }
    return arena.peak();
  }

  static Options checked(Options options) {
    options.check();
    if (!options.rate_scales.empty() && options.rate_scales.size() != Student::parameter_table().size())
      fail({.where = "Trainer",
            .what = "rate_scales do not fit the student",
            .expected = std::to_string(Student::parameter_table().size()) + " factors",
            .found = std::to_string(options.rate_scales.size())});
    return options;
  }

  /// The static_asserts of every term.
  static constexpr void check_terms() {  // not consteval: clang 14 would want it before it is defined
    if constexpr (distils)
      std::apply(
          [](const auto&... term) {
            (std::remove_cvref_t<decltype(term)>::template check<Student::config, Teacher::config>(), ...);
          },
          typename Parts::Terms{});
  }

  void reserve() {
    if (options_.average.on()) {
      average_ = std::make_unique<Student>();
      std::copy_n(student_.data(), student_.size(), average_->data());
    }
    micro_batch_ = options_.micro_batch > 0 ? options_.micro_batch : std::max<Index>(1, 512 / Student::tokens);
    for (int i = 0; i < threads_.count(); ++i) {
      slots_.push_back(std::make_unique<Slot>());
      slots_.back()->memory = Buffer<T>(memory_size(micro_batch_, options_.memory));
    }
  }

  /// gradients_ += slot 0, slot 1, ... in this order, and clears the slots.
  void add_gradients(Index count) {
    const Profile::Scope profile("add gradients");
    threads_.for_ranges(gradients_.size(), Index{16384}, [&](Index begin, Index end) {
      for (Index s = 0; s < count; ++s) {
        T* const part = slots_[static_cast<std::size_t>(s)]->gradients.data();
        kernels::add<simd::best>(gradients_.data() + begin, part + begin, end - begin);
        std::fill(part + begin, part + end, T{0});
      }
    });
    if constexpr (Parts::Fit::size > 0)
      for (Index s = 0; s < count; ++s) {
        auto& part = slots_[static_cast<std::size_t>(s)]->fit_gradients;
        kernels::add<simd::best>(fit_.gradients.data(), part.data(), part.size());
        std::fill(part.data(), part.data() + part.size(), T{0});
      }
  }

  /// Names the first value that is not finite on the way to the loss, or where the gradient went wrong.
  [[noreturn]] void fail_diverged(const StepReport& report, Images images, Targets targets) {
    const std::string where = "training step " + std::to_string(state_.step);
    std::string hint = "nothing was changed; try a lower learning rate or gradient clipping";
    if (!std::isfinite(report.loss.total)) {
      auto bad = detail::first_bad_row(images, "image");
      if (!bad) bad = detail::first_bad_row(targets, "target");
      if (bad) hint = "nothing was changed; look into the data";
      if (!bad) bad = detail::first_bad_parameter(Student::parameter_table(), student_.data());
      for (Index at = 0; !bad && at < images.batch(); at += micro_batch_) {
        const Images part = images.slice(at, std::min(micro_batch_, images.batch() - at));
        Buffer<T>& memory = slots_.front()->memory;
        Arena<T> arena(memory.data(), memory.size(), options_.memory);
        if constexpr (distils) {
          typename Parts::Features features{};
          if (!bad) bad = detail::first_bad_row(teacher_(part, features, arena), "the teacher's output, image", at);
        }
        if (!bad) bad = detail::first_bad_layer<Student>(weights_.net(), part, stochastic_depth(at), arena);
      }
      if (bad)
        fail({.where = where,
              .what = "the loss is not finite; the first bad value is in " + bad->place,
              .found = bad->value,
              .hint = hint});
      fail({.where = where,
            .what = "the loss is not finite, although all that it was computed from is",
            .found = std::to_string(report.loss.total),
            .hint = "nothing was changed; look into the loss function"});
    }
    detail::fail_bad_gradient(where, Student::parameter_table(), gradients_.data());
  }

  Student& student_;
  Options options_;
  Threads threads_;
  AdamWState<T> state_;
  PackedWeights<Student, Trainable<W, T>, W> weights_;
  [[no_unique_address]] typename Parts::Running teacher_;
  [[no_unique_address]] typename Parts::Fit fit_;
  std::unique_ptr<Student> average_;
  Student gradients_;
  Index micro_batch_ = 1;
  bool interrupted_ = false;  // between the first micro-batch and the last
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace minivit::inline MINIVIT_ISA
