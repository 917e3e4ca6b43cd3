"""Keras's convolution and batch normalisation, faster, and for a batch that several GPUs share."""

import keras
import tensorflow as tf

from sslens.networks import replicas
from sslens.networks.convolution import convolve, faster_by_forward


@keras.saving.register_keras_serializable(package="sslens")
class Convolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with "same" padding and, on a CPU, the faster gradient by shape.

    Its variables and numbers are those of the Keras layer, so weights move freely between
    machines with and without a GPU; there cuDNN's own gradient is used.
    """

    def convolution_op(self, inputs, kernel):
        plain = self.padding == "same" and self.groups == 1 and self.dilation_rate == (1, 1)
        if not plain or tf.config.list_logical_devices("GPU"):
            return super().convolution_op(inputs, kernel)
        stride = self.strides[0]
        map_size = -(-inputs.shape[1] // stride)
        halves = faster_by_forward(map_size, inputs.shape[-1], self.filters, self.kernel_size[0])
        return convolve(inputs, tf.convert_to_tensor(kernel), stride, *halves)


@keras.saving.register_keras_serializable(package="sslens")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer, by the statistics of all replicas where several share a batch."""

    def _moments(self, inputs, mask):
        if replicas.count() == 1:
            return super()._moments(inputs, mask)
        return replicas.moments(inputs, list(range(inputs.shape.rank - 1)))


@keras.saving.register_keras_serializable(package="sslens")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation of image maps by TensorFlow's fused kernel.

    Keras 3 composes it of elementary operations, which are slower on CPU and GPU alike. As
    everywhere with the fused kernel, the moving variance is of the unbiased batch variance. The
    kernel knows nothing of replicas; where several share a batch it is composed here too.
    """

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        by = self._fused if replicas.count() == 1 else self._composed
        outputs, mean, variance = by(inputs)
        keep = self.momentum
        self.moving_mean.assign(self.moving_mean * keep + mean * (1 - keep))
        self.moving_variance.assign(self.moving_variance * keep + variance * (1 - keep))
        return outputs

    def _fused(self, inputs):
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=tf.convert_to_tensor(self.gamma),
            offset=tf.convert_to_tensor(self.beta),
            mean=tf.zeros([0]),
            variance=tf.zeros([0]),
            epsilon=self.epsilon,
            is_training=True,
        )
        return outputs, mean, variance

    def _composed(self, inputs):
        # the statistics in float32, whatever the maps are in
        maps = tf.cast(inputs, tf.float32)
        mean, variance = replicas.moments(maps, [0, 1, 2])
        gain, offset = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        outputs = tf.nn.batch_normalization(maps, mean, variance, offset, gain, self.epsilon)
        pixels = tf.cast(tf.reduce_prod(tf.shape(maps)[:3]) * replicas.count(), tf.float32)
        unbiased = variance * pixels / tf.maximum(pixels - 1, 1)
        return tf.cast(outputs, inputs.dtype), mean, unbiased
