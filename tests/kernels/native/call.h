// Calls of operators as MindSpore makes them, on memory that ends where the tensors end.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "lanes.h"

namespace checks {

using kernels::Index;
using Function = int(int, void**, int*, std::int64_t**, const char**, void*, void*);
// Sizes by the letters that shapes are written with.
using Sizes = std::map<char, Index>;

// An operator, and the shapes of its tensors: a letter or a digit an axis. `S` is the settings of a BatchNorm, `R` and
// `L` those of one with ReLU or no activation behind. Behind + all numbers are positive.
struct Operator {
    const char* name;
    Function* function;
    const char *inputs, *outputs;
};

struct Settings {
    int activation;
    bool is_training;
};

struct Tensor {
    std::vector<std::int64_t> shape;
    std::unique_ptr<float[]> data;
    const char* type = "float32";

    Index size() const;
    bool is_finite() const;
};

// A call of an operator with random inputs, the same for the same sizes; what is not written of its outputs is not a
// number.
struct Call {
    const Operator& called;
    std::vector<Tensor> tensors;
    std::size_t inputs;

    Call(const Operator& called_, const Sizes& sizes, Settings settings);

    int run();
    // The same, with all work done by the thread that calls.
    int run_alone();

    // What the operator has written: outputs, and inputs that it has moved.
    std::vector<float> results() const;
};

}  // namespace checks
