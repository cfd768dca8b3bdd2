// Named checks, without a framework: one that fails ends the program.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <vector>

namespace checks {

struct Check {
    const char* name;
    void (*run)();
};

extern const std::vector<Check> kPool, kOperators;

}  // namespace checks

// The text behind the condition says, as in printf, what was computed with.
#define CHECK(condition, ...)                                           \
    do {                                                                \
        if (!(condition)) {                                             \
            std::fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            std::fprintf(stderr, __VA_ARGS__);                          \
            std::fputc('\n', stderr);                                   \
            std::exit(1);                                               \
        }                                                               \
    } while (false)
