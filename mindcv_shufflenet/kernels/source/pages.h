// Large pages of memory: a map is read in as many places at once as it has channels, and each place on a page of its own
// costs a look into the page table.
#pragma once

#include "lanes.h"

namespace kernels {

// Asks the system for large pages where a large tensor lies, and what lies on the same pages; once for each address. They
// come at the first write.
void use_large_pages(const float* data, Index floats);

}  // namespace kernels
