// Every operator and its gradient, on small and odd shapes.
#include <cmath>
#include <cstring>

#include "bfloat16.h"
#include "call.h"
#include "check.h"

#define DECLARE(name) \
    extern "C" int name(int, void**, int*, std::int64_t**, const char**, void*, void*)

DECLARE(norm);
DECLARE(norm_gradient);
DECLARE(norm_max_pool_same);
DECLARE(norm_max_pool_same_gradient);
DECLARE(norm_max_pool_pad);
DECLARE(norm_max_pool_pad_gradient);
DECLARE(depthwise_norm_1);
DECLARE(depthwise_norm_2);
DECLARE(depthwise_norm_gradient);
DECLARE(norm_depthwise_norm_1);
DECLARE(norm_depthwise_norm_2);
DECLARE(norm_depthwise_norm_gradient);
DECLARE(convolution_1);
DECLARE(convolution_2);
DECLARE(convolution_weight_gradient);
DECLARE(pointwise);
DECLARE(pointwise_gradient);
DECLARE(block_megvii);
DECLARE(block_megvii_gradient);
DECLARE(block_torchvision);
DECLARE(block_torchvision_gradient);

namespace checks {
namespace {

#define ROW(name, inputs, outputs) {#name, name, inputs, outputs}

const char* const kBlock = "NXHW CC11 S C C C +C C1KK L C C C +C CC11 S C C C +C";
const char* const kBlockGradient = "NXHW CC11 S C C C1KK L C C CC11 S C C NCHW NCHW +2C +2C +2C NXHW";
const char* const kBlockOutputs = "NXHW NCHW NCHW 2C 2C 2C";
const char* const kBlockGradients = "NXHW CC11 C C C1KK C C CC11 C C";

// X is 2 C; h and w are the size behind a stride, p and q behind a pool; O are outputs of depth D.
const Operator kAll[] = {
    ROW(norm, "NCHW S C C C +C", "NCHW 2C"),
    ROW(norm_gradient, "NCHW S C C +2C NCHW", "NCHW C C"),
    ROW(norm_max_pool_same, "NCHW R C C C +C", "NCpq 2C"),
    ROW(norm_max_pool_same_gradient, "NCHW R C C +2C NCpq", "NCHW C C"),
    ROW(norm_max_pool_pad, "NCHW R C C C +C", "NCpq 2C"),
    ROW(norm_max_pool_pad_gradient, "NCHW R C C +2C NCpq", "NCHW C C"),
    ROW(depthwise_norm_1, "NCHW C1KK S C C C +C", "NChw 2C"),
    ROW(depthwise_norm_gradient, "NCHW C1KK S C C +2C NChw", "NCHW C1KK C C"),
    ROW(norm_depthwise_norm_2, "NCHW S C C C +C C1KK S C C C +C", "NChw 2C 2C"),
    ROW(norm_depthwise_norm_gradient, "NCHW S C C C1KK S C C +2C +2C NChw", "NCHW C C C1KK C C"),
    ROW(convolution_1, "NCHW OCKK", "NOhw"),
    ROW(convolution_weight_gradient, "NCHW OCKK NOhw", "OCKK"),
    ROW(pointwise, "NCHW OD11", "NOHW"),
    ROW(pointwise_gradient, "NCHW OD11 NOHW", "NCHW OD11"),
    ROW(block_megvii, kBlock, kBlockOutputs),
    ROW(block_megvii_gradient, kBlockGradient, kBlockGradients),
    ROW(block_torchvision, kBlock, kBlockOutputs),
    ROW(block_torchvision_gradient, kBlockGradient, kBlockGradients),
};

struct Case {
    Index images, channels, height, width, kernel, stride, groups, outputs;
    Settings settings;

    Sizes sizes() const {
        const auto reduced = [](Index size, Index by) { return (size - 1) / by + 1; };
        return {{'N', images},
                {'C', channels},
                {'H', height},
                {'W', width},
                {'K', kernel},
                {'X', 2 * channels},
                {'D', channels / groups},
                {'O', outputs},
                {'h', reduced(height, stride)},
                {'w', reduced(width, stride)},
                {'p', reduced(height, 2)},
                {'q', reduced(width, 2)}};
    }
};

const Case kCases[] = {
    {1, 1, 1, 1, 3, 1, 1, 1, {1, true}},    {1, 1, 1, 1, 7, 2, 1, 1, {0, false}},
    {2, 3, 5, 7, 3, 2, 1, 4, {1, true}},    {1, 2, 1, 20, 5, 1, 2, 6, {2, true}},
    {3, 4, 16, 3, 5, 2, 2, 2, {4, false}},  {1, 17, 9, 17, 3, 1, 1, 35, {3, true}},
    {2, 1, 33, 1, 7, 1, 1, 9, {0, true}},   {20, 6, 8, 12, 3, 2, 3, 33, {1, true}},
    {2, 40, 4, 15, 5, 1, 1, 50, {1, false}}, {5, 5, 2, 2, 7, 2, 5, 5, {4, true}},
    {1, 3, 1, 31, 3, 1, 1, 2, {1, true}},
};

void check_results(const Operator& called, Call& together, Call& alone) {
    for (const Call* call : {&together, &alone})
        for (const Tensor& tensor : call->tensors) CHECK(tensor.is_finite(), "%s", called.name);
    const auto one = together.results(), other = alone.results();
    CHECK(std::memcmp(one.data(), other.data(), one.size() * sizeof(float)) == 0, "%s", called.name);
}

// All results are numbers, and the same ones however many threads compute.
void results() {
    for (const Operator& called : kAll)
        for (const Case& some : kCases) {
            Call together(called, some.sizes(), some.settings), alone(called, some.sizes(), some.settings);
            CHECK(together.run() == 0 && alone.run_alone() == 0, "%s", called.name);
            check_results(called, together, alone);
        }
}

// Products of numbers rounded to bfloat16 are close to those of float32; behind a BatchNorm of few numbers they need not be.
void bfloat16_products() {
    if (!kernels::bfloat16::is_available()) return;
    for (const Operator& called : kAll) {
        const bool is_product = std::strncmp(called.name, "pointwise", 9) == 0;
        if (!is_product && std::strncmp(called.name, "block", 5) != 0) continue;
        for (const Case& some : kCases) {
            Call exact(called, some.sizes(), some.settings), together(called, some.sizes(), some.settings),
                alone(called, some.sizes(), some.settings);
            kernels::bfloat16::use(false);
            CHECK(exact.run() == 0, "%s", called.name);
            kernels::bfloat16::use(true);
            CHECK(together.run() == 0 && alone.run_alone() == 0, "%s", called.name);
            kernels::bfloat16::use(false);
            check_results(called, together, alone);
            if (!is_product) continue;
            const auto expected = exact.results(), found = together.results();
            float largest = 0, difference = 0;
            for (std::size_t i = 0; i < found.size(); ++i) {
                largest = std::max(largest, std::fabs(expected[i]));
                difference = std::max(difference, std::fabs(expected[i] - found[i]));
            }
            CHECK(difference < 0.01F * largest, "%s: %g of %g", called.name, difference, largest);
        }
    }
}

void check_refused(const Operator& called, const Case& some, std::size_t number, const char* what,
                   void (*change)(Tensor&, std::size_t), std::size_t axis = 0) {
    Call call(called, some.sizes(), some.settings);
    change(call.tensors[number], axis);
    CHECK(call.run() != 0, "%s computes with a tensor %zu of another %s", called.name, number, what);
}

// Tensors of other kinds, and shapes that do not fit the others, are refused.
void refusals() {
    for (const Operator& called : kAll)
        for (const Case& some : {kCases[2], kCases[3]}) {
            const Call whole(called, some.sizes(), some.settings);
            for (std::size_t number = 0; number < whole.tensors.size(); ++number) {
                check_refused(called, some, number, "type", [](Tensor& tensor, std::size_t) { tensor.type = "float16"; });
                check_refused(called, some, number, "rank", [](Tensor& tensor, std::size_t) { tensor.shape.push_back(1); });
                check_refused(called, some, number, "rank", [](Tensor& tensor, std::size_t) { tensor.shape.pop_back(); });
                for (std::size_t axis = 0; axis < whole.tensors[number].shape.size(); ++axis) {
                    check_refused(called, some, number, "size 0", [](Tensor& tensor, std::size_t at) { tensor.shape[at] = 0; }, axis);
                    check_refused(called, some, number, "size", [](Tensor& tensor, std::size_t at) { tensor.shape[at] += 2; }, axis);
                }
            }
            Call fewer(called, some.sizes(), some.settings);
            fewer.tensors.pop_back();
            CHECK(fewer.run() != 0, "%s computes with a tensor less", called.name);
            if (std::strchr(called.inputs, 'S') == nullptr) continue;
            Call unknown(called, some.sizes(), {5, true});
            CHECK(unknown.run() != 0, "%s computes an activation that is not there", called.name);
        }
}

// Writes all results, so that those of several builds can be compared: for each call a line with name and count, then
// the numbers.
void write_results() {
    for (const Operator& called : kAll)
        for (const Case& some : kCases) {
            Call call(called, some.sizes(), some.settings);
            CHECK(call.run() == 0, "%s", called.name);
            const auto all = call.results();
            std::printf("%s %zu\n", called.name, all.size());
            std::fwrite(all.data(), sizeof(float), all.size(), stdout);
        }
}

}  // namespace

const std::vector<Check> kOperators = {
    {"results", results},
    {"bfloat16_products", bfloat16_products},
    {"refusals", refusals},
    {"write_results", write_results},
};

}  // namespace checks
