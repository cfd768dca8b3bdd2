// The columns of all images of a batch, one behind the other: what a product runs over.
#pragma once

#include <vector>

#include "maps.h"
#include "norm.h"

namespace kernels {

// A part of the columns, cut where an image ends.
class Columns {
public:
    Columns(const Maps& maps, Index begin, Index end) {
        Index image = begin / maps.size(), position = begin % maps.size();
        for (Index column = begin; column < end; position = 0, ++image) {
            const Index length = std::min(maps.size() - position, end - column);
            runs_.push_back({image, position, column - begin, length});
            column += length;
        }
    }

    // Copies the columns of `count` channels to rows that lie `pitch` apart; `affine` is applied unless it is null.
    void read(const Maps& maps, Index first, Index count, const Affine* affine, float* rows, Index pitch) const {
        for (const Run& run : runs_)
            for (Index c = 0; c < count; ++c) {
                const float* const from = maps.plane(run.image, first + c) + run.position;
                float* const to = rows + c * pitch + run.column;
                if (affine == nullptr)
                    over_row(run.length, [&]<class Vector>(Index x) { at<Vector>(to + x) = at<Vector>(from + x); });
                else
                    over_row(run.length, [&, map = affine[first + c]]<class Vector>(Index x) {
                        at<Vector>(to + x) = map(at<Vector>(from + x));
                    });
            }
    }

    // Lets the processor fetch what lies behind the columns of channels, as many columns again: they are read next.
    // Inlined, since a compiler leaves out calls of a function that does nothing but fetch.
    [[gnu::always_inline]] void fetch_next(const Maps& maps, Index first, Index end) const {
        for (const Run& run : runs_)
            for (Index c = first; c < end; ++c)
                for (Index x = 0; x < run.length; x += kLanes)
                    __builtin_prefetch(maps.plane(run.image, c) + run.position + run.length + x);
    }

    // Lets it fetch the columns themselves, which are written soon.
    [[gnu::always_inline]] void fetch_written(const Maps& maps, Index first, Index end) const {
        for (const Run& run : runs_)
            for (Index c = first; c < end; ++c)
                for (Index x = 0; x < run.length; x += kLanes)
                    __builtin_prefetch(maps.plane(run.image, c) + run.position + x, 1);
    }

    // Copies rows to the columns of channels.
    void write(const float* rows, Index pitch, const Maps& maps, Index first, Index count) const {
        for (const Run& run : runs_)
            for (Index c = 0; c < count; ++c) {
                const float* const from = rows + c * pitch + run.column;
                float* const to = maps.plane(run.image, first + c) + run.position;
                over_row(run.length, [&]<class Vector>(Index x) { at<Vector>(to + x) = at<Vector>(from + x); });
            }
    }

private:
    struct Run {
        Index image, position, column, length;
    };
    std::vector<Run> runs_;
};

}  // namespace kernels
