#include "matmul.h"

#include "bfloat16.h"
#include "columns.h"
#include "threads.h"
#include "tile.h"

namespace kernels {
namespace {

// Rows of a weight gradient that one thread computes.
constexpr Index kStrip = 64;
// Floats from a row of a chunk to the next: rows that lie a power of two apart would share the places in a cache.
constexpr Index kPitch = kChunk + kLanes;
// A weight gradient is divided into at least so many items, if it has the columns for them.
constexpr Index kItems = 16;

}  // namespace

void multiply(const Matrix& weights, const Maps& in, const Maps& out, const Affine* affine) {
    if (bfloat16::is_used()) return bfloat16::multiply(weights, in, out, affine);
    const Blocks blocks(weights);
    const Index depth = weights.depth, count = in.count();
    parallel((count + kPanel - 1) / kPanel, [&](Index number) {
        const Columns columns(in, number * kPanel, std::min((number + 1) * kPanel, count));
        float* const panel = scratch(depth * kPanel + kTileRows * kPanel);
        float* const tile = panel + depth * kPanel;
        columns.read(in, 0, depth, affine, panel, kPanel);
        for (Index block = 0; block < blocks.count; ++block) {
            const Index first = block * kTileRows, end = std::min(first + kTileRows, weights.rows);
            columns.fetch_written(out, first, end);
            columns.fetch_next(in, depth * block / blocks.count, depth * (block + 1) / blocks.count);
            multiply_tile(blocks.block(block), Rows{panel, kPanel}, depth, tile);
            columns.write(tile, kPanel, out, first, end - first);
        }
    });
}

void weight_gradient(const Maps& out, const Maps& in, float* gradient, const Affine* affine) {
    if (bfloat16::is_used()) return bfloat16::weight_gradient(out, in, gradient, affine);
    const Index rows = out.channels, depth = in.channels, all = in.count();
    const Index chunks = (all + kChunk - 1) / kChunk, strips = (rows + kStrip - 1) / kStrip;
    const Index parts = std::min(chunks, (kItems + strips - 1) / strips);
    Parts sums(parts, rows * depth);
    parallel(parts * strips, [&](Index item) {
        const Index part = item / strips, first = (item % strips) * kStrip, count = std::min(kStrip, rows - first);
        float* const a = scratch((count + depth) * kPitch);
        float* const b = a + count * kPitch;
        for (Index chunk = chunks * part / parts; chunk < chunks * (part + 1) / parts; ++chunk) {
            const Index begin = chunk * kChunk, end = std::min(begin + kChunk, all);
            const Columns columns(in, begin, end);
            columns.read(out, first, count, nullptr, a, kPitch);
            columns.read(in, 0, depth, affine, b, kPitch);
            for (Index row = 0; row < count + depth; ++row)  // up to a whole register
                std::fill(a + row * kPitch + end - begin, a + row * kPitch + round_up(end - begin, kRegister), 0.0F);
            add_dots(Rows{a, kPitch}, Rows{b, kPitch}, 0, end - begin, count, depth, sums.part(part) + first * depth);
        }
    });
    sums.add_up(gradient);
}

}  // namespace kernels
