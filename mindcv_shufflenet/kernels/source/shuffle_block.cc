// A block of ShuffleNetV2 that keeps the shape, as one operator: half of the channels pass; the other half goes through
// 1x1 convolution, BatchNorm and activation, depthwise convolution, BatchNorm, 1x1 convolution, BatchNorm and
// activation.
//
// The first product reads its channels where they lie in the input, the last BatchNorm writes where they lie in the
// output, and the other half is copied. The middle BatchNorm is applied where the second product reads.
#include <cstring>
#include <vector>

#include "buffers.h"
#include "channel.h"
#include "matmul.h"
#include "threads.h"

namespace kernels {
namespace {

// Where the halves of the channels lie.
struct Halves {
    Maps passed, main;
};

Halves interleaved(const Maps& x) {
    const Index half = x.channels / 2;
    return {x.part(0, 2, half), x.part(1, 2, half)};
}

Halves one_behind_the_other(const Maps& x) {
    const Index half = x.channels / 2;
    return {x.part(0, 1, half), x.part(half, 1, half)};
}

using Split = Halves (*)(const Maps&);

void copy_channel(const Channel& from, const Channel& to) {
    const std::size_t bytes = sizeof(float) * static_cast<std::size_t>(from.maps.size());
    over_images({from, to}, [&](Index n) { std::memcpy(to.plane(n), from.plane(n), bytes); });
}

Maps like(const Maps& maps, const Buffer& buffer) {
    return {buffer.data(), maps.images, maps.channels, maps.height, maps.width};
}

// Whether half of the channels are computed, with the same activation behind both products and none between.
bool is_computed(const Maps& x, const Maps& first, const Settings& norm1, const Settings& norm2, const Settings& norm3) {
    return x.channels == 2 * first.channels && norm1.activation == norm3.activation && norm2.activation == Linear::kNumber;
}

// (x, weights, norm; depthwise weights, norm; weights, norm) -> (y, first and second product, three statistics), each
// norm as settings, gamma, beta, moving mean, moving variance
int forward(const Arguments& arguments, Split split_in, Split split_out) {
    if (!arguments.have("NXHW CC11 4 C C C C C1KK 4 C C C C CC11 4 C C C C NXHW NCHW NCHW 2C 2C 2C")) return kRefused;
    const Maps x = maps(arguments, 0);
    const Halves in = split_in(x), out = split_out(maps(arguments, 19));
    const Maps first = maps(arguments, 20), second = maps(arguments, 21);
    const Norm norm1(arguments, 2, arguments.tensor(22)), norm2(arguments, 8, arguments.tensor(23)),
        norm3(arguments, 14, arguments.tensor(24));
    const Index channels = first.channels;
    if (!is_computed(x, first, norm1.settings, norm2.settings, norm3.settings)) return kRefused;
    const Buffer buffer(channels * first.count());
    const Maps convolved = like(first, buffer);
    std::vector<Affine> middle(static_cast<std::size_t>(channels));
    multiply(Matrix(arguments.tensor(1), channels, channels), in.main, first);
    return with_kernel(arguments.size(7, 2), [&]<int K>() {
        const Window window = window_of(first, convolved, K);
        return with_activation(norm1.settings, [&]<class Activation>() {
            parallel(channels, [&](Index c) {
                const Activated<Activation> map{measure({first, c}, norm1)};
                convolve<K>(window, {first, c}, arguments.tensor(7) + c * K * K, map, {convolved, c});
                middle[static_cast<std::size_t>(c)] = measure({convolved, c}, norm2);
            });
            multiply(Matrix(arguments.tensor(13), channels, channels), convolved, second, middle.data());
            return parallel(channels, [&](Index c) {
                apply<Activation>(measure({second, c}, norm3), {second, c}, {out.main, c});
                copy_channel({in.passed, c}, {out.passed, c});
            });
        });
    });
}

// (x, weights, settings, gamma, beta, depthwise weights, settings, gamma, beta, weights, settings, gamma, beta, first
// and second product, three statistics, gradient) -> (gradients of x, weights, gamma, beta, depthwise weights, gamma,
// beta, weights, gamma, beta)
int backward(const Arguments& arguments, Split split_in, Split split_out) {
    if (!arguments.have("NXHW CC11 4 C C C1KK 4 C C CC11 4 C C NCHW NCHW 2C 2C 2C NXHW NXHW CC11 C C C1KK C C CC11 C C"))
        return kRefused;
    const Maps x = maps(arguments, 0);
    const Halves in = split_in(x), dy = split_out(maps(arguments, 18)),
                 dx = split_in(maps(arguments, 19));
    const Maps first = maps(arguments, 13), second = maps(arguments, 14);
    const NormGradient norm1 = norm_gradient_of(arguments, 2, 15, 21), norm2 = norm_gradient_of(arguments, 6, 16, 24),
                       norm3 = norm_gradient_of(arguments, 10, 17, 27);
    const Index channels = first.channels;
    if (!is_computed(x, first, norm1.settings, norm2.settings, norm3.settings)) return kRefused;
    const Buffer convolved_buffer(channels * first.count()), gradient_buffer(channels * first.count()),
        inner_buffer(channels * first.count());
    const Maps convolved = like(first, convolved_buffer), gradient = like(first, gradient_buffer),
               inner = like(first, inner_buffer);
    std::vector<Affine> middle(static_cast<std::size_t>(channels));
    return with_kernel(arguments.size(5, 2), [&]<int K>() {
        const Window window = window_of(first, convolved, K);
        return with_activation(norm1.settings, [&]<class Activation>() {
            parallel(channels, [&](Index c) {
                copy_channel({dy.passed, c}, {dx.passed, c});
                gradient_of_norm<Activation>({second, c}, norm3, c, {dy.main, c}, {gradient, c});
                const Activated<Activation> map{norm1.found(c).affine()};
                convolve<K>(window, {first, c}, arguments.tensor(5) + c * K * K, map, {convolved, c});
                middle[static_cast<std::size_t>(c)] = norm2.found(c).affine();
            });
            weight_gradient(gradient, convolved, arguments.tensor(26), middle.data());
            multiply(Matrix(arguments.tensor(9), channels, channels).transposed(), gradient, inner);
            parallel(channels, [&](Index c) {
                const float* const weights = arguments.tensor(5) + c * K * K;
                const Activated<Activation> map{norm1.found(c).affine()};
                gradient_of_norm<Linear>({convolved, c}, norm2, c, {inner, c}, {inner, c});
                convolution_gradient<K>(window, {first, c}, weights, map, {inner, c}, {gradient, c},
                                        arguments.tensor(23) + c * K * K);
                gradient_of_norm<Activation>({first, c}, norm1, c, {gradient, c}, {gradient, c});
            });
            weight_gradient(gradient, in.main, arguments.tensor(20));
            multiply(Matrix(arguments.tensor(1), channels, channels).transposed(), gradient, dx.main);
            return 0;
        });
    });
}

}  // namespace

KERNEL(block_megvii) { return forward(arguments, interleaved, one_behind_the_other); }
KERNEL(block_torchvision) { return forward(arguments, one_behind_the_other, interleaved); }
KERNEL(block_megvii_gradient) { return backward(arguments, interleaved, one_behind_the_other); }
KERNEL(block_torchvision_gradient) {
    return backward(arguments, one_behind_the_other, interleaved);
}

}  // namespace kernels
