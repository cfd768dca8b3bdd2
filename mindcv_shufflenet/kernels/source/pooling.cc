// BatchNorm and ReLU in front of a max pool of 3 x 3 pixels with stride 2.
#include "channel.h"
#include "threads.h"

namespace kernels {
namespace {

constexpr Index kSize = 3, kStride = 2, kTaps = kSize * kSize;

// How a map is padded: at the right and at the bottom first, or on every side alike. Zeros stand there, since a ReLU
// gives nothing less.
Index before(Index size, bool is_same) {
    return is_same ? std::max<Index>(0, ((size - 1) / kStride) * kStride + kSize - size) / 2 : 1;
}

Window window_of(const Maps& x, bool is_same) {
    return {x.height, x.width, kSize, kStride, before(x.height, is_same), before(x.width, is_same)};
}

// Writes the largest pixel of each window.
void largest(const Window& window, const float* phases, float* outputs) {
    for (Index i = 0; i < window.used; i += kLanes) {
        Lanes value = load(phases + window.tap(0, 0) + i);
        for (Index tap = 1; tap < kTaps; ++tap) {
            const Lanes other = load(phases + window.tap(tap / kSize, tap % kSize) + i);
            value = value < other ? other : value;
        }
        store(outputs + window.margin + i, value);
    }
}

// Adds the gradient of each output to the first of the pixels that are as large; `outputs` is used up.
void add_to_largest(const Window& window, const float* phases, float* outputs, const float* gradient,
                    float* phase_gradient) {
    for (Index tap = 0; tap < kTaps; ++tap) {
        const Index begin = window.tap(tap / kSize, tap % kSize);
        for (Index i = 0; i < window.used; i += kLanes) {
            const Lanes value = load(outputs + window.margin + i);
            const auto is_it = value == load(phases + begin + i);
            const Lanes d = load(gradient + window.margin + i);
            store(phase_gradient + begin + i, load(phase_gradient + begin + i) + (is_it ? d : Lanes{}));
            store(outputs + window.margin + i, is_it ? fill(-1) : value);  // what a ReLU gives is never -1
        }
    }
}

// (x, settings, gamma, beta, moving mean, moving variance) -> (y, statistics)
int norm_max_pool(const Arguments& arguments, bool is_same) {
    if (!arguments.have("NCHW 4 C C C C NChw 2C")) return kRefused;
    const Maps x = maps(arguments, 0), y = maps(arguments, 6);
    const Norm norm(arguments, 1, arguments.tensor(7));
    const Window window = window_of(x, is_same);
    if (norm.settings.activation != Relu::kNumber || !fits(window, y)) return kRefused;
    return parallel(x.channels, [&](Index c) {
        Workspace& work = Workspace::of_thread(window);
        const Activated<Relu> map{measure({x, c}, norm)};
        over_images({{x, c}, {y, c}}, [&](Index n) {
            spread(window, x.plane(n, c), work.phases.data(), map);
            largest(window, work.phases.data(), work.outputs.data());
            narrow(window, work.outputs.data(), y.plane(n, c));
        });
    });
}

// (x, settings, gamma, beta, statistics, gradient) -> (gradients of x, gamma, beta)
int norm_max_pool_gradient(const Arguments& arguments, bool is_same) {
    if (!arguments.have("NCHW 4 C C 2C NChw NCHW C C")) return kRefused;
    const Maps x = maps(arguments, 0), dy = maps(arguments, 5), dx = maps(arguments, 6);
    const NormGradient norm = norm_gradient_of(arguments, 1, 4, 7);
    const Window window = window_of(x, is_same);
    if (norm.settings.activation != Relu::kNumber || !fits(window, dy)) return kRefused;
    return parallel(x.channels, [&](Index c) {
        Workspace& work = Workspace::of_thread(window);
        const Normalisation found = norm.found(c);
        const Activated<Relu> map{found.affine()};
        GradientSums sums;
        over_images({{x, c}, {dy, c}, {dx, c}}, [&](Index n) {
            spread(window, x.plane(n, c), work.phases.data(), map);
            largest(window, work.phases.data(), work.outputs.data());
            widen(window, dy.plane(n, c), work.output_gradient.data());
            std::fill(work.phase_gradient.begin(), work.phase_gradient.end(), 0.0F);
            add_to_largest(window, work.phases.data(), work.outputs.data(), work.output_gradient.data(),
                           work.phase_gradient.data());
            collect(window, work.phase_gradient.data(), dx.plane(n, c));
            sums.add<Relu>(found, x.plane(n, c), dx.plane(n, c), x.size());  // while both are in the cache
        });
        write_input_gradient<Relu>({x, c}, norm, c, sums, {dx, c}, {dx, c});
    });
}

}  // namespace

KERNEL(norm_max_pool_same) { return norm_max_pool(arguments, true); }
KERNEL(norm_max_pool_pad) { return norm_max_pool(arguments, false); }
KERNEL(norm_max_pool_same_gradient) { return norm_max_pool_gradient(arguments, true); }
KERNEL(norm_max_pool_pad_gradient) { return norm_max_pool_gradient(arguments, false); }

}  // namespace kernels
