#include "call.h"

#include <cmath>
#include <limits>
#include <random>
#include <sstream>

#include "threads.h"

namespace checks {
namespace {

constexpr int kLinear = 0, kRelu = 1;

Tensor settings_of(Settings settings) {
    Tensor tensor{{4}, std::make_unique<float[]>(4)};
    const float values[] = {1e-5F, 0.1F, static_cast<float>(settings.activation), settings.is_training ? 1.0F : 0.0F};
    std::copy(values, values + 4, tensor.data.get());
    return tensor;
}

Tensor of_shape(const std::string& word, const Sizes& sizes) {
    Tensor tensor;
    for (const char sign : word) tensor.shape.push_back(sign >= '0' && sign <= '9' ? sign - '0' : sizes.at(sign));
    tensor.data = std::make_unique<float[]>(static_cast<std::size_t>(tensor.size()));
    return tensor;
}

}  // namespace

Index Tensor::size() const {
    Index size = 1;
    for (const Index axis : shape) size *= axis;
    return size;
}

bool Tensor::is_finite() const {
    for (Index i = 0; i < size(); ++i)
        if (!std::isfinite(data[static_cast<std::size_t>(i)])) return false;
    return true;
}

Call::Call(const Operator& called_, const Sizes& sizes, Settings settings) : called(called_) {
    std::mt19937 random(1);
    std::uniform_real_distribution<float> any(-1, 1), positive(0.5F, 1.5F);
    std::string word;
    for (std::istringstream words(called.inputs); words >> word;) {
        if (word == "S" || word == "R" || word == "L") {
            const int activation = word == "S" ? settings.activation : word == "R" ? kRelu : kLinear;
            tensors.push_back(settings_of({activation, settings.is_training}));
            continue;
        }
        const bool is_positive = word[0] == '+';
        Tensor tensor = of_shape(word.substr(is_positive ? 1 : 0), sizes);
        for (Index i = 0; i < tensor.size(); ++i)
            tensor.data[static_cast<std::size_t>(i)] = is_positive ? positive(random) : any(random);
        tensors.push_back(std::move(tensor));
    }
    inputs = tensors.size();
    for (std::istringstream words(called.outputs); words >> word;) {
        tensors.push_back(of_shape(word, sizes));
        std::fill_n(tensors.back().data.get(), tensors.back().size(), std::numeric_limits<float>::quiet_NaN());
    }
}

int Call::run() {
    std::vector<void*> data;
    std::vector<int> ranks;
    std::vector<std::int64_t*> shapes;
    std::vector<const char*> types;
    for (Tensor& tensor : tensors) {
        data.push_back(tensor.data.get());
        ranks.push_back(static_cast<int>(tensor.shape.size()));
        shapes.push_back(tensor.shape.data());
        types.push_back(tensor.type);
    }
    return called.function(static_cast<int>(tensors.size()), data.data(), ranks.data(), shapes.data(), types.data(),
                           nullptr, nullptr);
}

int Call::run_alone() {
    int status = 0;
    kernels::parallel(2, [&](Index item) {  // a job within a job is done by its caller
        if (item == 0) status = run();
    });
    return status;
}

std::vector<float> Call::results() const {
    std::vector<float> all;
    for (const Tensor& tensor : tensors) all.insert(all.end(), tensor.data.get(), tensor.data.get() + tensor.size());
    return all;
}

}  // namespace checks
