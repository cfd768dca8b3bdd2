#include "threads.h"

#include <algorithm>
#include <atomic>
#include <thread>

namespace kernels {
namespace {

// How often a thread looks for work before it sleeps, some tens of microseconds: the next operator of a network comes
// soon.
constexpr int kSpins = 2000;
// How often the caller looks for the last items before it lets other threads of the machine run.
constexpr int kCallerSpins = 500;
// Chunks for each thread: enough that one which is interrupted does not keep the others waiting.
constexpr Index kChunks = 4;

int requested_threads = 1;

void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// `ticket` holds the number of the open job in its upper 32 bits, and the next item in its lower ones. A thread takes a
// chunk by a compare-exchange that moves the ticket on, and that fails if the job is over. So nobody waits for a thread
// that comes late: the caller waits for the items alone.
//
// The fields of a job change only when all items of the old one are done. The old ticket is closed before a field
// changes, so a thread that has read a new field fails its exchange.
//
// A forked process has none of the threads: its caller takes all items.
class Pool {
public:
    explicit Pool(int count) : threads_(count) {
        for (int thread = 1; thread < count; ++thread) std::thread([this] { work(); }).detach();
    }

    void run(Index count, void (*task)(void*, Index), void* context) {
        const bool is_alone = count < 2 || threads_ < 2 || count >= kClosed;
        if (is_alone || busy_.test_and_set(std::memory_order_acquire)) {
            for (Index item = 0; item < count; ++item) task(context, item);
            return;
        }
        const std::uint32_t job = job_.load(std::memory_order_relaxed) + 1;
        ticket_.store(number(job, kClosed), std::memory_order_release);
        count_.store(count, std::memory_order_release);
        chunk_.store(std::max<Index>(1, count / (threads_ * kChunks)), std::memory_order_release);
        task_.store(task, std::memory_order_release);
        context_.store(context, std::memory_order_release);
        done_.store(0, std::memory_order_release);
        ticket_.store(number(job, 0), std::memory_order_release);
        job_.store(job, std::memory_order_release);
        job_.notify_all();
        take_chunks(job);
        for (int spins = 0; done_.load(std::memory_order_acquire) < count; ++spins) {
            if (spins < kCallerSpins)
                pause();
            else
                std::this_thread::yield();
        }
        busy_.clear(std::memory_order_release);
    }

private:
    static constexpr Index kClosed = 0xFFFFFFFF;

    static std::uint64_t number(std::uint32_t job, Index item) {
        return (static_cast<std::uint64_t>(job) << 32) | static_cast<std::uint64_t>(item);
    }

    [[noreturn]] void work() {
        for (std::uint32_t seen = 0;;) {
            std::uint32_t job = job_.load(std::memory_order_acquire);
            for (int spins = 0; job == seen; job = job_.load(std::memory_order_acquire)) {
                if (++spins < kSpins)
                    pause();
                else
                    job_.wait(seen, std::memory_order_acquire);
            }
            seen = job;
            take_chunks(job);
        }
    }

    void take_chunks(std::uint32_t job) {
        std::uint64_t ticket = ticket_.load(std::memory_order_acquire);
        while (static_cast<std::uint32_t>(ticket >> 32) == job) {
            const Index begin = static_cast<Index>(ticket & 0xFFFFFFFF);
            const Index count = count_.load(std::memory_order_acquire);
            if (begin >= count) return;
            const Index end = std::min(count, begin + chunk_.load(std::memory_order_acquire));
            const auto task = task_.load(std::memory_order_acquire);
            void* const context = context_.load(std::memory_order_acquire);
            if (!ticket_.compare_exchange_weak(ticket, number(job, end), std::memory_order_acq_rel)) continue;
            for (Index item = begin; item < end; ++item) task(context, item);
            done_.fetch_add(end - begin, std::memory_order_acq_rel);
            ticket = ticket_.load(std::memory_order_acquire);
        }
    }

    const int threads_;
    std::atomic_flag busy_;
    std::atomic<std::uint32_t> job_{0};
    std::atomic<std::uint64_t> ticket_{0};
    std::atomic<Index> count_{0}, chunk_{1}, done_{0};
    std::atomic<void (*)(void*, Index)> task_{nullptr};
    std::atomic<void*> context_{nullptr};
};

// Its threads end with the process, so it is never destroyed.
Pool& pool() {
    static Pool* const only = new Pool(requested_threads);
    return *only;
}

}  // namespace

void set_threads(int count) { requested_threads = std::max(1, count); }

void run(Index count, void (*task)(void*, Index), void* context) { pool().run(count, task, context); }

}  // namespace kernels

extern "C" __attribute__((visibility("default"))) void set_kernel_threads(int count) { kernels::set_threads(count); }
