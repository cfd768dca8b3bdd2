// Runs the checks that are named, or all.
#include <cstring>

#include "check.h"
#include "threads.h"

int main(int count, char** words) {
    kernels::set_threads(3);
    int run = 0;
    for (const auto* checks : {&checks::kPool, &checks::kOperators})
        for (const checks::Check& check : *checks) {
            bool is_named = count == 1;
            for (int word = 1; word < count; ++word) is_named |= std::strcmp(words[word], check.name) == 0;
            if (!is_named) continue;
            std::fprintf(stderr, "%s\n", check.name);
            check.run();
            ++run;
        }
    CHECK(run >= count - 1, "a check has another name");
}
