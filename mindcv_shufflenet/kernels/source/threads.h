// Shares the items of a job out among threads.
#pragma once

#include <type_traits>

#include "lanes.h"

namespace kernels {

// Sets how many threads compute, the caller among them. It has no effect after the first job.
void set_threads(int count);

// Calls task(context, item) for each item below `count`, in any order and on any thread, and returns when all are done.
// A task may run a job itself, and several threads may run jobs at once: all but one of them do theirs alone.
void run(Index count, void (*task)(void*, Index), void* context);

// The same with a function object. Returns 0, as an operator that has done its work.
template <class Task>
int parallel(Index count, Task&& task) {
    using Type = std::remove_reference_t<Task>;
    run(count, [](void* context, Index item) { (*static_cast<Type*>(context))(item); }, const_cast<void*>(static_cast<const void*>(&task)));
    return 0;
}

}  // namespace kernels
