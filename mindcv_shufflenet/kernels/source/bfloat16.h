// The products of matmul.h with factors rounded to bfloat16 and sums in float32, on the tiles of a processor with AMX.
#pragma once

#include "maps.h"
#include "norm.h"
#include "tile.h"

namespace kernels::bfloat16 {

// Whether this processor, and the system that must grant the tiles, can do it.
bool is_available();

// Whether products are computed so.
bool is_used();
void use(bool is_wanted);

void multiply(const Matrix& weights, const Maps& in, const Maps& out, const Affine* affine);
void weight_gradient(const Maps& out, const Maps& in, float* gradient, const Affine* affine);

}  // namespace kernels::bfloat16
