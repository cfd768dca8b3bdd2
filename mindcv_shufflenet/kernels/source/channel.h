// What one thread computes of a channel of all images, which stays in its cache meanwhile.
#pragma once

#include <vector>

#include "depthwise.h"
#include "maps.h"
#include "operators.h"

namespace kernels {

// What a thread works in: phases and outputs of one image, and their gradients.
struct Workspace {
    std::vector<float> phases, outputs, phase_gradient, output_gradient;

    // The borders of phases, and what lies between the rows of a gradient of outputs, are 0.
    static Workspace& of_thread(const Window& window) {
        thread_local Workspace own;
        const auto phases = static_cast<std::size_t>(window.phases());
        const auto outputs = static_cast<std::size_t>(window.outputs());
        own.phases.assign(phases, 0.0F);
        own.outputs.resize(outputs);
        own.phase_gradient.resize(phases);
        own.output_gradient.assign(outputs, 0.0F);
        return own;
    }
};

// Calls visit.operator()<K>() with the size of a kernel.
template <class Visit>
int with_kernel(Index kernel, Visit&& visit) {
    switch (kernel) {
        case 3: return visit.template operator()<3>();
        case 5: return visit.template operator()<5>();
        case 7: return visit.template operator()<7>();
        default: return kRefused;
    }
}

// Measures a channel if its BatchNorm is in training, and returns what that makes of it.
inline Affine measure(const Maps& x, const Norm& norm, Index c) {
    Moments moments{x.plane(0, c)[0]};
    if (norm.settings.is_training)
        over_images({{x, c}}, [&](Index n) { moments.add(x.plane(n, c), x.size()); });
    moments.close();
    return norm.finish(c, moments, x.count()).affine();
}

template <class Activation>
void apply(const Affine& affine, const Maps& x, Index c, const Maps& y, Index y_channel) {
    over_images({{x, c}, {y, y_channel}}, [&](Index n) {
        apply<Activation>(affine, x.plane(n, c), y.plane(n, y_channel), x.size());
    });
}

// Ends the sums of a BatchNorm's gradient, and writes that of its input; it may take the place of that of the output.
template <class Activation>
void write_input_gradient(const Maps& x, Index c, const NormGradient& norm, GradientSums& sums, const Maps& dy,
                          Index dy_channel, const Maps& dx, Index dx_channel) {
    const Normalisation found = norm.found(c);
    sums.close();
    norm.write(c, found, sums);
    const InputGradient<Activation> gradient(found, sums, norm.numbers(x.count()));
    over_images({{x, c}, {dy, dy_channel}, {dx, dx_channel}}, [&](Index n) {
        gradient.write(x.plane(n, c), dy.plane(n, dy_channel), dx.plane(n, dx_channel), x.size());
    });
}

// Writes the gradients of a BatchNorm and its activation.
template <class Activation>
void gradient_of_norm(const Maps& x, Index c, const NormGradient& norm, const Maps& dy, Index dy_channel, const Maps& dx,
                      Index dx_channel) {
    const Normalisation found = norm.found(c);
    GradientSums sums;
    over_images({{x, c}, {dy, dy_channel}}, [&](Index n) {
        sums.add<Activation>(found, x.plane(n, c), dy.plane(n, dy_channel), x.size());
    });
    write_input_gradient<Activation>(x, c, norm, sums, dy, dy_channel, dx, dx_channel);
}

// Convolves a channel; `map` is applied to the input before.
template <int K, class Map>
void convolve(const Window& window, const Maps& x, Index c, const float* weights, Map map, const Maps& y,
              Index y_channel) {
    Workspace& work = Workspace::of_thread(window);
    over_images({{x, c}, {y, y_channel}}, [&](Index n) {
        spread(window, x.plane(n, c), work.phases.data(), map);
        Depthwise<K>::convolve(window, work.phases.data(), weights, work.outputs.data());
        narrow(window, work.outputs.data(), y.plane(n, y_channel), Same{});
    });
}

// Writes the gradients of a channel's convolution: of the weights, and of what `map` made of the input.
template <int K, class Map>
void convolution_gradient(const Window& window, const Maps& x, Index c, const float* weights, Map map, const Maps& dy,
                          Index dy_channel, const Maps& dx, Index dx_channel, float* weight_gradient) {
    Workspace& work = Workspace::of_thread(window);
    Lanes totals[K * K] = {};
    over_images({{x, c}, {dy, dy_channel}, {dx, dx_channel}}, [&](Index n) {
        widen(window, dy.plane(n, dy_channel), work.output_gradient.data());
        spread(window, x.plane(n, c), work.phases.data(), map);
        Depthwise<K>::add_weight_gradient(window, work.phases.data(), work.output_gradient.data(), totals);
        Depthwise<K>::input_gradient(window, work.output_gradient.data(), weights, work.phase_gradient.data());
        collect(window, work.phase_gradient.data(), dx.plane(n, dx_channel));
    });
    for (int tap = 0; tap < K * K; ++tap) weight_gradient[tap] = sum(totals[tap]);
}

}  // namespace kernels
