"""Files of figures: PNG, SVG and GIF."""

import numpy as np
import pytest
from PIL import Image

from dlcourse.drawing.files import save_figure, save_gif
from dlcourse.drawing.image_grid import draw_image_grid
from dlcourse.drawing.style import COLOURS

GRID = np.arange(64.0).reshape(8, 8)


def test_a_figure_is_written_as_png_and_svg_and_equal_figures_give_equal_files(tmp_path):
    first = save_figure(draw_image_grid([GRID], ["a_$b$"]), tmp_path / "plots/one")
    again = save_figure(draw_image_grid([GRID], ["a_$b$"]), tmp_path / "plots/two")
    other = save_figure(draw_image_grid([GRID], ["b"]), tmp_path / "plots/three")
    assert [path.name for path in first] == ["one.png", "one.svg"]
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in again]
    assert first[1].read_bytes() != other[1].read_bytes()


def test_a_gif_holds_all_frames_and_repeats(tmp_path):
    frames = [draw_image_grid([np.roll(GRID, n)]) for n in range(3)]
    with Image.open(save_gif(frames, tmp_path / "a.gif")) as gif:
        assert (gif.n_frames, gif.info["loop"]) == (3, 0)
    with pytest.raises(ValueError, match="at least one frame"):
        save_gif([], tmp_path / "b.gif")


def test_a_gif_keeps_the_colours_of_thin_lines_on_many_others(tmp_path):
    figure = draw_image_grid([np.arange(4096.0).reshape(64, 64)], colours="Greys", cell=4)
    for number, colour in enumerate(COLOURS):
        figure.axes[0].axhline(6 * number + 4, color=colour, linewidth=2)
    with Image.open(save_gif([figure], tmp_path / "a.gif")) as gif:
        colours = gif.convert("RGB").getcolors(100_000)
    found = {f"#{red:02x}{green:02x}{blue:02x}" for _, (red, green, blue) in colours}
    assert set(COLOURS) <= found


def test_every_image_of_a_grid_lies_within_the_figure_and_overlaps_no_other():
    figure = draw_image_grid([GRID] * 7, ["two\nlines"] * 7, title="a title " * 12)
    boxes = [axes.get_position() for axes in figure.axes]
    assert all(0 <= box.x0 < box.x1 <= 1 and 0 <= box.y0 < box.y1 <= 1 for box in boxes)
    assert not any(a.overlaps(b) for a in boxes for b in boxes if a is not b)
