// A convolution of few channels, such as a network's first: a product of the weights and the phases of planes.h, whose
// rows are the taps of all channels.
#include "maps.h"
#include "operators.h"
#include "threads.h"
#include "tile.h"

namespace kernels {
namespace {

// The images of a gradient of weights are added up in so many parts.
constexpr Index kParts = 16;

// The phases of an image's channels, and where each tap of each channel begins in them.
struct Taps {
    const Window& window;
    Index channels;
    std::vector<float> phases;
    std::vector<const float*> rows;

    Taps(const Window& window_, Index channels_)
        : window(window_), channels(channels_), phases(static_cast<std::size_t>(channels * window.phases())) {
        for (Index c = 0; c < channels; ++c)
            for (Index y = 0; y < window.kernel; ++y)
                for (Index x = 0; x < window.kernel; ++x)
                    rows.push_back(phases.data() + c * window.phases() + window.tap(y, x));
    }

    void read(const Maps& x, Index image) {
        for (Index c = 0; c < channels; ++c)
            spread(window, x.plane(image, c), phases.data() + c * window.phases(), Same{});
    }
};

}  // namespace

// (x, weights) -> (y)
static int convolution(const Arguments& arguments) {
    if (!arguments.have("NCHW OCKK NOhw")) return kRefused;
    const Maps x = maps(arguments, 0), y = maps(arguments, 2);
    const Window window = window_of(x, y, arguments.size(1, 2));
    if (!fits(window, y)) return kRefused;
    const Index depth = x.channels * window.kernel * window.kernel;
    const Blocks weights(Matrix(arguments.tensor(1), y.channels, depth));
    return parallel(x.images, [&](Index n) {
        thread_local std::vector<float> outputs;
        outputs.resize(static_cast<std::size_t>(round_up(y.channels, kTileRows) * (window.outputs() + kPanel)));
        const Index step = window.outputs() + kPanel;
        Taps taps(window, x.channels);
        taps.read(x, n);
        float tile[kTileRows * kPanel];
        for (Index column = 0; column < window.used; column += kPanel)
            for (Index block = 0; block < weights.count; ++block) {
                multiply_tile(weights.block(block), taps.rows.data(), depth, tile, column);
                for (Index r = 0; r < kTileRows; ++r)
                    std::memcpy(outputs.data() + (block * kTileRows + r) * step + window.margin + column,
                                tile + r * kPanel, sizeof(float) * kPanel);
            }
        for (Index r = 0; r < y.channels; ++r) narrow(window, outputs.data() + r * step, y.plane(n, r));
    });
}

// MindSpore keeps the shapes that it has inferred by the name of an operator, so each stride has one.
KERNEL(convolution_1) { return convolution(arguments); }
KERNEL(convolution_2) { return convolution(arguments); }

// (x, weights, gradient) -> (gradient of weights)
KERNEL(convolution_weight_gradient) {
    if (!arguments.have("NCHW OCKK NOhw OCKK")) return kRefused;
    const Maps x = maps(arguments, 0), dy = maps(arguments, 2);
    const Window window = window_of(x, dy, arguments.size(1, 2));
    if (!fits(window, dy)) return kRefused;
    const Index depth = x.channels * window.kernel * window.kernel, numbers = dy.channels * depth;
    const Index parts = std::min(kParts, x.images);
    Parts sums(parts, numbers);
    parallel(parts, [&](Index part) {
        std::vector<float> outputs(static_cast<std::size_t>(dy.channels * window.outputs()));
        std::vector<const float*> rows(static_cast<std::size_t>(dy.channels));
        for (Index r = 0; r < dy.channels; ++r)
            rows[static_cast<std::size_t>(r)] = outputs.data() + window.margin + r * window.outputs();
        Taps taps(window, x.channels);
        for (Index n = x.images * part / parts; n < x.images * (part + 1) / parts; ++n) {
            taps.read(x, n);
            for (Index r = 0; r < dy.channels; ++r)
                widen(window, dy.plane(n, r), outputs.data() + r * window.outputs());
            for (Index begin = 0; begin < window.used; begin += kChunk)
                add_dots(rows.data(), taps.rows.data(), begin, std::min(begin + kChunk, window.used), dy.channels, depth,
                         sums.part(part));
        }
    });
    sums.add_up(arguments.tensor(3));
    return 0;
}

}  // namespace kernels
