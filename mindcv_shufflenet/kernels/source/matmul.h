// Products of weights and maps: the 1x1 convolution and its gradients.
#pragma once

#include "maps.h"
#include "norm.h"
#include "tile.h"

namespace kernels {

// out[n, r, l] = sum over k of weights[r, k] * in[n, k, l]. `affine` is applied to the channels of the input before,
// unless it is null.
void multiply(const Matrix& weights, const Maps& in, const Maps& out, const Affine* affine = nullptr);

// gradient[r, k] = sum over n and l of out[n, r, l] * in[n, k, l]; `affine` as above.
void weight_gradient(const Maps& out, const Maps& in, float* gradient, const Affine* affine = nullptr);

}  // namespace kernels
