// The thread pool by itself: each item of each job is done exactly once, whoever starts it.
#include <thread>

#include "check.h"
#include "threads.h"

namespace checks {
namespace {

using kernels::Index;
using kernels::parallel;

// Runs a job and checks it. Its numbers are written without locks, so that the thread sanitizer sees whether what the
// pool's threads write has happened before the job is over.
void run_job(Index items, int work = 0) {
    std::vector<int> done(static_cast<std::size_t>(items));
    parallel(items, [&](Index item) {
        volatile float number = 1;
        for (int i = 0; i < work; ++i) number = number * number;
        ++done[static_cast<std::size_t>(item)];
    });
    for (const int times : done) CHECK(times == 1, "an item of %ld is done %d times", static_cast<long>(items), times);
}

void few_and_many_items() {
    for (int round = 0; round < 200; ++round)
        for (const Index items : {0, 1, 2, 3, 5, 12, 13, 64, 1000}) run_job(items);
}

void short_jobs() {
    for (int job = 0; job < 30000; ++job) run_job(2 + job % 7, job % 300);
}

void jobs_of_several_threads() {
    std::vector<std::thread> callers;
    for (int caller = 0; caller < 4; ++caller)
        callers.emplace_back([caller] {
            for (int job = 0; job < 2000; ++job) run_job(1 + (job + caller) % 40, job % 100);
        });
    for (std::thread& caller : callers) caller.join();
}

void jobs_within_jobs() {
    for (int round = 0; round < 200; ++round) {
        std::vector<Index> sums(9);
        parallel(9, [&](Index outer) {
            std::vector<Index> inner(5);
            parallel(5, [&](Index item) { inner[static_cast<std::size_t>(item)] = outer * item; });
            for (const Index value : inner) sums[static_cast<std::size_t>(outer)] += value;
        });
        for (Index outer = 0; outer < 9; ++outer)
            CHECK(sums[static_cast<std::size_t>(outer)] == 10 * outer, "the job in item %ld", static_cast<long>(outer));
    }
}

void changing_callers() {
    for (int caller = 0; caller < 300; ++caller)
        std::thread([caller] {
            for (int job = 0; job < 5; ++job) run_job(3 + caller % 20, 50);
        }).join();
}

}  // namespace

const std::vector<Check> kPool = {
    {"few_and_many_items", few_and_many_items},
    {"short_jobs", short_jobs},
    {"jobs_of_several_threads", jobs_of_several_threads},
    {"jobs_within_jobs", jobs_within_jobs},
    {"changing_callers", changing_callers},
};

}  // namespace checks
