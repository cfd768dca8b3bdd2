// A convolution of one channel as a sum of shifted rows, after a polyphase decomposition of the map.
//
// The map is spread, with its padding, over stride x stride phases: phase (a, b) has its rows a, a + stride, ... and of
// them the columns b, b + stride, ... Then a tap of the kernel is one phase, read from an offset on, and a convolution
// of any stride is a loop over the phase's memory, without rows and borders. The columns that lie between the rows are
// computed as well and dropped.
#pragma once

#include <algorithm>
#include <utility>

#include "lanes.h"

namespace kernels {

typedef float Eight __attribute__((vector_size(32), aligned(4), may_alias));
typedef float Four __attribute__((vector_size(16), aligned(4), may_alias));

// Calls visit.operator()<Vector>(x) so that each element of a row of `width` elements is in a vector at least once.
template <class Visit>
inline void over_row(Index width, Visit&& visit) {
    if (width >= kLanes) {
        for (Index x = 0; x + kLanes <= width; x += kLanes) visit.template operator()<Unaligned>(x);
        if (width % kLanes) visit.template operator()<Unaligned>(width - kLanes);
    } else if (width >= 8) {
        visit.template operator()<Eight>(0);
        if (width > 8) visit.template operator()<Eight>(width - 8);
    } else if (width >= 4) {
        visit.template operator()<Four>(0);
        if (width > 4) visit.template operator()<Four>(width - 4);
    } else {
        for (Index x = 0; x < width; ++x) visit.template operator()<float>(x);
    }
}

// A vector, or a float, in memory that is aligned as floats are. The type of a vector loses that attribute as an argument
// of a template: it is given again where memory is read and written.
template <class Vector>
inline Vector at(const float* memory) {
    typedef Vector Type __attribute__((aligned(4), may_alias));
    return *reinterpret_cast<const Type*>(memory);
}

template <class Vector>
struct Written {
    float* memory;
    void operator=(Vector value) const {
        typedef Vector Type __attribute__((aligned(4), may_alias));
        *reinterpret_cast<Type*>(memory) = value;
    }
};

template <class Vector>
inline Written<Vector> at(float* memory) { return {memory}; }

struct Same {
    template <class Vector>
    Vector operator()(Vector value) const { return value; }
};

// What is read and written behind a map at most, of a panel of columns.
constexpr Index kSlack = 3 * kLanes;

// The sizes of a convolution or a pool, of stride 1 or 2, that keeps the size at stride 1. `padding` lies above, `left` on
// the left.
struct Window {
    Index height, width, kernel, stride;
    Index padding = kernel / 2, left = padding;
    Index out_height = (height - 1) / stride + 1;
    Index out_width = (width - 1) / stride + 1;
    Index reach = (kernel - 1) / stride;  // how far a tap lies from its output, in elements of a phase
    Index pitch = out_width + reach;      // elements of a row of a phase
    Index rows = out_height + reach;
    Index used = out_height * pitch;      // elements that are computed
    Index margin = round_up(reach * pitch + reach, kLanes);
    Index phase = round_up(rows * pitch, kLanes) + margin + kSlack;

    Index in_size() const { return height * width; }
    Index phases() const { return stride * stride * phase; }  // elements of all phases
    Index outputs() const { return margin + round_up(rows * pitch, kLanes) + kSlack; }

    // With stride 2: where pixel x of a row lies, from the row of the first phase on; whether an output depends on it; and
    // on how many pairs of pixels of a row one does.
    Index place(Index x) const { return (x + left) % 2 * phase + (x + left) / 2; }
    bool is_read(Index x) const { return (x + left) / 2 < pitch; }
    Index pairs() const { return std::min(width / 2, pitch - (left + 1) / 2); }

    // Where tap (y, x) of the kernel begins, in the phases.
    Index tap(Index y, Index x) const {
        return ((y % stride) * stride + x % stride) * phase + (y / stride) * pitch + x / stride;
    }
};

// Every second lane of two vectors, from the first or from the second on.
template <int kFirst, class Vector, int... kLane>
inline Vector deinterleave(Vector a, Vector b, std::integer_sequence<int, kLane...>) {
    return shuffle<2 * kLane + kFirst...>(a, b);
}

// The lanes of two vectors in turn: the first or the second half of them.
template <int kFirst, class Vector, int... kLane>
inline Vector interleave(Vector a, Vector b, std::integer_sequence<int, kLane...>) {
    constexpr int kCount = sizeof...(kLane);
    return shuffle<(kFirst + kLane) / 2 + kLane % 2 * kCount...>(a, b);
}

// Calls visit.operator()<Vector>(i), pair by pair of a row, for each pair once: in vectors that become shorter.
template <class Visit>
inline void over_pairs(Index pairs, Visit&& visit) {
    Index i = 0;
    for (; i + kLanes <= pairs; i += kLanes) visit.template operator()<Unaligned>(i);
    if (i + 8 <= pairs) visit.template operator()<Eight>(i), i += 8;
    if (i + 4 <= pairs) visit.template operator()<Four>(i), i += 4;
    for (; i < pairs; ++i) visit.template operator()<float>(i);
}

template <class Map>
inline void split_row(const float* from, Index pairs, float* even, float* odd, Map map) {
    over_pairs(pairs, [&]<class V>(Index i) {
        if constexpr (sizeof(V) == sizeof(float)) {
            even[i] = map(from[2 * i]);
            odd[i] = map(from[2 * i + 1]);
        } else {
            constexpr int kCount = sizeof(V) / sizeof(float);
            constexpr auto lanes = std::make_integer_sequence<int, kCount>{};
            const V a = map(at<V>(from + 2 * i)), b = map(at<V>(from + 2 * i + kCount));
            at<V>(even + i) = deinterleave<0>(a, b, lanes);
            at<V>(odd + i) = deinterleave<1>(a, b, lanes);
        }
    });
}

inline void join_row(const float* even, const float* odd, Index pairs, float* to) {
    over_pairs(pairs, [&]<class V>(Index i) {
        if constexpr (sizeof(V) == sizeof(float)) {
            to[2 * i] = even[i];
            to[2 * i + 1] = odd[i];
        } else {
            constexpr int kCount = sizeof(V) / sizeof(float);
            constexpr auto lanes = std::make_integer_sequence<int, kCount>{};
            const V a = at<V>(even + i), b = at<V>(odd + i);
            at<V>(to + 2 * i) = interleave<0>(a, b, lanes);
            at<V>(to + 2 * i + kCount) = interleave<kCount>(a, b, lanes);
        }
    });
}

// Spreads a map over phases that are 0 where it has no pixels.
template <class Map>
inline void spread(const Window& window, const float* image, float* phases, Map map) {
    const Index stride = window.stride;
    for (Index y = 0; y < window.height; ++y) {
        const Index row = y + window.padding;
        if (row / stride >= window.rows) break;
        const float* from = image + y * window.width;
        float* to = phases + (row % stride) * stride * window.phase + (row / stride) * window.pitch;
        if (stride == 1) {
            over_row(window.width, [&]<class Vector>(Index x) {
                at<Vector>(to + window.left + x) = map(at<Vector>(from + x));
            });
            continue;
        }
        const Index pairs = window.pairs();
        split_row(from, pairs, to + window.place(0), to + window.place(1), map);
        for (Index x = 2 * pairs; x < window.width; ++x)
            if (window.is_read(x)) to[window.place(x)] = map(from[x]);
    }
}

// Undoes spread: what no output depends on becomes 0.
inline void collect(const Window& window, const float* phases, float* image) {
    const Index stride = window.stride;
    for (Index y = 0; y < window.height; ++y) {
        const Index row = y + window.padding;
        float* to = image + y * window.width;
        if (row / stride >= window.rows) {
            std::fill(to, image + window.in_size(), 0.0F);
            break;
        }
        const float* from = phases + (row % stride) * stride * window.phase + (row / stride) * window.pitch;
        if (stride == 1) {
            over_row(window.width, [&]<class Vector>(Index x) {
                at<Vector>(to + x) = at<Vector>(from + window.left + x);
            });
            continue;
        }
        const Index pairs = window.pairs();
        join_row(from + window.place(0), from + window.place(1), pairs, to);
        for (Index x = 2 * pairs; x < window.width; ++x) to[x] = window.is_read(x) ? from[window.place(x)] : 0.0F;
    }
}

// Puts an output map into rows of a phase's pitch; between them lie zeros.
inline void widen(const Window& window, const float* image, float* outputs) {
    for (Index y = 0; y < window.out_height; ++y) {
        const float* from = image + y * window.out_width;
        float* to = outputs + window.margin + y * window.pitch;
        over_row(window.out_width, [&]<class Vector>(Index x) { at<Vector>(to + x) = at<Vector>(from + x); });
    }
}

// Takes an output map out of rows of a phase's pitch.
inline void narrow(const Window& window, const float* outputs, float* image) {
    for (Index y = 0; y < window.out_height; ++y) {
        const float* from = outputs + window.margin + y * window.pitch;
        float* to = image + y * window.out_width;
        over_row(window.out_width, [&]<class Vector>(Index x) { at<Vector>(to + x) = at<Vector>(from + x); });
    }
}

}  // namespace kernels
