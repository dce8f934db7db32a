// Batch normalisation, an optional addition and ReLU as one layer, and 2 x 2 max pooling, of float32
// or bfloat16 maps in NHWC order. machine/fused_kernels.py compiles this file and calls it.
//
// Maps (N, H, W, C) are N H W rows of C channels. They are processed as wide rows: as many rows as
// make a multiple of 64 values, so that the numbers of each of 64 columns stay in registers. Sums
// are made per block of wide rows and then over the blocks in their order: a result does not depend
// on the number of threads. The caller makes sure that the maps are a whole number of wide rows.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

const int LANES = 16, PARTS = 4, TILE = PARTS * LANES;
const int64_t BLOCK = 16384;  // values of a block, at least
const int64_t LONG = 32;      // wide rows of a block, at least

typedef float Lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t Mask __attribute__((vector_size(4 * LANES)));
typedef uint32_t Words __attribute__((vector_size(4 * LANES)));
typedef uint16_t Halves __attribute__((vector_size(2 * LANES)));

struct bfloat16 {
    uint16_t bits;
};

static inline Lanes load(const float *place) {
    Lanes values;
    std::memcpy(&values, place, sizeof values);
    return values;
}

static inline Lanes load(const bfloat16 *place) {
    Halves halves;
    std::memcpy(&halves, place, sizeof halves);
    return (Lanes)(__builtin_convertvector(halves, Words) << 16);
}

static inline void store(float *place, Lanes values) { std::memcpy(place, &values, sizeof values); }

static inline void store(bfloat16 *place, Lanes values) {  // to the nearest, ties to even
    Words bits = (Words)values;
    Words rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
    Words nan = (Words)(values != values);
    Halves halves = __builtin_convertvector((rounded & ~nan) | (0x7FC0 & nan), Halves);
    std::memcpy(place, &halves, sizeof halves);
}

static inline Mask larger(Lanes one, Lanes other) {  // NaN is larger than every number
    return ~(one <= other) & (other == other);
}

static inline Lanes keep(Mask mask, Lanes values) { return (Lanes)((Mask)values & mask); }

// Maps as blocks of wide rows.
struct Division {
    int64_t rows, channels, wide, per_block, values, blocks;

    Division(int64_t rows, int64_t channels) : rows(rows), channels(channels) {
        wide = channels / std::gcd(channels, (int64_t)TILE) * TILE;
        int64_t high = (BLOCK + wide - 1) / wide;
        per_block = wide * (high > LONG ? high : LONG);
        values = rows * channels;
        blocks = (values + per_block - 1) / per_block;
    }
    int64_t start(int64_t block) const { return block * per_block; }
    int64_t end(int64_t block) const { return block + 1 < blocks ? start(block + 1) : values; }
    double rows_of(int64_t block) const { return (end(block) - start(block)) / channels; }

    std::vector<float> repeat(const float *numbers) const {  // of the channels: of a wide row
        std::vector<float> row(wide);
        for (int64_t i = 0; i < wide; i++) row[i] = numbers[i % channels];
        return row;
    }
    void fold(const std::vector<float> &row, float *sums) const {  // adds columns to channels
        for (int64_t first = 0; first < wide; first += channels)
            for (int64_t channel = 0; channel < channels; channel++)
                sums[channel] += row[first + channel];
    }
};

// Calls body(position, column) for each TILE columns of a block's wide rows; positions go down.
template <typename F>
static inline void each_tile(const Division &d, int64_t block, F body) {
    for (int64_t column = 0; column < d.wide; column += TILE)
        body(d.start(block) + column, d.end(block), column);
}

#define EACH_PART for (int part = 0; part < PARTS; part++)

static inline void load_tile(Lanes *tile, const std::vector<float> &row, int64_t column) {
    EACH_PART tile[part] = load(&row[column + part * LANES]);
}

static inline void store_tile(std::vector<float> &row, int64_t column, const Lanes *tile) {
    EACH_PART store(&row[column + part * LANES], tile[part]);
}

// The mean and the biased variance of each channel, by sums about the mean of each block.
template <typename T>
static void moments(const T *x, int64_t rows, int64_t channels, float *mean, float *variance) {
    Division d(rows, channels);
    std::vector<float> sums(d.blocks * channels), squares(d.blocks * channels);
#pragma omp parallel
    {
        std::vector<float> row(d.wide), centre(channels);
#pragma omp for
        for (int64_t block = 0; block < d.blocks; block++) {
            float *total = &sums[block * channels];
            each_tile(d, block, [&](int64_t at, int64_t end, int64_t column) {
                Lanes sum[PARTS] = {};
                for (; at < end; at += d.wide) EACH_PART sum[part] += load(x + at + part * LANES);
                store_tile(row, column, sum);
            });
            d.fold(row, total);
            for (int64_t i = 0; i < channels; i++)
                centre[i] = static_cast<float>(total[i] / d.rows_of(block));
            std::vector<float> centres = d.repeat(centre.data());
            each_tile(d, block, [&](int64_t at, int64_t end, int64_t column) {
                Lanes square[PARTS] = {}, middle[PARTS];
                load_tile(middle, centres, column);
                for (; at < end; at += d.wide) EACH_PART {
                    Lanes away = load(x + at + part * LANES) - middle[part];
                    square[part] += away * away;
                }
                store_tile(row, column, square);
            });
            d.fold(row, &squares[block * channels]);
        }
    }
    for (int64_t channel = 0; channel < channels; channel++) {
        double total = 0, spread = 0;
        for (int64_t block = 0; block < d.blocks; block++) total += sums[block * channels + channel];
        double centre = total / rows;
        for (int64_t block = 0; block < d.blocks; block++) {
            double away = sums[block * channels + channel] / d.rows_of(block) - centre;
            spread += squares[block * channels + channel] + d.rows_of(block) * away * away;
        }
        mean[channel] = static_cast<float>(centre);
        variance[channel] = static_cast<float>(spread / rows);
    }
}

// y = relu(scale x + shift + added); added may be null. NaN stays NaN.
template <typename T>
static void forward(const T *x, const T *added, const float *scale, const float *shift,
                    int64_t rows, int64_t channels, T *y) {
    Division d(rows, channels);
    std::vector<float> scales = d.repeat(scale), shifts = d.repeat(shift);
#pragma omp parallel for
    for (int64_t block = 0; block < d.blocks; block++) {
        each_tile(d, block, [&](int64_t at, int64_t end, int64_t column) {
            Lanes f[PARTS], b[PARTS];
            load_tile(f, scales, column);
            load_tile(b, shifts, column);
            for (; at < end; at += d.wide) EACH_PART {
                int64_t here = at + part * LANES;
                Lanes z = load(x + here) * f[part] + b[part];
                if (added) z += load(added + here);
                store(y + here, keep(~(z <= 0), z));
            }
        });
    }
}

// The gradients of y = relu(scale x + shift + added) with scale and shift from the batch's moments.
// outer: the gradient of y. inverse: 1 / standard deviation. Without an addition, y and for_added
// are null, and where y is positive is computed from x again.
template <typename T, bool ADDED>
static void backward(const T *outer, const T *x, const T *y, const float *mean,
                     const float *inverse, const float *scale, const float *shift, int64_t rows,
                     int64_t channels, T *for_x, T *for_added, float *for_weight, float *for_bias) {
    Division d(rows, channels);
    std::vector<float> means = d.repeat(mean), scales = d.repeat(scale), shifts = d.repeat(shift);
    std::vector<float> sums(d.blocks * channels), products(d.blocks * channels);
#pragma omp parallel
    {
        std::vector<float> sum(d.wide), product(d.wide);
#pragma omp for
        for (int64_t block = 0; block < d.blocks; block++) {
            each_tile(d, block, [&](int64_t at, int64_t end, int64_t column) {
                Lanes m[PARTS], f[PARTS], b[PARTS], s[PARTS] = {}, p[PARTS] = {};
                load_tile(m, means, column);
                load_tile(f, scales, column);
                load_tile(b, shifts, column);
                for (; at < end; at += d.wide) EACH_PART {
                    int64_t here = at + part * LANES;
                    Lanes value = load(x + here);
                    Lanes sign = ADDED ? load(y + here) : value * f[part] + b[part];
                    Lanes g = keep(sign > 0, load(outer + here));
                    s[part] += g;
                    p[part] += g * (value - m[part]);
                    if (ADDED) store(for_added + here, g);
                }
                store_tile(sum, column, s);
                store_tile(product, column, p);
            });
            d.fold(sum, &sums[block * channels]);
            d.fold(product, &products[block * channels]);
        }
    }
    // for_x = scale (g - mean of g - (x - mean) slope), as for_x = scale g + by_x x + constant
    std::vector<float> by_x(channels), constant(channels);
    for (int64_t channel = 0; channel < channels; channel++) {
        double total = 0, along = 0, i = inverse[channel];
        for (int64_t block = 0; block < d.blocks; block++) {
            total += sums[block * channels + channel];
            along += products[block * channels + channel];
        }
        for_bias[channel] = static_cast<float>(total);
        for_weight[channel] = static_cast<float>(along * i);
        double slope = -scale[channel] * along * i * i / rows;
        by_x[channel] = static_cast<float>(slope);
        constant[channel] = static_cast<float>(-scale[channel] * total / rows);
    }
    std::vector<float> slopes = d.repeat(by_x.data()), constants = d.repeat(constant.data());
#pragma omp parallel for
    for (int64_t block = 0; block < d.blocks; block++) {
        each_tile(d, block, [&](int64_t at, int64_t end, int64_t column) {
            Lanes m[PARTS], f[PARTS], b[PARTS], k[PARTS], c[PARTS];
            load_tile(m, means, column);
            load_tile(f, scales, column);
            load_tile(b, shifts, column);
            load_tile(k, slopes, column);
            load_tile(c, constants, column);
            for (; at < end; at += d.wide) EACH_PART {
                int64_t here = at + part * LANES;
                Lanes value = load(x + here), g = load((ADDED ? for_added : outer) + here);
                if (!ADDED) g = keep(value * f[part] + b[part] > 0, g);
                store(for_x + here, g * f[part] + (value - m[part]) * k[part] + c[part]);
            }
        });
    }
}

#define FOR_TYPE(T, name)                                                                          \
    extern "C" void moments_##name(const T *x, int64_t rows, int64_t channels, float *mean,        \
                                   float *variance) {                                              \
        moments(x, rows, channels, mean, variance);                                                \
    }                                                                                              \
    extern "C" void forward_##name(const T *x, const T *added, const float *scale,                 \
                                   const float *shift, int64_t rows, int64_t channels, T *y) {     \
        forward(x, added, scale, shift, rows, channels, y);                                        \
    }                                                                                              \
    extern "C" void backward_##name(const T *outer, const T *x, const T *y, const float *mean,     \
                                    const float *inverse, const float *scale, const float *shift,  \
                                    int64_t rows, int64_t channels, T *for_x, T *for_added,        \
                                    float *for_weight, float *for_bias) {                          \
        auto backward_of = y ? backward<T, true> : backward<T, false>;                             \
        backward_of(outer, x, y, mean, inverse, scale, shift, rows, channels, for_x, for_added,    \
                    for_weight, for_bias);                                                         \
    }

FOR_TYPE(float, float32)
FOR_TYPE(bfloat16, bfloat16)

// The maxima of 2 x 2 windows that do not overlap, and their positions in a map of height x width
// pixels. The first of several maxima counts, row by row, and NaN is larger than every number.
//
// A line of windows is processed in buffers that are LANES longer than the line: with few channels,
// the lanes behind those of a window are overwritten by the next window.
template <typename T>
static void pool(const T *x, int64_t images, int64_t height, int64_t width, int64_t channels, T *y,
                 int64_t *index) {
    int64_t rows = height / 2, columns = width / 2, line = width * channels;
    int64_t half = columns * channels;
#pragma omp parallel
    {
        std::vector<T> upper(line + LANES), lower(line + LANES), largest(half + LANES);
        std::vector<float> highest(line + channels + 2 * LANES);
        std::vector<int32_t> below(line + channels + 2 * LANES), place(half + LANES), left(half);
        for (int64_t i = 0; i < half; i++) left[i] = static_cast<int32_t>(2 * (i / channels));
#pragma omp for
        for (int64_t row = 0; row < images * rows; row++) {
            const T *first = x + (row / rows * height + row % rows * 2) * line;
            std::memcpy(upper.data(), first, line * sizeof(T));
            std::memcpy(lower.data(), first + line, line * sizeof(T));
            for (int64_t i = 0; i < line; i += LANES) {
                Lanes one = load(&upper[i]), other = load(&lower[i]);
                Mask second = larger(other, one);
                store(&highest[i], second ? other : one);
                std::memcpy(&below[i], &second, sizeof second);
            }
            for (int64_t column = 0; column < columns; column++)
                for (int64_t i = 0; i < channels; i += LANES) {
                    int64_t from = 2 * column * channels + i, to = column * channels + i;
                    Lanes one = load(&highest[from]), other = load(&highest[from + channels]);
                    Mask low, other_low;
                    std::memcpy(&low, &below[from], sizeof low);
                    std::memcpy(&other_low, &below[from + channels], sizeof low);
                    Mask second = larger(other, one) | ((one == other) & low & ~other_low);
                    Mask down = (second & other_low) | (~second & low);
                    Mask where = (second & 1) | (down & 2);
                    store(&largest[to], second ? other : one);
                    std::memcpy(&place[to], &where, sizeof where);
                }
            std::memcpy(y + row * half, largest.data(), half * sizeof(T));
            int64_t *at = index + row * half, top = row % rows * 2 * width;
            for (int64_t i = 0; i < half; i++)
                at[i] = top + left[i] + (place[i] & 1) + (place[i] >> 1) * width;
        }
    }
}

#define POOL_FOR_TYPE(T, name)                                                                     \
    extern "C" void pool_##name(const T *x, int64_t images, int64_t height, int64_t width,         \
                                int64_t channels, T *y, int64_t *index) {                          \
        pool(x, images, height, width, channels, y, index);                                        \
    }

POOL_FOR_TYPE(float, float32)
POOL_FOR_TYPE(bfloat16, bfloat16)
