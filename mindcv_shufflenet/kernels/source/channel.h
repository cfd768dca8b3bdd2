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

// Measures a channel if its BatchNorm is in training, and returns what that makes of it. The channel has the same number
// in the BatchNorm.
inline Affine measure(const Channel& x, const Norm& norm) {
    Moments moments{x.plane(0)[0]};
    if (norm.settings.is_training) over_images({x}, [&](Index n) { moments.add(x.plane(n), x.maps.size()); });
    moments.close();
    return norm.finish(x.number, moments, x.maps.count()).affine();
}

template <class Activation>
void apply(const Affine& affine, const Channel& x, const Channel& y) {
    over_images({x, y}, [&](Index n) { apply<Activation>(affine, x.plane(n), y.plane(n), x.maps.size()); });
}

// Ends the sums of the gradient of channel `c` of a BatchNorm, and writes that of its input; it may take the place of
// that of the output.
template <class Activation>
void write_input_gradient(const Channel& x, const NormGradient& norm, Index c, GradientSums& sums, const Channel& dy,
                          const Channel& dx) {
    const Normalisation found = norm.found(c);
    sums.close();
    norm.write(c, found, sums);
    const InputGradient<Activation> gradient(found, sums, norm.numbers(x.maps.count()));
    over_images({x, dy, dx}, [&](Index n) { gradient.write(x.plane(n), dy.plane(n), dx.plane(n), x.maps.size()); });
}

// Writes the gradients of channel `c` of a BatchNorm and of its activation.
template <class Activation>
void gradient_of_norm(const Channel& x, const NormGradient& norm, Index c, const Channel& dy, const Channel& dx) {
    const Normalisation found = norm.found(c);
    GradientSums sums;
    over_images({x, dy}, [&](Index n) { sums.add<Activation>(found, x.plane(n), dy.plane(n), x.maps.size()); });
    write_input_gradient<Activation>(x, norm, c, sums, dy, dx);
}

// Convolves a channel; `map` is applied to the input before.
template <int K, class Map>
void convolve(const Window& window, const Channel& x, const float* weights, Map map, const Channel& y) {
    Workspace& work = Workspace::of_thread(window);
    over_images({x, y}, [&](Index n) {
        spread(window, x.plane(n), work.phases.data(), map);
        Depthwise<K>::convolve(window, work.phases.data(), weights, work.outputs.data());
        narrow(window, work.outputs.data(), y.plane(n));
    });
}

// Writes the gradients of a channel's convolution: of the weights, and of what `map` made of the input.
template <int K, class Map>
void convolution_gradient(const Window& window, const Channel& x, const float* weights, Map map, const Channel& dy,
                          const Channel& dx, float* weight_gradient) {
    Workspace& work = Workspace::of_thread(window);
    Lanes totals[K * K] = {};
    over_images({x, dy, dx}, [&](Index n) {
        widen(window, dy.plane(n), work.output_gradient.data());
        spread(window, x.plane(n), work.phases.data(), map);
        Depthwise<K>::add_weight_gradient(window, work.phases.data(), work.output_gradient.data(), totals);
        Depthwise<K>::input_gradient(window, work.output_gradient.data(), weights, work.phase_gradient.data());
        collect(window, work.phase_gradient.data(), dx.plane(n));
    });
    for (int tap = 0; tap < K * K; ++tap) weight_gradient[tap] = sum(totals[tap]);
}

}  // namespace kernels
