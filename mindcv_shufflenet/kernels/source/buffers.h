// Memory between the steps of an operator, kept from one call to the next: fresh pages cost more than what is computed.
// Nobody waits for what is kept: another thread may hold it, in a forked process for ever.
#pragma once

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

    // Takes the smallest that is kept and large enough.
    bool take(Index floats) {
        const std::unique_lock<std::mutex> lock(mutex(), std::try_to_lock);
        if (!lock) return false;
        auto& kept = free();
        std::size_t best = kept.size();
        for (std::size_t i = 0; i < kept.size(); ++i)
            if (kept[i].size >= floats && (best == kept.size() || kept[i].size < kept[best].size)) best = i;
        if (best == kept.size()) return false;
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
