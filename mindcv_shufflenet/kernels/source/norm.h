// BatchNorm with an activation, of one channel: statistics, what it applies, and its gradient.
#pragma once

#include <cmath>

#include "planes.h"

namespace kernels {

// Activations: of u, and the gradient of u from that of the result. What is not a number stays so. The numbers are those
// of kernels/operators.py.
struct Linear {
    static constexpr int kNumber = 0;
    template <class V> static V apply(V u) { return u; }
    template <class V> static V gradient(V, V d) { return d; }
};
struct Relu {
    static constexpr int kNumber = 1;
    template <class V> static V apply(V u) { return u < 0 ? V{} : u; }
    template <class V> static V gradient(V u, V d) { return u > 0 ? d : V{}; }
};
struct Relu6 {
    static constexpr int kNumber = 2;
    template <class V> static V apply(V u) { return u < 0 ? V{} : (u > 6 ? V{} + 6 : u); }
    template <class V> static V gradient(V u, V d) { return ((u > 0) & (u < 6)) ? d : V{}; }
};
struct LeakyRelu {
    static constexpr int kNumber = 3;
    template <class V> static V apply(V u) { return u < 0 ? 0.1F * u : u; }
    template <class V> static V gradient(V u, V d) { return u > 0 ? d : 0.1F * d; }
};
struct HardSwish {
    static constexpr int kNumber = 4;
    template <class V> static V apply(V u) { return u * Relu6::apply(u + 3) / 6; }
    template <class V> static V gradient(V u, V d) {
        return u < -3 ? V{} : (u > 3 ? d : d * (2 * u + 3) / 6);
    }
};

// y = scale * x + shift
struct Affine {
    float scale, shift;
    template <class V> V operator()(V x) const { return x * scale + shift; }
};

// After at least so many numbers, and less than twice as many, a sum in float32 goes to one in float64. A map that is the
// same in many places adds the same number again and again, and each time it is rounded the same way: the errors do not
// cancel.
constexpr Index kAddedInFloat = 1 << 9;

// Two sums over planes, in the lanes of several registers.
class Sums {
public:
    double first = 0, second = 0;  // as of the last close()

    // Adds a plane: visit(i, first, second) for whole vectors, and for single numbers at the end.
    template <class Visit>
    void add(Index size, Visit&& visit) {
        for (Index begin = 0; begin < size; begin += kAddedInFloat)
            add_few(begin, std::min(size, begin + kAddedInFloat), visit);
    }

    // Adds what is summed in float32; to be called before the sums are read.
    void close() {
        first += static_cast<double>(sum(lanes_[0] + lanes_[2]) + rest_[0]);
        second += static_cast<double>(sum(lanes_[1] + lanes_[3]) + rest_[1]);
        for (Lanes& lanes : lanes_) lanes = Lanes{};
        rest_[0] = rest_[1] = 0;
        added_ = 0;
    }

private:
    template <class Visit>
    void add_few(Index i, Index end, Visit& visit) {
        added_ += end - i;
        for (; i + 2 * kLanes <= end; i += 2 * kLanes) {
            visit.template operator()<Unaligned>(i, lanes_[0], lanes_[1]);
            visit.template operator()<Unaligned>(i + kLanes, lanes_[2], lanes_[3]);
        }
        if (i + kLanes <= end) {
            visit.template operator()<Unaligned>(i, lanes_[0], lanes_[1]);
            i += kLanes;
        }
        for (; i < end; ++i) visit.template operator()<float>(i, rest_[0], rest_[1]);
        if (added_ >= kAddedInFloat) close();
    }

    Lanes lanes_[4] = {};
    float rest_[2] = {};
    Index added_ = 0;
};

// The sum of values minus `around`, and of their squares. It is one of them, so that little cancels.
struct Moments : Sums {
    float around;

    explicit Moments(float around_) : around(around_) {}

    void add(const float* values, Index count) {
        Sums::add(count, [&]<class V>(Index i, auto& total, auto& squares) {
            const auto value = at<V>(values + i) - around;
            total += value;
            squares += value * value;
        });
    }
};

// What a BatchNorm makes of a channel.
struct Normalisation {
    float mean, inverse_deviation, gamma, beta;
    Affine affine() const {
        const float scale = gamma * inverse_deviation;
        return {scale, beta - mean * scale};
    }
};

// Sums of a BatchNorm's gradient: of the gradient of its output, and of that times the distance from the mean.
struct GradientSums : Sums {
    template <class Activation>
    void add(const Normalisation& norm, const float* x, const float* gradient, Index count) {
        const Affine affine = norm.affine();
        Sums::add(count, [&]<class V>(Index i, auto& total, auto& product) {
            const auto value = at<V>(x + i);
            const auto d = Activation::gradient(affine(value), at<V>(gradient + i));
            total += d;
            product += d * (value - norm.mean);
        });
    }
};

// The gradient of a channel's input: of the statistics too if they are the batch's (`count` numbers of it).
template <class Activation>
struct InputGradient {
    Affine affine;
    float scale, slope, offset;

    InputGradient(const Normalisation& norm, const GradientSums& sums, double count) : affine(norm.affine()) {
        scale = affine.scale;
        slope = -scale * norm.inverse_deviation * norm.inverse_deviation * static_cast<float>(sums.second / count);
        offset = -scale * static_cast<float>(sums.first / count) - slope * norm.mean;
    }
    // Writes the gradient of a plane; it may take the place of that of the output.
    void write(const float* x, const float* gradient, float* to, Index size) const {
        Index i = 0;
        for (; i + kLanes <= size; i += kLanes) store(to + i, (*this)(load(x + i), load(gradient + i)));
        for (; i < size; ++i) to[i] = (*this)(x[i], gradient[i]);
    }

    template <class V> V operator()(V x, V gradient) const {
        return Activation::gradient(V(affine(x)), gradient) * scale + (x * slope + offset);
    }
};

}  // namespace kernels
