// Sixteen floats that are computed with at once. The compiler makes one, two or four registers of them, so the order of
// sums is the same on every processor, except in the gradients of tile.h, whose registers are those of the processor.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

namespace kernels {

using Index = std::int64_t;

constexpr Index kLanes = 16;

using Lanes = float __attribute__((vector_size(64)));
// Written as typedef: in an alias by `using` clang would not keep the alignment.
typedef float Unaligned __attribute__((vector_size(64), aligned(4), may_alias));

inline Lanes load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }

inline void store(float* to, Lanes value) { *reinterpret_cast<Unaligned*>(to) = value; }

inline Lanes fill(float value) { return Lanes{} + value; }

// The lanes of a pair of vectors at these places.
template <int... kPlace, class Vector>
inline Vector shuffle(Vector a, Vector b) {
#if defined(__clang__) || __GNUC__ >= 12
    return __builtin_shufflevector(a, b, kPlace...);
#else
    return __builtin_shuffle(a, b, decltype(a < b){kPlace...});
#endif
}

// The sum of all lanes of a vector, each half added to the other.
template <Index kHalf, class Vector, int... kLane>
inline float sum(Vector value, std::integer_sequence<int, kLane...> lanes) {
    if constexpr (kHalf == 0)
        return value[0];
    else
        return sum<kHalf / 2>(value + shuffle<(kLane + kHalf) % int(sizeof...(kLane))...>(value, value), lanes);
}

template <class Vector>
inline float sum(Vector value) {
    constexpr int kCount = sizeof(Vector) / sizeof(float);
    return sum<kCount / 2>(value, std::make_integer_sequence<int, kCount>{});
}

constexpr Index round_up(Index value, Index step) { return (value + step - 1) / step * step; }

}  // namespace kernels
