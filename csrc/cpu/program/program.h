// A step, recorded once and run many times: a list of operations on buffers that stay where they are.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "cpu/program/runtime.h"

namespace genlib {

// What changes from run to run is read through pointers. An operation allocates nothing while it runs; it
// throws ArgumentError, before it has changed anything, where a count or an index does not fit its buffers.
using Operation = std::function<void(Runtime&)>;

class Program {
 public:
  explicit Program(std::shared_ptr<Runtime> runtime) : runtime_(std::move(runtime)) {}

  Runtime& runtime() { return *runtime_; }
  void add(Operation operation) { operations_.push_back(std::move(operation)); }
  // Weights that one run reads once each: whether they fit into a cache decides how they are best read.
  void add_weight(size_t bytes) { weight_bytes_ += bytes; }
  size_t size() const { return operations_.size(); }

  void run() {
    const auto guard = runtime_->lock();
    const ThreadPool::Piece piece(runtime_->pool(), usual_);
    runtime_->set_working_set(weight_bytes_);
    for (const Operation& operation : operations_) operation(*runtime_);
  }

 private:
  std::shared_ptr<Runtime> runtime_;
  std::vector<Operation> operations_;
  size_t weight_bytes_ = 0;
  Usual usual_;
};

}  // namespace genlib
