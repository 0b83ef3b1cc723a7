// SPDX-License-Identifier: MIT
// Trainer: one optimisation step on one batch. Model, optional teacher, loss, optimiser and schedule are plain values.
//
// A batch is cut into micro-batches whose size depends on the model only; each is computed from end to end by one thread
// with a gradient of its own, and the gradients are added in the order of the images. So there is no barrier inside a
// micro-batch, the step is bit-identical for every number of threads, and memory grows with threads, not with the batch.
#pragma once

#include <minivit/models/packed_weights.hpp>
#include <minivit/train/adamw.hpp>
#include <minivit/train/divergence.hpp>
#include <minivit/train/losses.hpp>
#include <minivit/train/metrics.hpp>
#include <minivit/train/schedule.hpp>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace minivit::inline MINIVIT_ISA {

/// Everything about training that is not a model.
template <class Loss>
struct TrainerOptions {
  Loss loss{};
  AdamW optimiser{};
  CosineSchedule schedule{};  ///< the rate of each step; `optimiser.lr` is not used
  double drop_path = 0;       ///< largest stochastic depth rate, of the last layer; in [0, 1)
  std::uint64_t seed = 0;     ///< of stochastic depth
  int threads = 0;            ///< 0: all the process may use
  Index micro_batch = 0;      ///< images computed together; 0: about 512 tokens' worth
  /// keep: backward finds all that forward computed. recompute: it runs each layer's forward again, a third more work in less
  /// than half of the memory, with the same bits.
  Memory memory = Memory::keep;
};

/// What one step did.
struct StepReport {
  LossValues loss{};         ///< mean over the batch, before the update
  double lr = 0;
  double gradient_norm = 0;  ///< before clipping
  Index images = 0;
  Index correct = 0;         ///< images whose best class is the best class of their target
};

namespace detail {
/// The default loss: plain cross-entropy without a teacher, Mini-DeiT's distillation with one.
template <class Teacher>
using DefaultLoss = std::conditional_t<std::is_void_v<Teacher>, SoftTargetCrossEntropy, DeiTDistillation>;

/// A teacher's packed weights, or nothing.
template <class Teacher, class W>
struct TeacherWeights {
  using type = PackedWeights<Teacher, Packed<W, typename Teacher::Scalar>, W>;
};
template <class W>
struct TeacherWeights<void, W> {
  struct type {};
};

}  // namespace detail

/// Trains `Student`, with the predictions of `Teacher` when there is one (same image size and classes). `Loss` is called as
/// loss(LossInputs, dlogits, ddistilled) and adds to the gradients; see train/losses.hpp.
///
/// W is what the products of both models multiply: the student's own type, or bf16. With bf16 the weights, what the layers hand
/// on and what backward keeps are rounded to bf16 before they are multiplied; sums, master weights, gradients, the residual
/// stream, layer norm, softmax, attention's backward and the optimiser stay in float32 (Micikevicius et al. 2018, without loss
/// scaling, which bf16's range does not need).
template <class Student, class Teacher = void, class Loss = detail::DefaultLoss<Teacher>, class W = typename Student::Scalar>
class Trainer {
  using T = typename Student::Scalar;
  static_assert(std::is_same_v<W, T> || (std::is_same_v<W, bf16> && std::is_same_v<T, float>),
                "Trainer: W, what products multiply, must be the student's own type, or bf16 for a student in float");
  using Net = ViTNet<Student::config, Trainable<W, T>>;
  static constexpr int K = Student::config.classes;
  static constexpr bool distils = !std::is_void_v<Teacher>;
  static constexpr bool two_heads = Student::config.distilled;

 public:
  using Images = typename Student::Images;
  using Targets = View<const T, Dyn, K>;
  using Options = TrainerOptions<Loss>;

  /// Updates `student` in place; it must outlive the trainer. Throws Error for options out of range.
  explicit Trainer(Student& student, Options options = {})
    requires(!distils)
      : student_(student), options_(checked(std::move(options))), threads_(options_.threads), state_(student.size()) {
    reserve();
  }
  /// Copies what it needs of `teacher`. The teacher gets no gradient and runs without stochastic depth.
  Trainer(Student& student, const std::conditional_t<distils, Teacher, int>& teacher, Options options = {})
    requires(distils)
      : student_(student), options_(checked(std::move(options))), threads_(options_.threads), state_(student.size()) {
    static_assert(Teacher::config.image == Student::config.image && Teacher::config.channels == Student::config.channels,
                  "Trainer: teacher and student must read images of the same size");
    static_assert(Teacher::config.classes == K, "Trainer: teacher and student must know the same classes");
    teacher_.pack(teacher, threads_);
    reserve();
  }

  /// One step: forward, loss, backward, clipping, AdamW. `targets` [B, K] are soft targets; each row sums to one. Throws Error, and
  /// leaves the student as it was, when the loss or a gradient is not finite.
  StepReport step(Images images, Targets targets) {
    const StepReport report = accumulate(images, targets);
    const double scale = clip_factor(report.gradient_norm, options_.optimiser.clip_norm);
    const Profile::Scope profile("optimiser");
    minivit::step(options_.optimiser, state_, Student::parameter_table(), student_.data(), gradients_.data(), report.lr, scale, threads_);
    return report;
  }

  /// Forward and backward only: fills `gradients()` for the batch.
  StepReport accumulate(Images images, Targets targets) {
    const Index batch = images.batch();
    if (batch < 1 || targets.batch() != batch)
      fail({.where = "Trainer", .what = "targets do not fit the images", .expected = std::to_string(batch) + " rows, at least 1",
            .found = std::to_string(targets.batch())});
    {
      const Profile::Scope profile("pack weights");
      weights_.pack(student_, threads_);
    }
    std::fill(gradients_.data(), gradients_.data() + gradients_.size(), T{0});
    if (std::exchange(interrupted_, true))  // an exception left the gradients of half a batch behind
      for (const auto& slot : slots_) std::fill(slot->gradients.data(), slot->gradients.data() + slot->gradients.size(), T{0});
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
    report.gradient_norm = global_norm(Student::parameter_table(), gradients_.data(), threads_);
    if (!std::isfinite(report.loss.total) || !std::isfinite(report.gradient_norm)) fail_diverged(report, images, targets);
    return report;
  }

  Student& student() { return student_; }
  /// Of the last batch, before clipping.
  const Student& gradients() const { return gradients_; }
  /// The optimiser's memory and the number of steps taken: together with the student all that a resumed run needs.
  AdamWState<T>& state() { return state_; }
  const AdamWState<T>& state() const { return state_; }
  const Options& options() const { return options_; }
  Index micro_batch() const { return micro_batch_; }

  /// Bytes of working memory for each image that is computed at the same time.
  Index bytes_per_image() const { return slots_.front()->memory.size() * static_cast<Index>(sizeof(T)) / micro_batch_; }
  /// Bytes of everything but the student: moments, gradients, packed weights, working memory.
  Index bytes() const {
    Index total = (2 + 1 + static_cast<Index>(slots_.size())) * student_.size() * static_cast<Index>(sizeof(T)) + weights_.bytes();
    for (const auto& slot : slots_) total += slot->memory.size() * static_cast<Index>(sizeof(T));
    if constexpr (distils) total += teacher_.bytes();
    return total;
  }

 private:
  /// What one thread needs for one micro-batch.
  struct Slot {
    Student gradients;
    Buffer<T> memory;
    LossValues loss;
    Index correct = 0;

    void compute(const Trainer& trainer, Images images, Targets targets, Index first_image, Index batch) {
      Arena<T> arena(memory.data(), memory.size(), trainer.options_.memory);
      run(trainer, gradients, images, targets, first_image, batch, arena, loss, correct);
    }
  };

  /// Forward, loss and backward of one micro-batch.
  static void run(const Trainer& trainer, Student& gradients, Images images, Targets targets, Index first_image, Index batch,
                  Arena<T>& arena, LossValues& loss, Index& correct) {
    const Index size = images.batch();
    const auto take = [&](bool used) { return arena.template take<Dyn, K>(used ? size : 0); };
    const typename Net::Output out{take(true), take(two_heads)}, dout{take(true), take(two_heads)};
    std::fill(dout.logits.begin(), dout.logits.end(), T{0});
    std::fill(dout.distilled.begin(), dout.distilled.end(), T{0});
    LossInputs<T, K> in{.logits = out.logits, .targets = targets, .batch_total = batch};
    if constexpr (two_heads) in.distilled_logits = out.distilled;
    in.teacher_logits = teach(trainer, images, arena);
    const auto saved = trainer.weights_.net().forward(images, out, arena, trainer.stochastic_depth(first_image));
    loss = trainer.options_.loss(in, dout.logits, dout.distilled);
    correct = 0;
    for (Index b = 0; b < size; ++b) correct += argmax(View<const T, K>(out.logits[b].data())) == argmax(targets[b]);
    trainer.weights_.net().backward(saved, dout, gradients.net(), arena);
  }

  /// Of this step, for images from number `first_image` of the batch on.
  StochasticDepth stochastic_depth(Index first_image) const {
    return {options_.drop_path, Random(options_.seed).fork("drop_path").fork(static_cast<std::uint64_t>(state_.step)), first_image};
  }

  /// The teacher's logits, averaged over two heads if it has them; nothing without a teacher.
  static View<const T, Dyn, K> teach(const Trainer& trainer, Images images, Arena<T>& arena) {
    if constexpr (distils) {
      const Profile::Scope profile("teacher");
      const Index batch = images.batch();
      const auto logits = arena.template take<Dyn, K>(batch);
      const auto scope = arena.scratch();
      Arena<T> inner(arena.raw(teacher_size(batch)), teacher_size(batch), Memory::rewind);
      const auto second = inner.template take<Dyn, K>(Teacher::config.distilled ? batch : 0);
      trainer.teacher_.net().forward(images, {logits, second}, inner);
      if constexpr (Teacher::config.distilled)
        for (Index i = 0; i < logits.size(); ++i) logits.data()[i] = (logits.data()[i] + second.data()[i]) / T{2};
      return logits;
    } else {
      return {};
    }
  }

  /// Elements of the teacher's arena for `batch` images.
  static constexpr Index teacher_size(Index batch) {
    if constexpr (distils) {
      Arena<T> arena(Memory::rewind);
      typename detail::TeacherWeights<Teacher, W>::type::Net net;
      const auto second = arena.template take<Dyn, K>(Teacher::config.distilled ? batch : 0);
      net.forward(Images(nullptr, batch), {View<T, Dyn, K>(nullptr, batch), second}, arena);
      return arena.peak();
    } else {
      return 0;
    }
  }

  /// Elements of a slot's arena.
  static constexpr Index memory_size(Index batch, Memory memory) {
    Arena<T> arena(memory);
    const auto take = [&](bool used) { return arena.template take<Dyn, K>(used ? batch : 0); };
    const typename Net::Output out{take(true), take(two_heads)}, dout{take(true), take(two_heads)};
    if constexpr (distils) {
      take(true);
      const auto scope = arena.scratch();
      arena.raw(teacher_size(batch));
    }
    const auto saved = Net{}.forward(Images(nullptr, batch), out, arena);
    Net{}.backward(saved, dout, typename Student::Net{}, arena);
    return arena.peak();
  }

  static Options checked(Options options) {
    options.optimiser.check();
    options.schedule.check();
    if (!(options.drop_path >= 0 && options.drop_path < 1))
      fail({.where = "Trainer", .what = "drop_path", .expected = "0 <= drop_path < 1", .found = std::to_string(options.drop_path)});
    if (options.memory == Memory::rewind)
      fail({.where = "Trainer", .what = "memory", .expected = "Memory::keep or Memory::recompute", .found = "Memory::rewind"});
    if (options.micro_batch < 0)
      fail({.where = "Trainer", .what = "micro_batch", .expected = "0 or more", .found = std::to_string(options.micro_batch)});
    return options;
  }

  void reserve() {
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
        if (distils && !bad) bad = detail::first_bad_row(teach(*this, part, arena), "the teacher's output, image", at);
        if (!bad) bad = detail::first_bad_layer(weights_.net(), part, stochastic_depth(at), arena);
      }
      if (bad)
        fail({.where = where, .what = "the loss is not finite; the first bad value is in " + bad->place, .found = bad->value, .hint = hint});
      fail({.where = where, .what = "the loss is not finite, although all that it was computed from is",
            .found = std::to_string(report.loss.total), .hint = "nothing was changed; look into the loss function"});
    }
    const ParameterTable& table = Student::parameter_table();
    for (auto p = table.rbegin(); p != table.rend(); ++p)  // backward comes from the end
      if (const auto bad = detail::first_bad(gradients_.data() + p->offset, p->size, [](Index i) { return std::to_string(i); }))
        fail({.where = where, .what = "the gradient of '" + p->name + "' is not finite at element " + bad->place, .found = bad->value,
              .hint = hint});
    fail({.where = where, .what = "the norm of the gradient is not finite", .hint = "nothing was changed"});
  }

  Student& student_;
  Options options_;
  Threads threads_;
  AdamWState<T> state_;
  PackedWeights<Student, Trainable<W, T>, W> weights_;
  [[no_unique_address]] typename detail::TeacherWeights<Teacher, W>::type teacher_;
  Student gradients_;
  Index micro_batch_ = 1;
  bool interrupted_ = false;  // between the first micro-batch and the last
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace minivit::inline MINIVIT_ISA
