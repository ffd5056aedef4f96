//! Is a photo good enough to judge: sharpness, brightness, clipping.
