"""The best rate of a 3x3 convolution on this machine, forward and both gradients, by TensorFlow.

Usage: python benchmarks/ceiling.py POLICY
"""

import json
import sys
import time

import tensorflow as tf

SHAPES = ((128, 16, 64), (128, 16, 128), (128, 16, 256), (128, 8, 256))
"""(images, side, channels in and out)"""


def main(policy: str) -> None:
    dtype = tf.bfloat16 if "bfloat16" in policy else tf.float32
    best = 0.0
    for images, side, channels in SHAPES:
        pixels = tf.cast(tf.random.normal((images, side, side, channels)), dtype)
        kernel = tf.cast(tf.random.normal((3, 3, channels, channels)), dtype)

        @tf.function(jit_compile=False)
        def step(pixels: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                tape.watch([pixels, kernel])
                total = tf.reduce_sum(tf.nn.conv2d(pixels, kernel, 1, "SAME"))
            one, other = tape.gradient(total, [pixels, kernel])
            return one, other

        step(pixels, kernel)
        for _ in range(5):
            begun = time.perf_counter()
            for _ in range(3):
                step(pixels, kernel)[1].numpy()
            seconds = (time.perf_counter() - begun) / 3
            best = max(best, 6 * images * side * side * 9 * channels * channels / seconds)
    print(json.dumps({"flops": best}))


if __name__ == "__main__":
    main(sys.argv[1])
