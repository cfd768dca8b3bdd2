// Memory between the steps of an operator, kept from one call to the next: fresh pages cost more than what is computed.
// Whoever finds the lock taken allocates new memory instead of waiting: after a fork, who holds it may not exist.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "lanes.h"

namespace kernels {

class Buffer {
public:
    explicit Buffer(Index floats) {
        if (!take(floats))
            memory_ = {std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(floats)), floats};
    }
    ~Buffer() {
        const std::unique_lock<std::mutex> lock(mutex(), std::try_to_lock);
        if (lock) free().push_back(std::move(memory_));
    }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;

    float* data() const { return memory_.floats.get(); }

private:
    struct Memory {
        std::unique_ptr<float[]> floats;
        Index size = 0;
    };

    // Takes the smallest that is kept and large enough. If none is, the largest is given back: a new one takes its place.
    bool take(Index floats) {
        const std::unique_lock<std::mutex> lock(mutex(), std::try_to_lock);
        if (!lock) return false;
        auto& kept = free();
        std::size_t best = kept.size();
        for (std::size_t i = 0; i < kept.size(); ++i)
            if (kept[i].size >= floats && (best == kept.size() || kept[i].size < kept[best].size)) best = i;
        if (best == kept.size()) {
            const auto largest = std::ranges::max_element(kept, {}, &Memory::size);
            if (largest != kept.end()) kept.erase(largest);
            return false;
        }
        memory_ = std::move(kept[best]);
        kept.erase(kept.begin() + static_cast<std::ptrdiff_t>(best));
        return true;
    }

    static std::mutex& mutex() {
        static auto* const only = new std::mutex;
        return *only;
    }
    static std::vector<Memory>& free() {
        static auto* const only = new std::vector<Memory>;
        return *only;
    }
    Memory memory_;
};

}  // namespace kernels
