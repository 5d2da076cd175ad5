"""The seed on Keras and TensorFlow, computed the way the example computes it.

One `tf.function` is one step. The filter's index enters it as a Python number, as in the example, so TensorFlow
traces the whole network again for every filter; `--one-trace` passes a tensor instead, which is what a user who knows
TensorFlow would do. Both are worth measuring, and neither may be quoted as the other.
"""

import protocol  # first: its clock covers the imports below

import argparse
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import tensorflow as tf

import seed


class KerasPeer:
    name = "keras"
    versions = {"keras": keras.__version__, "tensorflow": tf.__version__, "numpy": np.__version__}

    def __init__(self, weights: Path, threads: int, one_trace: bool) -> None:
        if threads:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
        self._as_index = tf.constant if one_trace else int
        self.settings = {
            "threads": threads or os.cpu_count(),
            "one_trace": one_trace,
            "onednn": os.environ.get("TF_ENABLE_ONEDNN_OPTS", "1") != "0",
        }

        model = keras.applications.ResNet50V2(weights=None, include_top=False)
        # The file ends where conv5 would begin; nothing beyond the target layer is ever run.
        model.load_weights(weights, by_name=True, skip_mismatch=True)
        self._extractor = keras.Model(inputs=model.input, outputs=model.get_layer(seed.LAYER).output)

        # Here and not as decorated methods: each peer has traces of its own, and `self` is not an argument.
        self._gradient = tf.function(self._loss_and_gradient)
        self._step = tf.function(self._ascent_step)

    def _loss_and_gradient(self, image: tf.Tensor, filter_index: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
        inside = slice(seed.BORDER, -seed.BORDER)
        with tf.GradientTape() as tape:
            tape.watch(image)
            loss = tf.reduce_mean(self._extractor(image)[:, inside, inside, filter_index])
        return loss, tape.gradient(loss, image)

    def _ascent_step(self, image: tf.Tensor, filter_index: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
        loss, gradient = self._loss_and_gradient(image, filter_index)
        return loss, image + seed.LEARNING_RATE * tf.math.l2_normalize(gradient)

    def activation(self, image: seed.Floats) -> seed.Floats:
        return self._extractor(image[None])[0].numpy()

    def gradient(self, image: seed.Floats, filter_index: int) -> tuple[float, seed.Floats]:
        loss, gradient = self._gradient(tf.constant(image[None]), self._as_index(filter_index))
        return float(loss), gradient[0].numpy()

    def ascend(
        self, filter_index: int, steps: int, start: seed.Floats | None = None
    ) -> tuple[seed.Floats, list[float]]:
        noise = (tf.random.uniform((1, seed.SIZE, seed.SIZE, 3)) - 0.5) * 0.25
        image, index, losses = noise if start is None else tf.constant(start[None]), self._as_index(filter_index), []
        for _ in range(steps):
            loss, image = self._step(image, index)
            losses.append(loss)
        return image[0].numpy(), [float(loss) for loss in losses]

    def traces(self) -> int:
        return self._step.experimental_get_tracing_count()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one-trace", action="store_true", help="trace the step once, not once a filter")
    protocol.main(parser, lambda args: KerasPeer(args.weights, args.threads, args.one_trace))
