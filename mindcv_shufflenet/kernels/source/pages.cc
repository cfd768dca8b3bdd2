#include "pages.h"

#include <atomic>
#include <unordered_set>

#include <sys/mman.h>

namespace kernels {
namespace {

constexpr std::uintptr_t kPage = std::uintptr_t{1} << 21;
// Tensors of fewer bytes are left alone.
constexpr Index kLarge = Index{1} << 20;

std::atomic_flag is_busy = ATOMIC_FLAG_INIT;

void ask(std::uintptr_t begin, std::uintptr_t end) {
    static auto* const asked = new std::unordered_set<std::uintptr_t>;
    if (is_busy.test_and_set(std::memory_order_acquire)) return;  // another operator asks: next time
    for (std::uintptr_t page = begin; page < end; page += kPage)
        if (asked->insert(page).second) madvise(reinterpret_cast<void*>(page), kPage, MADV_HUGEPAGE);
    is_busy.clear(std::memory_order_release);
}

}  // namespace

void use_large_pages(const float* data, Index floats) {
    const Index bytes = floats * static_cast<Index>(sizeof(float));
    if (bytes < kLarge) return;
    const auto address = reinterpret_cast<std::uintptr_t>(data);
    ask(address / kPage * kPage, address + static_cast<std::uintptr_t>(bytes));
}

}  // namespace kernels
