"""A 2-D convolution whose gradient may be computed by forward convolutions.

TensorFlow's backward convolution kernels are, for some shapes and builds, several times slower
on a CPU than its forward kernel. Both halves of the gradient of a convolution are themselves
convolutions (Dumoulin & Visin 2016, arXiv:1603.07285, chapter 4), so where the forward kernel is
the faster one it does their work. The numbers agree with the built-in gradient to rounding.
"""

import os

import tensorflow as tf

#: Channels that oneDNN handles at a time on a processor with AVX2. With another number of them, its
#: gradient of a strided 1x1 filter (jit_avx2_1x1_convolution_bwd_weights_t, in TensorFlow 2.21)
#: writes beyond its buffer, which ends or corrupts the process; unstrided ones are safe.
ONEDNN_BLOCK = 8


def convolve(
    images: tf.Tensor,
    kernel: tf.Tensor,
    stride: int,
    input_by_forward: bool,
    filter_by_forward: bool,
) -> tf.Tensor:
    """Convolve with "same" padding, choosing how each half of the gradient is computed.

    Args:
        images: (batch, height, width, channels in), height and width known.
        kernel: (size, size, channels in, channels out).
        stride: of both directions.
        input_by_forward: compute the gradient of the images by a forward convolution.
        filter_by_forward: compute the gradient of the kernel by a forward convolution.

    Returns:
        (batch, ceil(height / stride), ceil(width / stride), channels out).
    """
    if kernel.shape[0] == 1 and stride > 1 and images.shape[-1] % ONEDNN_BLOCK:
        images, stride = images[:, ::stride, ::stride], 1

    @tf.custom_gradient
    def operation(images, kernel):
        def gradient(upstream):
            by_forward = _input_gradient if input_by_forward else _builtin_input_gradient
            images_gradient = by_forward(images, kernel, upstream, stride)
            by_forward = _filter_gradient if filter_by_forward else _builtin_filter_gradient
            return images_gradient, by_forward(images, kernel, upstream, stride)

        return tf.nn.conv2d(images, kernel, stride, "SAME"), gradient

    return operation(images, kernel)


def faster_by_forward(
    map_size: int, channels_in: int, channels_out: int, kernel: int
) -> tuple[bool, bool]:
    """Tell which halves of the gradient the forward kernel computes faster on a CPU.

    The rule was measured with `benchmarks/convolution.py`. With oneDNN (which the library
    switches on, see `process`) the built-in kernels are the faster ones but for the 3x3 filters
    of wide layers on the smallest maps; without it nearly all wide or large layers gain.

    Args:
        map_size: pixels along a side of the layer's output.
        channels_in, channels_out: of the layer.
        kernel: pixels along a side of its filters.

    Returns:
        (input gradient by forward, filter gradient by forward).
    """
    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        wide = channels_in * channels_out >= 64 * 64
        return wide or (channels_in > 1 and map_size >= 16), wide
    return False, kernel > 1 and map_size <= 2 and channels_in * channels_out >= 256 * 256


def _builtin_input_gradient(images, kernel, upstream, stride):
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(images),
        filter=kernel,
        out_backprop=upstream,
        strides=[1, stride, stride, 1],
        padding="SAME",
    )


def _builtin_filter_gradient(images, kernel, upstream, stride):
    return tf.raw_ops.Conv2DBackpropFilter(
        input=images,
        filter_sizes=kernel.shape,
        out_backprop=upstream,
        strides=[1, stride, stride, 1],
        padding="SAME",
    )


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels that "same" padding adds before and after a side of `size` pixels."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _input_gradient(images, kernel, upstream, stride):
    """Convolve the dilated, padded output gradient with the rotated, transposed kernel."""
    size = kernel.shape[0]
    dilated = _dilate(upstream, stride)
    for axis in (1, 2):
        before = size - 1 - _same_padding(images.shape[axis], size, stride)[0]
        after = images.shape[axis] + size - 1 - dilated.shape[axis] - before
        dilated = _pad_or_crop(dilated, axis, before, after)
    rotated = tf.transpose(kernel[::-1, ::-1], [0, 1, 3, 2])
    return tf.nn.conv2d(dilated, rotated, 1, "VALID")


def _filter_gradient(images, kernel, upstream, stride):
    """Convolve the padded images, channels as batch, with the output gradient as the kernel."""
    size = kernel.shape[0]
    for axis in (1, 2):
        images = _pad_or_crop(images, axis, *_same_padding(images.shape[axis], size, stride))
    gradient = tf.nn.conv2d(
        tf.transpose(images, [3, 1, 2, 0]),
        tf.transpose(upstream, [1, 2, 0, 3]),
        1,
        "VALID",
        dilations=stride,
    )
    # A stride that does not divide the map leaves pixels no kernel position has seen.
    return tf.transpose(gradient[:, :size, :size], [1, 2, 0, 3])


def _dilate(maps: tf.Tensor, stride: int) -> tf.Tensor:
    """Put `stride - 1` zeros after every pixel of (batch, height, width, channels)."""
    if stride == 1:
        return maps
    _, height, width, channels = maps.shape
    spread = tf.reshape(maps, [-1, height, 1, width, 1, channels])
    gap = [0, stride - 1]
    spread = tf.pad(spread, [[0, 0], [0, 0], gap, [0, 0], gap, [0, 0]])
    return tf.reshape(spread, [-1, height * stride, width * stride, channels])


def _pad_or_crop(maps: tf.Tensor, axis: int, before: int, after: int) -> tf.Tensor:
    """Pad an axis of `maps` with zeros, or crop it where a count is negative."""
    size = maps.shape[axis]
    begin, end = [0] * 4, [-1] * 4
    begin[axis] = max(-before, 0)
    end[axis] = size - begin[axis] + min(after, 0)
    if end[axis] != size:
        maps = tf.slice(maps, begin, end)
    if before <= 0 and after <= 0:
        return maps
    paddings = [[0, 0]] * 4
    paddings[axis] = [max(before, 0), max(after, 0)]
    return tf.pad(maps, paddings)
