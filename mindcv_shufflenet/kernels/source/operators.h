// What the operators have in common: maps among the tensors, and those of a BatchNorm.
#pragma once

#include <limits>

#include "arguments.h"
#include "maps.h"
#include "norm.h"

namespace kernels {

inline Maps maps(const Arguments& arguments, int number) {
    return {arguments.tensor(number), arguments.size(number, 0), arguments.size(number, 1), arguments.size(number, 2),
            arguments.size(number, 3)};
}

// The stride follows from the sizes: 1 if the size is kept, else 2. For a size of 1 both compute the same.
inline Window window_of(const Maps& x, const Maps& y, Index kernel) {
    const bool keeps_size = x.height == y.height && x.width == y.width;
    return {x.height, x.width, kernel, keeps_size ? 1 : 2};
}

// Whether a map has the size of a window's outputs.
inline bool fits(const Window& window, const Maps& y) {
    return window.kernel % 2 == 1 && y.height == window.out_height && y.width == window.out_width;
}

// The settings of a BatchNorm, [4] float32.
struct Settings {
    float epsilon, share;
    int activation;
    bool is_training;

    explicit Settings(const float* values)
        : epsilon(values[0]),
          share(values[1]),
          activation(static_cast<int>(values[2])),
          is_training(values[3] != 0) {}
};

// Calls visit.operator()<Activation>().
template <class Visit>
int with_activation(const Settings& settings, Visit&& visit) {
    switch (settings.activation) {
        case Linear::kNumber: return visit.template operator()<Linear>();
        case Relu::kNumber: return visit.template operator()<Relu>();
        case Relu6::kNumber: return visit.template operator()<Relu6>();
        case LeakyRelu::kNumber: return visit.template operator()<LeakyRelu>();
        case HardSwish::kNumber: return visit.template operator()<HardSwish>();
        default: return kRefused;
    }
}

// A BatchNorm in a forward pass. Its tensors come in this order: settings, gamma, beta, moving mean, moving variance.
struct Norm {
    Settings settings;
    const float *gamma, *beta;
    float *moving_mean, *moving_variance;
    float* statistics;  // [2, C]: means and inverse deviations, for the backward pass
    Index channels;

    Norm(const Arguments& arguments, int first, float* statistics_)
        : settings(arguments.tensor(first)),
          gamma(arguments.tensor(first + 1)),
          beta(arguments.tensor(first + 2)),
          moving_mean(arguments.tensor(first + 3)),
          moving_variance(arguments.tensor(first + 4)),
          statistics(statistics_),
          channels(arguments.size(first + 1, 0)) {}

    // Returns what the BatchNorm makes of a channel whose values have these moments, and keeps it; in training the
    // moving statistics follow, with the variance of a sample.
    Normalisation finish(Index channel, const Moments& moments, Index count) const {
        float mean = moving_mean[channel], variance = moving_variance[channel];
        if (settings.is_training) {
            const double numbers = static_cast<double>(count);
            const double distance = moments.first / numbers;
            const double spread = std::max(0.0, moments.second / numbers - distance * distance);
            mean = moments.around + static_cast<float>(distance);
            variance = static_cast<float>(spread);
            const float of_sample = static_cast<float>(spread * numbers / std::max(1.0, numbers - 1));
            moving_mean[channel] += settings.share * (mean - moving_mean[channel]);
            moving_variance[channel] += settings.share * (of_sample - moving_variance[channel]);
        }
        const float inverse = 1 / std::sqrt(variance + settings.epsilon);
        statistics[channel] = mean;
        statistics[channels + channel] = inverse;
        return {mean, inverse, gamma[channel], beta[channel]};
    }
};

// The same in a backward pass. Its tensors come in this order: settings, gamma, beta; the statistics further on; and the
// gradients of gamma and beta among the outputs.
struct NormGradient {
    Settings settings;
    const float *gamma, *beta, *statistics;
    float *gamma_gradient, *beta_gradient;
    Index channels;

    Normalisation found(Index channel) const {
        return {statistics[channel], statistics[channels + channel], gamma[channel], beta[channel]};
    }

    void write(Index channel, const Normalisation& norm, const GradientSums& sums) const {
        gamma_gradient[channel] = static_cast<float>(sums.second) * norm.inverse_deviation;
        beta_gradient[channel] = static_cast<float>(sums.first);
    }

    // How many numbers the statistics are of; fixed ones have no gradient, as if they were of infinitely many.
    double numbers(Index count) const {
        return settings.is_training ? static_cast<double>(count) : std::numeric_limits<double>::infinity();
    }
};

inline NormGradient norm_gradient_of(const Arguments& arguments, int settings, int statistics, int gamma_gradient) {
    return {Settings(arguments.tensor(settings)),
            arguments.tensor(settings + 1),
            arguments.tensor(settings + 2),
            arguments.tensor(statistics),
            arguments.tensor(gamma_gradient),
            arguments.tensor(gamma_gradient + 1),
            arguments.size(settings + 1, 0)};
}

// The activation of an affine function.
template <class Activation>
struct Activated {
    Affine affine;
    template <class V> V operator()(V x) const { return Activation::apply(V(affine(x))); }
};

// Writes the activation of an affine function of a plane; it may take the place of that plane.
template <class Activation>
inline void apply(const Affine& affine, const float* from, float* to, Index size) {
    const Activated<Activation> map{affine};
    Index i = 0;
    for (; i + kLanes <= size; i += kLanes) store(to + i, map(load(from + i)));
    for (; i < size; ++i) to[i] = map(from[i]);
}

}  // namespace kernels
