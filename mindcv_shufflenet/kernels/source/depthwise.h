// The depthwise convolution of one channel, on the phases of planes.h, and its gradients.
#pragma once

#include "planes.h"

namespace kernels {

// Kernels of K x K; the weights of one channel lie in rows.
template <int K>
struct Depthwise {
    // Writes outputs in rows of the window's pitch, from phases.
    static void convolve(const Window& window, const float* phases, const float* weights, float* outputs) {
        Lanes factor[K * K];
        const float* from[K * K];
        for (int tap = 0; tap < K * K; ++tap) {
            factor[tap] = fill(weights[tap]);
            from[tap] = phases + window.tap(tap / K, tap % K);
        }
        for (Index i = 0; i < window.used; i += kLanes) {
            Lanes total{};
#pragma GCC unroll 64
            for (int tap = 0; tap < K * K; ++tap) total += factor[tap] * load(from[tap] + i);
            store(outputs + window.margin + i, total);
        }
    }

    // Adds to the gradient of the weights, lane by lane, from phases and the gradient of the outputs. A plane has a sum of
    // its own first, since the rounding errors of a long sum add up.
    static void add_weight_gradient(const Window& window, const float* phases, const float* outputs, Lanes* totals) {
        for (int y = 0; y < K; ++y) {
            Lanes total[K] = {};
            const float* from[K];
            for (int x = 0; x < K; ++x) from[x] = phases + window.tap(y, x);
            for (Index i = 0; i < window.used; i += kLanes) {
                const Lanes gradient = load(outputs + window.margin + i);
#pragma GCC unroll 8
                for (int x = 0; x < K; ++x) total[x] += gradient * load(from[x] + i);
            }
            for (int x = 0; x < K; ++x) totals[y * K + x] += total[x];
        }
    }

    // Writes the gradient of the phases, from that of the outputs, between and around whose rows lie zeros.
    static void input_gradient(const Window& window, const float* outputs, const float* weights, float* phases) {
        for (Index phase = 0; phase < window.stride * window.stride; ++phase) {
            const Index first_y = phase / window.stride, first_x = phase % window.stride;
            Lanes factor[K * K];
            const float* from[K * K];
            int taps = 0;
            for (Index y = first_y; y < K; y += window.stride)
                for (Index x = first_x; x < K; x += window.stride) {
                    factor[taps] = fill(weights[y * K + x]);
                    from[taps++] = outputs + window.margin - (y / window.stride) * window.pitch - x / window.stride;
                }
            float* to = phases + phase * window.phase;
            for (Index i = 0; i < window.rows * window.pitch; i += kLanes) {
                Lanes total{};
                for (int tap = 0; tap < taps; ++tap) total += factor[tap] * load(from[tap] + i);
                store(to + i, total);
            }
        }
    }
};

}  // namespace kernels
