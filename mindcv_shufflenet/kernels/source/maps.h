// A batch of maps [N, C, H, W], or some channels of one.
#pragma once

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

}  // namespace kernels
