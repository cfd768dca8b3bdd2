// The innermost loops of all products: a tile of sums that stays in the registers.
#pragma once

#include <utility>
#include <vector>

#include "planes.h"

namespace kernels {

// A tile of sums fills most of the registers of the processor, which hold so many floats.
#if defined(__AVX512F__)
constexpr Index kRegister = 16, kTileRows = 8, kTileVectors = 3;  // 24 of 32 registers
constexpr Index kDotRows = 4, kDotColumns = 6;
#elif defined(__AVX2__)
constexpr Index kRegister = 8, kTileRows = 6, kTileVectors = 2;  // 12 of 16
constexpr Index kDotRows = 3, kDotColumns = 4;
#else
constexpr Index kRegister = 4, kTileRows = 6, kTileVectors = 2;
constexpr Index kDotRows = 3, kDotColumns = 4;
#endif
constexpr Index kPanel = kTileVectors * kRegister;  // columns that are computed at once
static_assert(kPanel <= kSlack, "a panel may begin at the last column of a map");

typedef float Register __attribute__((vector_size(kRegister * sizeof(float)), aligned(4), may_alias));

// A matrix whose element (r, k) is at data[r * row_step + k * depth_step].
struct Matrix {
    const float* data;
    Index rows, depth, row_step, depth_step;

    // Rows that lie one behind the other.
    Matrix(const float* data_, Index rows_, Index depth_)
        : data(data_), rows(rows_), depth(depth_), row_step(depth_), depth_step(1) {}

    float at(Index r, Index k) const { return data[r * row_step + k * depth_step]; }

    Matrix transposed() const {
        Matrix other = *this;
        std::swap(other.rows, other.depth);
        std::swap(other.row_step, other.depth_step);
        return other;
    }
};

// A matrix in blocks of kTileRows rows, column by column, the last one filled up with zeros.
struct Blocks {
    Index count, depth;
    std::vector<float> data;

    explicit Blocks(const Matrix& matrix)
        : count((matrix.rows + kTileRows - 1) / kTileRows),
          depth(matrix.depth),
          data(static_cast<std::size_t>(count * kTileRows * depth)) {
        for (Index r = 0; r < matrix.rows; ++r) {
            float* const to = data.data() + (r / kTileRows) * kTileRows * depth + r % kTileRows;
            for (Index k = 0; k < depth; ++k) to[k * kTileRows] = matrix.at(r, k);
        }
    }

    const float* block(Index number) const { return data.data() + number * kTileRows * depth; }
};

// Rows that lie equally far apart.
struct Rows {
    const float* first;
    Index step;
    const float* operator[](Index row) const { return first + row * step; }
};

// tile[r, c] (rows of kPanel floats) = sum over k of block[k, r] * rows[k][c]; `rows` are Rows, or pointers.
template <class Some>
inline void multiply_tile(const float* block, const Some& rows, Index depth, float* tile, Index begin = 0) {
    Register total[kTileRows][kTileVectors] = {};
    for (Index k = 0; k < depth; ++k) {
        const float* const row = rows[k] + begin;
        Register value[kTileVectors];
#pragma GCC unroll 3
        for (Index v = 0; v < kTileVectors; ++v) value[v] = at<Register>(row + v * kRegister);
#pragma GCC unroll 8
        for (Index r = 0; r < kTileRows; ++r)
#pragma GCC unroll 3
            for (Index v = 0; v < kTileVectors; ++v) total[r][v] += block[k * kTileRows + r] * value[v];
    }
#pragma GCC unroll 8
    for (Index r = 0; r < kTileRows; ++r)
#pragma GCC unroll 3
        for (Index v = 0; v < kTileVectors; ++v) at<Register>(tile + r * kPanel + v * kRegister) = total[r][v];
}

// The lanes of two vectors in groups of `kWidth`: of each group, the halves of `a` are added up, then those of `b`.
template <Index kWidth, Index... kLane>
inline Register fold(Register a, Register b, std::integer_sequence<Index, kLane...>) {
    constexpr auto from = [](Index lane) {
        const Index place = lane % kWidth;
        return lane - place + place % (kWidth / 2) + (place < kWidth / 2 ? 0 : kRegister);
    };
    return shuffle<from(kLane)...>(a, b) + shuffle<(from(kLane) + kWidth / 2)...>(a, b);
}

template <Index kWidth>
inline void fold_all(Register* values) {
    if constexpr (kWidth > 1) {
#pragma GCC unroll 8
        for (Index i = 0; i < kWidth / 2; ++i)
            values[i] = fold<kWidth>(values[i], values[i + kWidth / 2], std::make_integer_sequence<Index, kRegister>{});
        fold_all<kWidth / 2>(values);
    }
}

// sums[i] = the sum of the lanes of values[i], of so many vectors, a multiple of the lanes of one. They are used up.
template <Index kCount>
inline void sum_each(Register* values, float* sums) {
    for (Index first = 0; first < kCount; first += kRegister) {
        fold_all<kRegister>(values + first);
        at<Register>(sums + first) = values[first];
    }
}

// Columns whose rows fit into the nearest cache.
constexpr Index kChunk = 1024;

// gradient[r, k] (rows of `depth` floats) += sum over columns of a[r][column] * b[k][column]; `a` and `b` are Rows, or
// pointers. What lies behind the last column, up to a whole register, is 0 in one of both.
template <class Left, class Right>
inline void add_dots(const Left& a, const Right& b, Index begin, Index end, Index rows, Index depth, float* gradient) {
    constexpr Index kDots = (kDotRows * kDotColumns + kRegister - 1) / kRegister * kRegister;
    for (Index first_k = 0; first_k < depth; first_k += kDotColumns)
        for (Index first_r = 0; first_r < rows; first_r += kDotRows) {
            const float *left_rows[kDotRows], *right_rows[kDotColumns];
            for (Index r = 0; r < kDotRows; ++r) left_rows[r] = a[std::min(first_r + r, rows - 1)];
            for (Index k = 0; k < kDotColumns; ++k) right_rows[k] = b[std::min(first_k + k, depth - 1)];
            Register total[kDots] = {};
            for (Index i = begin; i < end; i += kRegister) {
                Register left[kDotRows];
#pragma GCC unroll 4
                for (Index r = 0; r < kDotRows; ++r) left[r] = at<Register>(left_rows[r] + i);
#pragma GCC unroll 6
                for (Index k = 0; k < kDotColumns; ++k) {
                    const Register right = at<Register>(right_rows[k] + i);
#pragma GCC unroll 4
                    for (Index r = 0; r < kDotRows; ++r) total[r * kDotColumns + k] += left[r] * right;
                }
            }
            float sums[kDots];
            sum_each<kDots>(total, sums);
            for (Index r = 0; r < std::min(kDotRows, rows - first_r); ++r)
                for (Index k = 0; k < std::min(kDotColumns, depth - first_k); ++k)
                    gradient[(first_r + r) * depth + first_k + k] += sums[r * kDotColumns + k];
        }
}

// Sums that are made in parts, whoever computes them, and added in the order of the parts.
class Parts {
public:
    Parts(Index count, Index numbers)
        : count_(count), numbers_(numbers), data_(static_cast<std::size_t>(count * numbers)) {}

    float* part(Index number) { return data_.data() + number * numbers_; }

    void add_up(float* to) const {
        for (Index i = 0; i < numbers_; ++i) {
            float total = 0;
            for (Index part = 0; part < count_; ++part) total += data_[static_cast<std::size_t>(part * numbers_ + i)];
            to[i] = total;
        }
    }

private:
    Index count_, numbers_;
    std::vector<float> data_;
};

// Scratch memory of a thread, which grows; its content is lost at the next call.
inline float* scratch(Index floats) {
    thread_local std::vector<float> memory;
    if (static_cast<Index>(memory.size()) < floats + kLanes) memory.resize(static_cast<std::size_t>(floats + kLanes));
    float* const start = memory.data();
    return start + (64 - reinterpret_cast<std::uintptr_t>(start) % 64) % 64 / sizeof(float);
}

}  // namespace kernels
