// A batch of maps [N, C, H, W], or some channels of one.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "lanes.h"

namespace kernels {

struct Maps {
    float* data;
    Index images, channels, height, width;
    Index image_step, channel_step;  // floats from an image to the next, and from a channel to the next

    Maps(float* data_, Index images_, Index channels_, Index height_, Index width_)
        : data(data_),
          images(images_),
          channels(channels_),
          height(height_),
          width(width_),
          image_step(channels_ * height_ * width_),
          channel_step(height_ * width_) {}

    Index size() const { return height * width; }
    Index count() const { return images * size(); }  // numbers of a channel
    float* plane(Index image, Index channel) const { return data + image * image_step + channel * channel_step; }

    // The channels first, first + step, ..., `number` of them.
    Maps part(Index first, Index step, Index number) const {
        Maps some = *this;
        some.data += first * channel_step;
        some.channels = number;
        some.channel_step *= step;
        return some;
    }
};

// One channel of all images.
struct Channel {
    const Maps& maps;
    Index number;

    float* plane(Index image) const { return maps.plane(image, number); }
};

// How far ahead is prefetched, in floats, and at most how much of a plane.
constexpr Index kAhead = 1024;

// Visits the images one by one, and prefetches what is read and written next in these channels: the hardware prefetcher
// does not follow the jump from the plane of an image to that of the next one.
template <class Visit>
[[gnu::always_inline]] inline void over_images(std::initializer_list<Channel> channels, Visit&& visit) {
    const Maps& maps = channels.begin()->maps;
    const Index ahead = (kAhead + maps.size() - 1) / maps.size();
    for (Index n = 0; n < maps.images; ++n) {
        if (n + ahead < maps.images)
            for (const Channel& channel : channels) {
                const float* const plane = channel.plane(n + ahead);
                for (Index i = 0; i < std::min(kAhead, channel.maps.size()); i += kLanes) __builtin_prefetch(plane + i);
            }
        visit(n);
    }
}

}  // namespace kernels
