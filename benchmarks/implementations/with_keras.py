"""Keras 3 on PyTorch: ``model.fit`` on NumPy arrays."""

import os

from benchmarks.implementations import absent
from benchmarks.implementations.task import Task
from benchmarks.options import Options
from benchmarks.workloads import BATCH, SHAPES, Workload

os.environ["KERAS_BACKEND"] = "torch"
try:
    import keras  # pyright: ignore[reportMissingImports]
except ImportError as error:
    raise absent("Keras") from error
from keras import layers  # pyright: ignore[reportMissingImports]


class Implementation(Task):
    """Trains with ``fit`` on arrays that are normalised once, as in Keras's examples.

    Crop and flip are layers of the model; ``RandomCrop`` draws one position per batch. The initial
    weights are Keras's own.
    """

    def __init__(self, workload: Workload, options: Options, overrides: tuple[str, ...]) -> None:
        super().__init__(workload, options)
        keras.config.set_image_data_format("channels_first")
        self.inputs = (
            ((self.images.float() / 255 - self.mean.view(-1, 1, 1)) / self.std.view(-1, 1, 1))
            .contiguous()
            .numpy()
        )
        self.targets = self.labels.numpy()
        given = keras.Input(SHAPES[workload.data])
        maps = given
        if workload.augment:
            maps = Crop()(layers.ZeroPadding2D(4)(maps))
            maps = layers.RandomFlip("horizontal")(maps)
        self.model = keras.Model(given, MODELS[workload.name](maps))
        found = sum(int(weight.numpy().size) for weight in self.model.trainable_weights)
        if found != self.expected:
            raise ValueError(f"{workload.name}: {found} parameters in Keras, not {self.expected}")
        optimizer = (
            keras.optimizers.Adam(workload.rate)
            if workload.optim == "adam"
            else keras.optimizers.SGD(workload.rate, momentum=0.9, nesterov=True)
        )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        self.model.compile(optimizer, loss)

    def epoch(self, number: int) -> None:
        """Train once over all images."""
        self.model.fit(self.inputs, self.targets, batch_size=BATCH, epochs=1, verbose=0)


class Crop(layers.Layer):
    """Crops in evaluation too: there, Keras's layer does not crop images in NCHW."""

    def __init__(self) -> None:
        super().__init__()
        self.crop = layers.RandomCrop(32, 32)

    def call(self, images):
        return self.crop(images, training=True)

    def compute_output_shape(self, shape):
        return (*shape[:2], 32, 32)


def lenet(maps):
    """LeNet-5."""
    maps = layers.Conv2D(6, 5, padding="same", activation="relu")(maps)
    maps = layers.MaxPooling2D(2)(maps)
    maps = layers.Conv2D(16, 5, activation="relu")(maps)
    maps = layers.MaxPooling2D(2)(maps)
    maps = layers.Flatten()(maps)
    maps = layers.Dense(120, activation="relu")(maps)
    maps = layers.Dense(84, activation="relu")(maps)
    return layers.Dense(10)(maps)


def mlp(maps):
    """An MLP with 128 hidden units."""
    return layers.Dense(10)(layers.Dense(128, activation="relu")(layers.Flatten()(maps)))


def convolution(maps, filters: int, size: int, stride: int):
    """Apply a convolution and its batch norm, with PyTorch's padding, momentum and epsilon."""
    if stride > 1 and size > 1:
        maps = layers.ZeroPadding2D(size // 2)(maps)
    padding = "valid" if stride > 1 else "same"
    maps = layers.Conv2D(filters, size, stride, padding=padding, use_bias=False)(maps)
    return layers.BatchNormalization(axis=1, momentum=0.9, epsilon=1e-5)(maps)


def residual(maps, shortcut, filters: int, stride: int):
    """Apply the two 3 x 3 convolutions of a block and add the shortcut."""
    found = layers.ReLU()(convolution(maps, filters, 3, stride))
    found = convolution(found, filters, 3, 1)
    return layers.ReLU()(layers.Add()([found, shortcut]))


def resnet20(maps):
    """ResNet-20 with shortcuts of option A."""
    maps, inputs = layers.ReLU()(convolution(maps, 16, 3, 1)), 16
    for filters in (16, 32, 64):
        for _ in range(3):
            stride, shortcut = 1, maps
            if filters != inputs:
                stride = 2
                shortcut = maps[:, :, ::2, ::2]
                shortcut = keras.ops.pad(shortcut, [[0, 0], [0, inputs], [0, 0], [0, 0]])
            maps, inputs = residual(maps, shortcut, filters, stride), filters
    return layers.Dense(10)(layers.GlobalAveragePooling2D()(maps))


def resnet18(maps):
    """ResNet-18 with the stem for 32 x 32 images and shortcuts of option B."""
    maps, inputs = layers.ReLU()(convolution(maps, 64, 3, 1)), 64
    for filters in (64, 128, 256, 512):
        for block in range(2):
            stride = 2 if filters > 64 and block == 0 else 1
            shortcut = maps if filters == inputs else convolution(maps, filters, 1, stride)
            maps, inputs = residual(maps, shortcut, filters, stride), filters
    return layers.Dense(10)(layers.GlobalAveragePooling2D()(maps))


class ClassToken(layers.Layer):
    """Prepends a learned token and adds learned positions."""

    def build(self, shape) -> None:
        self.token = self.add_weight(shape=(1, 1, shape[-1]), initializer="zeros")
        self.positions = self.add_weight(shape=(1, shape[1] + 1, shape[-1]))

    def call(self, tokens):
        first = keras.ops.repeat(self.token, keras.ops.shape(tokens)[0], axis=0)
        return keras.ops.concatenate([first, tokens], axis=1) + self.positions


def vit(maps):
    """A vision transformer of patches of 4, width 192, depth 6."""
    maps = layers.Conv2D(192, 4, 4)(maps)  # (N, 192, 8, 8)
    tokens = layers.Permute((2, 1))(layers.Reshape((192, 64))(maps))
    tokens = ClassToken()(tokens)
    for _ in range(6):
        seen = layers.LayerNormalization(epsilon=1e-6)(tokens)
        tokens = layers.Add()([tokens, layers.MultiHeadAttention(3, 64)(seen, seen)])
        seen = layers.LayerNormalization(epsilon=1e-6)(tokens)
        seen = layers.Dense(192)(layers.Dense(768, activation="gelu")(seen))
        tokens = layers.Add()([tokens, seen])
    tokens = layers.LayerNormalization(epsilon=1e-6)(tokens)
    return layers.Dense(10)(tokens[:, 0])


MODELS = {"lenet": lenet, "mlp": mlp, "resnet20": resnet20, "resnet18": resnet18, "vit": vit}
