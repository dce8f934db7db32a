"""A figure as a PNG file with few colours."""

from io import BytesIO

import numpy as np
from PIL import Image

from dlcourse.drawing.files import figure_bytes, save_small_png
from dlcourse.drawing.image_grid import draw_image_grid


def test_a_small_png_keeps_rare_saturated_colours(tmp_path):
    values = np.linspace(-1, 1, 400).reshape(20, 20) ** 5  # few pixels are red or blue
    figure = draw_image_grid([values], colours="RdBu_r", limits=(-1, 1))
    path = save_small_png(figure, tmp_path / "small.png", 60)
    exact = np.asarray(Image.open(BytesIO(figure_bytes(figure, "png", 60))).convert("RGB"))
    small = np.asarray(Image.open(path).convert("RGB"))
    assert np.abs(small.astype(int) - exact.astype(int)).max() < 20
