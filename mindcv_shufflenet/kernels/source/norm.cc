// BatchNorm with an activation.
#include "channel.h"
#include "threads.h"

namespace kernels {

// (x, settings, gamma, beta, moving mean, moving variance) -> (y, statistics)
KERNEL(norm) {
    if (!arguments.have("NCHW 4 C C C C NCHW 2C")) return kRefused;
    const Maps x = maps(arguments, 0), y = maps(arguments, 6);
    const Norm norm(arguments, 1, arguments.tensor(7));
    return with_activation(norm.settings, [&]<class Activation>() {
        return parallel(x.channels, [&](Index c) { apply<Activation>(measure({x, c}, norm), {x, c}, {y, c}); });
    });
}

// (x, settings, gamma, beta, statistics, gradient) -> (gradients of x, gamma, beta)
KERNEL(norm_gradient) {
    if (!arguments.have("NCHW 4 C C 2C NCHW NCHW C C")) return kRefused;
    const Maps x = maps(arguments, 0), dy = maps(arguments, 5), dx = maps(arguments, 6);
    const NormGradient norm = norm_gradient_of(arguments, 1, 4, 7);
    return with_activation(norm.settings, [&]<class Activation>() {
        return parallel(x.channels, [&](Index c) { gradient_of_norm<Activation>({x, c}, norm, c, {dy, c}, {dx, c}); });
    });
}

}  // namespace kernels
