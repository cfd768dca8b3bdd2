#include "bfloat16.h"

#include <atomic>

#include "columns.h"
#include "threads.h"

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512BF16__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define KERNELS_HAVE_TILES
#endif

namespace kernels::bfloat16 {
namespace {

std::atomic<bool> is_enabled{false};

#ifdef KERNELS_HAVE_TILES

using Half = std::uint16_t;

// A tile has 16 rows of 64 bytes: 32 bfloat16 or 16 float32. Sums are computed in squares of 2 x 2 tiles.
constexpr Index kRows = 16, kDepth = 32, kTile = kRows * kDepth;
constexpr Index kSquare = 2 * kRows;  // rows and columns of a square, and floats between its rows
constexpr Index kColumns = 64;        // of a panel
// Of a weight gradient: columns that are multiplied at once, the distance of their rows, rows of a strip, and strips of an
// item.
constexpr Index kChunkColumns = 1024, kChunkPitch = kChunkColumns + kDepth, kStrip = 64, kItems = 16;

// The tile registers of a thread, as long as it uses them.
class Tiles {
public:
    Tiles() {
        struct alignas(64) {
            std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
            std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
            std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
        } shapes;
        asm volatile("" ::"r"(&shapes) : "memory");  // some compilers believe that it reads the first bytes alone
        _tile_loadconfig(&shapes);
    }
    ~Tiles() { _tile_release(); }
    Tiles(const Tiles&) = delete;
    Tiles& operator=(const Tiles&) = delete;
};

__m512i rounded(const float* first, const float* second) {
    return (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(second), _mm512_loadu_ps(first));
}

// Adds products along the depth to a square of sums, which is written to rows of kSquare floats. Tiles of `a` lie
// `a_step` apart from one to the next along the depth, in rows of `a_bytes`; those of the second row of tiles `a_next`
// further on. Tiles of `b` are packed, the depth within.
void multiply_square(const Half* a, Index a_step, Index a_bytes, Index a_next, const Half* b, Index b_next, Index depth,
                     float* sums) {
    asm volatile("" ::: "memory");  // the tiles are written before they are loaded, which some compilers do not know
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (Index k = 0; k < depth; ++k) {
        _tile_loadd(4, a + k * a_step, a_bytes);
        _tile_loadd(5, a + a_next + k * a_step, a_bytes);
        _tile_loadd(6, b + k * kTile, 64);
        _tile_loadd(7, b + b_next + k * kTile, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    constexpr Index kBytes = kSquare * sizeof(float);
    _tile_stored(0, sums, kBytes);
    _tile_stored(1, sums + kRows, kBytes);
    _tile_stored(2, sums + kRows * kSquare, kBytes);
    _tile_stored(3, sums + kRows * kSquare + kRows, kBytes);
}

// Weights in tiles, those of a row of tiles one behind the other.
std::vector<Half> packed(const Matrix& weights, Index row_tiles, Index depth_tiles) {
    std::vector<Half> tiles(static_cast<std::size_t>(row_tiles * depth_tiles * kTile));
    parallel(row_tiles * kRows, [&](Index r) {
        if (r >= weights.rows) return;
        for (Index tile = 0; tile < depth_tiles; ++tile) {
            float row[kDepth] = {};
            for (Index k = tile * kDepth; k < std::min((tile + 1) * kDepth, weights.depth); ++k)
                row[k - tile * kDepth] = weights.at(r, k);
            _mm512_storeu_si512(tiles.data() + ((r / kRows) * depth_tiles + tile) * kTile + r % kRows * kDepth,
                                rounded(row, row + kRows));
        }
    });
    return tiles;
}

// Two rows of a panel as the tiles want them: the numbers of both in turn, `tiles` tiles that lie `step` apart.
void interleave(const float* first, const float* second, Index tiles, Index step, Half* to) {
    static const __m512i order = [] {
        alignas(64) Half numbers[kDepth];
        for (Half i = 0; i < kDepth; ++i) numbers[i] = static_cast<Half>(i / 2 + i % 2 * kRows);
        return _mm512_load_si512(numbers);
    }();
    for (Index tile = 0; tile < tiles; ++tile)
        _mm512_storeu_si512(to + tile * step,
                            _mm512_permutexvar_epi16(order, rounded(first + tile * kRows, second + tile * kRows)));
}

// Transposes 16 x 16 pairs of bfloat16: rows that lie `step` apart become a tile.
void transpose(const Half* from, Index step, Half* to) {
    std::uint32_t pairs[kRows][kRows];
    for (Index r = 0; r < kRows; ++r) std::memcpy(pairs[r], from + r * step, sizeof pairs[r]);
    std::uint32_t columns[kRows][kRows];
    for (Index r = 0; r < kRows; ++r)
        for (Index c = 0; c < kRows; ++c) columns[c][r] = pairs[r][c];
    std::memcpy(to, columns, sizeof columns);
}

// Columns of channels as rows of bfloat16, kChunkPitch apart; what is missing of whole tiles is 0.
void read_rounded(const Columns& columns, Index length, const Maps& maps, Index first, Index count,
                  const Affine* affine, Half* to) {
    float row[kChunkColumns];
    const Index filled = round_up(length, kDepth);
    for (Index c = 0; c < round_up(count, kSquare); ++c) {
        Half* const rounded_row = to + c * kChunkPitch;
        if (c >= count) {
            std::fill(rounded_row, rounded_row + filled, Half{0});
            continue;
        }
        columns.read(maps, first + c, 1, affine, row, kChunkColumns);
        std::fill(row + length, row + filled, 0.0F);
        for (Index i = 0; i < filled; i += kDepth) _mm512_storeu_si512(rounded_row + i, rounded(row + i, row + i + kRows));
    }
}

#endif

}  // namespace

#ifdef KERNELS_HAVE_TILES

bool is_available() {
    constexpr int kRequestPermission = 0x1023, kTileData = 18;
    static const bool is_granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
    return is_granted;
}

void multiply(const Matrix& weights, const Maps& in, const Maps& out, const Affine* affine) {
    const Index count = in.count();
    const Index row_tiles = round_up(weights.rows, kSquare) / kRows, depth_tiles = round_up(weights.depth, kDepth) / kDepth;
    const std::vector<Half> a = packed(weights, row_tiles, depth_tiles);
    parallel((count + kColumns - 1) / kColumns, [&](Index number) {
        thread_local std::vector<Half> memory;
        memory.resize(static_cast<std::size_t>(kColumns / kRows * depth_tiles * kTile));
        const Index begin = number * kColumns, end = std::min(begin + kColumns, count);
        const Columns columns(in, begin, end);
        float rows[2 * kColumns] = {};
        for (Index k = 0; k < depth_tiles * kDepth; k += 2) {
            const Index read = std::clamp<Index>(weights.depth - k, 0, 2);
            columns.read(in, k, read, affine, rows, kColumns);
            std::fill(rows + read * kColumns, rows + 2 * kColumns, 0.0F);
            interleave(rows, rows + kColumns, kColumns / kRows, depth_tiles * kTile,
                       memory.data() + k / kDepth * kTile + k % kDepth / 2 * kDepth);
        }
        columns.fetch_written(out, 0, weights.rows);
        columns.fetch_next(in, 0, weights.depth);
        const Tiles tiles;
        alignas(64) float sums[kSquare * kSquare];
        for (Index column = 0; column < end - begin; column += kSquare) {
            const Columns written(in, begin + column, std::min(end, begin + column + kSquare));
            for (Index r = 0; r < weights.rows; r += kSquare) {
                multiply_square(a.data() + r / kRows * depth_tiles * kTile, kTile, 64, depth_tiles * kTile,
                                memory.data() + column / kRows * depth_tiles * kTile, depth_tiles * kTile, depth_tiles,
                                sums);
                written.write(sums, kSquare, out, r, std::min(kSquare, weights.rows - r));
            }
        }
    });
}

void weight_gradient(const Maps& out, const Maps& in, float* gradient, const Affine* affine) {
    const Index rows = out.channels, depth = in.channels, all = in.count();
    const Index chunks = (all + kChunkColumns - 1) / kChunkColumns, strips = (rows + kStrip - 1) / kStrip;
    const Index parts = std::min(chunks, (kItems + strips - 1) / strips);
    Parts partial(parts, rows * depth);
    parallel(parts * strips, [&](Index item) {
        const Index part = item / strips, first = item % strips * kStrip, count = std::min(kStrip, rows - first);
        const Index depth_rows = round_up(depth, kSquare);
        thread_local std::vector<Half> memory, transposed;
        memory.resize(static_cast<std::size_t>((round_up(count, kSquare) + depth_rows) * kChunkPitch));
        transposed.resize(static_cast<std::size_t>(depth_rows / kRows * (kChunkColumns / kDepth) * kTile));
        Half* const a = memory.data();
        Half* const b = a + round_up(count, kSquare) * kChunkPitch;
        const Tiles tiles;
        alignas(64) float sums[kSquare * kSquare];
        for (Index chunk = chunks * part / parts; chunk < chunks * (part + 1) / parts; ++chunk) {
            const Index begin = chunk * kChunkColumns, end = std::min(begin + kChunkColumns, all);
            const Columns columns(in, begin, end);
            const Index column_tiles = round_up(end - begin, kDepth) / kDepth;
            read_rounded(columns, end - begin, out, first, count, nullptr, a);
            read_rounded(columns, end - begin, in, 0, depth, affine, b);
            for (Index k = 0; k < depth_rows / kRows; ++k)
                for (Index tile = 0; tile < column_tiles; ++tile)
                    transpose(b + k * kRows * kChunkPitch + tile * kDepth, kChunkPitch,
                              transposed.data() + (k * column_tiles + tile) * kTile);
            for (Index k = 0; k < depth; k += kSquare)
                for (Index r = 0; r < count; r += kSquare) {
                    multiply_square(a + r * kChunkPitch, kDepth, kChunkPitch * sizeof(Half), kRows * kChunkPitch,
                                    transposed.data() + k / kRows * column_tiles * kTile, column_tiles * kTile,
                                    column_tiles, sums);
                    for (Index i = 0; i < std::min(kSquare, count - r); ++i)
                        for (Index j = 0; j < std::min(kSquare, depth - k); ++j)
                            partial.part(part)[(first + r + i) * depth + k + j] += sums[i * kSquare + j];
                }
        }
    });
    partial.add_up(gradient);
}

#else

bool is_available() { return false; }
void multiply(const Matrix&, const Maps&, const Maps&, const Affine*) {}
void weight_gradient(const Maps&, const Maps&, float*, const Affine*) {}

#endif

bool is_used() { return is_enabled.load(std::memory_order_relaxed); }

void use(bool is_wanted) { is_enabled.store(is_wanted && is_available(), std::memory_order_relaxed); }

}  // namespace kernels::bfloat16

extern "C" __attribute__((visibility("default"))) int use_bfloat16(int is_wanted) {
    kernels::bfloat16::use(is_wanted != 0);
    return kernels::bfloat16::is_used() ? 1 : 0;
}
