// The 1x1 convolution, of all channels or group by group.
#include "matmul.h"
#include "operators.h"

namespace kernels {
namespace {

// Whether channels of input and output are in groups of whole size, of which each has `depth` inputs.
bool are_grouped(Index inputs, Index depth, Index outputs) {
    return inputs % depth == 0 && outputs % (inputs / depth) == 0;
}

}  // namespace

// (x, weights) -> (y)
KERNEL(pointwise) {
    if (!arguments.have("NCHW OD11 NOHW")) return kRefused;
    const Maps x = maps(arguments, 0), y = maps(arguments, 2);
    const Index depth = arguments.size(1, 1);
    if (!are_grouped(x.channels, depth, y.channels)) return kRefused;
    const Index groups = x.channels / depth, rows = y.channels / groups;
    for (Index g = 0; g < groups; ++g) {
        const Matrix weights(arguments.tensor(1) + g * rows * depth, rows, depth);
        multiply(weights, x.part(g * depth, 1, depth), y.part(g * rows, 1, rows));
    }
    return 0;
}

// (x, weights, gradient) -> (gradients of x, weights)
KERNEL(pointwise_gradient) {
    if (!arguments.have("NCHW OD11 NOHW NCHW OD11")) return kRefused;
    const Maps x = maps(arguments, 0), dy = maps(arguments, 2), dx = maps(arguments, 3);
    const Index depth = arguments.size(1, 1);
    if (!are_grouped(x.channels, depth, dy.channels)) return kRefused;
    const Index groups = x.channels / depth, rows = dy.channels / groups;
    for (Index g = 0; g < groups; ++g) {
        const Maps own = dy.part(g * rows, 1, rows);
        const Matrix weights(arguments.tensor(1) + g * rows * depth, rows, depth);
        multiply(weights.transposed(), own, dx.part(g * depth, 1, depth));
        weight_gradient(own, x.part(g * depth, 1, depth), arguments.tensor(4) + g * rows * depth);
    }
    return 0;
}

}  // namespace kernels
