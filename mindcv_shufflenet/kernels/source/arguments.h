// What MindSpore hands to an operator (ops.Custom, func_type "aot").
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

#include "lanes.h"
#include "pages.h"

namespace kernels {

// An operator returns it if its tensors are not what it computes with; MindSpore raises an error then.
constexpr int kRefused = 1;

struct Arguments {
    int count;
    void** data;
    int* ranks;
    std::int64_t** shapes;
    const char** types;

    float* tensor(int number) const { return static_cast<float*>(data[number]); }
    Index size(int number, int axis) const { return shapes[number][axis]; }

    // Whether all are float32 tensors, not empty, of these shapes. A word stands for a tensor, with a sign for each axis:
    // a digit is its size, and axes of the same letter have the same size.
    // They get large pages then.
    bool have(std::string_view words) const {
        Index sizes[128] = {};
        for (char digit = '1'; digit <= '9'; ++digit) sizes[static_cast<int>(digit)] = digit - '0';
        int number = 0;
        while (!words.empty()) {
            const std::string_view word = words.substr(0, words.find(' '));
            words.remove_prefix(std::min(word.size() + 1, words.size()));
            if (number == count || !has(number, word, sizes)) return false;
            ++number;
        }
        if (number != count) return false;
        use_pages();
        return true;
    }

private:
    void use_pages() const {
        for (int number = 0; number < count; ++number) {
            Index floats = 1;
            for (int axis = 0; axis < ranks[number]; ++axis) floats *= shapes[number][axis];
            use_large_pages(tensor(number), floats);
        }
    }

    // The same of one tensor; the sizes of letters that are new are kept.
    bool has(int number, std::string_view word, Index* sizes) const {
        if (ranks[number] != static_cast<int>(word.size()) || std::strcmp(types[number], "float32") != 0) return false;
        for (std::size_t axis = 0; axis < word.size(); ++axis) {
            Index& expected = sizes[static_cast<int>(word[axis])];
            const Index found = shapes[number][axis];
            if (expected == 0) expected = found;
            if (found < 1 || found != expected) return false;
        }
        return true;
    }
};

}  // namespace kernels

// An operator of the library: a function of `arguments`.
#define KERNEL(name)                                                                                             \
    static int name##_of(const Arguments& arguments);                                                            \
    extern "C" __attribute__((visibility("default"))) int name(int count, void** data, int* ranks,               \
                                                               std::int64_t** shapes, const char** types, void*, \
                                                               void*) {                                          \
        const Arguments arguments{count, data, ranks, shapes, types};                                            \
        return name##_of(arguments);                                                                             \
    }                                                                                                            \
    static int name##_of(const Arguments& arguments)
