"""LeNet-5 on MNIST with Keras on PyTorch: python keras_mnist.py <folder> <epochs>."""

import os
import sys

os.environ["KERAS_BACKEND"] = "torch"

import keras  # pyright: ignore[reportMissingImports]
from keras import layers  # pyright: ignore[reportMissingImports]
from torchvision import datasets


def main(root: str, epochs: int) -> None:
    """Train, then test once."""
    keras.config.set_image_data_format("channels_first")
    (train, labels), (test, test_labels) = (
        (((part.data.numpy()[:, None] / 255.0) - 0.1307).astype("float32") / 0.3081,
         part.targets.numpy())
        for part in (datasets.MNIST(root, train=True), datasets.MNIST(root, train=False))
    )  # fmt: skip
    model = keras.Sequential([
        keras.Input((1, 28, 28)),
        layers.Conv2D(6, 5, padding="same", activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(16, 5, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(120, activation="relu"),
        layers.Dense(84, activation="relu"),
        layers.Dense(10),
    ])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.001), loss, metrics=["accuracy"])
    model.fit(train, labels, batch_size=128, epochs=epochs, verbose=0)
    _, accuracy = model.evaluate(test, test_labels, batch_size=512, verbose=0)
    print(f"test accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
