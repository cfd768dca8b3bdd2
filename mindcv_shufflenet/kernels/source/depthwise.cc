// A depthwise convolution with its BatchNorm, and with the one in front of it.
//
// One thread computes a channel of all images: the statistics in front, the convolution, the statistics behind. What
// the convolution gives is not kept: the backward pass computes it again.
#include "channel.h"
#include "threads.h"

namespace kernels {
namespace {

// The outputs of the convolution of one channel, of the thread that calls it.
Maps own_outputs(const Maps& y) {
    thread_local std::vector<float> memory;
    memory.resize(static_cast<std::size_t>(y.count()));
    return {memory.data(), y.images, 1, y.height, y.width};
}

bool is_known(const Settings& settings) {
    return with_activation(settings, []<class Activation>() { return 0; }) == 0;
}

// Makes of a channel what a BatchNorm and its activation do. An activation is chosen channel by channel: to do it once
// around all would compile each pair of them.
void finish(const Maps& y, const Norm& norm, Index c) {
    with_activation(norm.settings, [&]<class Activation>() {
        const Channel channel{y, c};
        apply<Activation>(measure(channel, norm), channel, channel);
        return 0;
    });
}

// Writes the gradient of a channel's outputs in their place.
void write_gradient(const Channel& output, const NormGradient& norm, const Channel& dy) {
    with_activation(norm.settings, [&]<class Activation>() {
        gradient_of_norm<Activation>(output, norm, dy.number, dy, output);
        return 0;
    });
}

// (x, weights, settings, gamma, beta, moving mean, moving variance) -> (y, statistics)
int depthwise_norm(const Arguments& arguments) {
    if (!arguments.have("NCHW C1KK 4 C C C C NChw 2C")) return kRefused;
    const Maps x = maps(arguments, 0), y = maps(arguments, 7);
    const Norm norm(arguments, 2, arguments.tensor(8));
    const Window window = window_of(x, y, arguments.size(1, 2));
    if (!fits(window, y) || !is_known(norm.settings)) return kRefused;
    return with_kernel(window.kernel, [&]<int K>() {
        return parallel(x.channels, [&](Index c) {
            convolve<K>(window, {x, c}, arguments.tensor(1) + c * K * K, Same{}, {y, c});
            finish(y, norm, c);
        });
    });
}

// (x, settings, gamma, beta, moving mean, moving variance, weights, and again settings to moving variance)
// -> (y, statistics in front, statistics behind)
int norm_depthwise_norm(const Arguments& arguments) {
    if (!arguments.have("NCHW 4 C C C C C1KK 4 C C C C NChw 2C 2C")) return kRefused;
    const Maps x = maps(arguments, 0), y = maps(arguments, 12);
    const Norm before(arguments, 1, arguments.tensor(13)), after(arguments, 7, arguments.tensor(14));
    const Window window = window_of(x, y, arguments.size(6, 2));
    if (!fits(window, y) || !is_known(before.settings) || !is_known(after.settings)) return kRefused;
    return with_kernel(window.kernel, [&]<int K>() {
        return parallel(x.channels, [&](Index c) {
            with_activation(before.settings, [&]<class Activation>() {
                const Activated<Activation> map{measure({x, c}, before)};
                convolve<K>(window, {x, c}, arguments.tensor(6) + c * K * K, map, {y, c});
                return 0;
            });
            finish(y, after, c);
        });
    });
}

}  // namespace

// MindSpore keeps the shapes that it has inferred by the name of an operator, so each stride has one.
KERNEL(depthwise_norm_1) { return depthwise_norm(arguments); }
KERNEL(depthwise_norm_2) { return depthwise_norm(arguments); }
KERNEL(norm_depthwise_norm_1) { return norm_depthwise_norm(arguments); }
KERNEL(norm_depthwise_norm_2) { return norm_depthwise_norm(arguments); }

// (x, weights, settings, gamma, beta, statistics, gradient) -> (gradients of x, weights, gamma, beta)
KERNEL(depthwise_norm_gradient) {
    if (!arguments.have("NCHW C1KK 4 C C 2C NChw NCHW C1KK C C")) return kRefused;
    const Maps x = maps(arguments, 0), dy = maps(arguments, 6), dx = maps(arguments, 7);
    const NormGradient norm = norm_gradient_of(arguments, 2, 5, 9);
    const Window window = window_of(x, dy, arguments.size(1, 2));
    if (!fits(window, dy) || !is_known(norm.settings)) return kRefused;
    return with_kernel(window.kernel, [&]<int K>() {
        return parallel(x.channels, [&](Index c) {
            const float* const weights = arguments.tensor(1) + c * K * K;
            const Maps outputs = own_outputs(dy);
            const Channel output{outputs, 0};
            convolve<K>(window, {x, c}, weights, Same{}, output);
            write_gradient(output, norm, {dy, c});
            convolution_gradient<K>(window, {x, c}, weights, Same{}, output, {dx, c}, arguments.tensor(8) + c * K * K);
        });
    });
}

// (x, settings, gamma, beta, weights, settings, gamma, beta, statistics in front, statistics behind, gradient)
// -> (gradients of x, gamma, beta, weights, gamma, beta)
KERNEL(norm_depthwise_norm_gradient) {
    if (!arguments.have("NCHW 4 C C C1KK 4 C C 2C 2C NChw NCHW C C C1KK C C")) return kRefused;
    const Maps x = maps(arguments, 0), dy = maps(arguments, 10), dx = maps(arguments, 11);
    const NormGradient before = norm_gradient_of(arguments, 1, 8, 12), after = norm_gradient_of(arguments, 5, 9, 15);
    const Window window = window_of(x, dy, arguments.size(4, 2));
    if (!fits(window, dy) || !is_known(before.settings) || !is_known(after.settings)) return kRefused;
    return with_kernel(window.kernel, [&]<int K>() {
        return parallel(x.channels, [&](Index c) {
            const float* const weights = arguments.tensor(4) + c * K * K;
            const Maps outputs = own_outputs(dy);
            const Channel input{x, c}, output{outputs, 0}, gradient{dx, c};
            with_activation(before.settings, [&]<class First>() {
                const Activated<First> map{before.found(c).affine()};
                convolve<K>(window, input, weights, map, output);
                write_gradient(output, after, {dy, c});
                convolution_gradient<K>(window, input, weights, map, output, gradient,
                                        arguments.tensor(14) + c * K * K);
                gradient_of_norm<First>(input, before, c, gradient, gradient);
                return 0;
            });
        });
    });
}

}  // namespace kernels
