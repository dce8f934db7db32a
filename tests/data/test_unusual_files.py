"""Unusual image files and tables: each is read and reported, or refused with its name."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_tables import DEFAULTS

from dlcourse.commands import predict
from dlcourse.data import image_file, scan
from dlcourse.data.csv import csv
from dlcourse.data.image_file import NOTES, Reading, read_image
from dlcourse.data.image_folder import image_folder
from dlcourse.data.public_files import File, PublicSet
from dlcourse.data.verified import read_verified
from dlcourse.engine.datasets import load_data
from dlcourse.errors import UserError

SIDE = 16
RAMP = np.arange(256).reshape(SIDE, SIDE)
LEFT = np.repeat([[0] * 8 + [255] * 8], SIDE, 0)  # black on the left, white on the right
MARK = np.zeros((SIDE, SIDE), np.uint8)
MARK[:8, :8] = 255  # bright in the upper left


def array(values, kind, **options):
    return lambda path: Image.fromarray(values.astype(kind)).save(path, **options)


def drawn(mode, colour=(0, 0, 0), **options):
    """Return a function that writes an image: left half opaque, right half transparent."""

    def write(path):
        image = Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 0))
        image.paste((*colour, 255), (0, 0, 8, SIDE))
        image = image.convert("LA") if mode == "La" else image
        image.convert(mode).save(path, **options)

    return write


def palette_of_alpha(path):
    image = Image.new("PA", (SIDE, SIDE))
    image.putpalette([0, 0, 0])
    image.putdata([(0, 255 if x < 8 else 0) for _ in range(SIDE) for x in range(SIDE)])
    image.save(path)


def keyed(values, key, kind=np.uint8):
    """Return a function that writes a PNG in which one value means transparent."""
    return array(values, kind, transparency=key)


def colour_of_16_bits(path):
    """Write a 16-bit RGB PNG by hand; Pillow cannot."""
    rows = b"".join(b"\0" + np.repeat(row * 257, 3).astype(">u2").tobytes() for row in RAMP)
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))


def white_is_zero(path):
    """Write a 16-bit TIFF whose photometric interpretation (tag 262) is WhiteIsZero."""
    Image.fromarray((RAMP * 257).astype(np.uint16)).save(path)
    content = bytearray(path.read_bytes())
    start = struct.unpack_from("<I", content, 4)[0]
    for entry in range(start + 2, start + 2 + 12 * struct.unpack_from("<H", content, start)[0], 12):
        if struct.unpack_from("<H", content, entry)[0] == 262:
            struct.pack_into("<H", content, entry + 8, 0)
    path.write_bytes(content)


def turned(orientation):
    def write(path):
        exif = Image.Exif()
        exif[0x112] = orientation
        Image.fromarray(MARK).save(path, exif=exif)

    return write


def frames(path):
    first, second = (Image.new("L", (SIDE, SIDE), shade) for shade in (10, 20))
    first.save(path, save_all=True, append_images=[second])


def upright(orientation):
    """Return MARK in the orientation that EXIF 2.32, table 6, prescribes for display."""
    where = {1: MARK, 3: MARK[::-1, ::-1], 6: np.rot90(MARK, -1), 8: np.rot90(MARK)}
    return where[orientation]


TEN = np.full((SIDE, SIDE), 10)
HOLDS = {  # file: (function that writes it, expected grey values, note in the log)
    "plain.png": (array(RAMP, np.uint8), RAMP, ""),
    "16 bits.png": (array(RAMP * 257, np.uint16), RAMP, "deep"),
    "16 bits.tif": (array(RAMP * 257, np.uint16), RAMP, "deep"),
    "16 bits high first.tif": (array(RAMP * 257, ">u2"), RAMP, "deep"),
    "white is zero.tif": (white_is_zero, 255 - RAMP, "deep"),
    "16 bits of colour.png": (colour_of_16_bits, RAMP, "deep"),
    "10 bits.pgm": (
        lambda path: path.write_bytes(b"P5 16 16 1023\n" + (RAMP * 4).astype(">u2").tobytes()),
        np.round(RAMP * 4 * 255 / 1023), "deep",
    ),
    "32 bits.tif": (array(RAMP, np.int32), RAMP, "deep"),
    "floats.tif": (array(RAMP / 255, np.float32), RAMP, "deep"),
    "alpha.png": (drawn("RGBA"), LEFT, "transparent"),
    "grey alpha.png": (drawn("LA"), LEFT, "transparent"),
    "alpha.webp": (drawn("RGBA", lossless=True), LEFT, "transparent"),
    "alpha.gif": (drawn("RGBA"), LEFT, "transparent"),
    "palette.png": (drawn("P"), LEFT, "transparent"),
    "palette of alpha.tif": (palette_of_alpha, LEFT, "transparent"),
    "key.png": (keyed(LEFT // 2, 127), LEFT, "transparent"),
    "key of 16 bits.png": (keyed(LEFT, 255, np.uint16), LEFT, "transparent"),
    "half.png": (
        lambda path: Image.new("RGBA", (SIDE, SIDE), (0, 0, 0, 51)).save(path),
        np.full((SIDE, SIDE), 204), "transparent",
    ),
    "white on nothing.png": (drawn("RGBA", (255, 255, 255)), LEFT * 0 + 255, "blank"),
    "opaque.png": (
        lambda path: Image.fromarray(RAMP.astype(np.uint8)).convert("RGBA").save(path), RAMP, "",
    ),
    "upside down.png": (turned(3), upright(3), ""),
    "to the right.jpg": (turned(6), upright(6), ""),
    "to the left.tif": (turned(8), upright(8), ""),
    "cmyk.tif": (
        lambda path: Image.fromarray(RAMP.astype(np.uint8)).convert("CMYK").save(path), RAMP, "",
    ),
    "one bit.tif": (
        lambda path: Image.fromarray(LEFT.astype(np.uint8)).convert("1").save(path), LEFT, "",
    ),
    "animated.gif": (frames, TEN, "frames"),
    "pages.tif": (frames, TEN, "frames"),
    "animated.png": (frames, TEN, "frames"),
    "photo.jfif": (lambda path: Image.new("L", (SIDE, SIDE), 10).save(path, "JPEG"), TEN, ""),
    "PHOTO.JPE": (lambda path: Image.new("L", (SIDE, SIDE), 10).save(path, "JPEG"), TEN, ""),
    "without suffix": (lambda path: Image.new("L", (SIDE, SIDE), 10).save(path, "PNG"), TEN, ""),
    "other suffix.jpg": (lambda path: Image.new("L", (SIDE, SIDE), 10).save(path, "PNG"), TEN, ""),
    "caf\udce9.png": (array(RAMP, np.uint8), RAMP, ""),
}  # fmt: skip
REFUSED = {
    "32 bits.tif": (array(RAMP * 1000, np.int32), "32-bit integers from 0 to 255000"),
    "negative.tif": (array(RAMP - 9, np.int32), "32-bit integers from -9 to 246"),
    "floats.tif": (array(RAMP, np.float32), "floats from 0 to 255"),
    "not a number.tif": (array(RAMP * np.nan, np.float32), "floats from nan"),
    "bomb.png": (lambda path: Image.new("1", (10_000, 9_000)).save(path), "10,000 x 9,000 pixels"),
    "program.png": (
        lambda path: path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"),
        "cannot identify",
    ),
    "caf\udce9.png": (lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n"), r"caf\xe9.png cannot"),
}


def folder_with(name, write, top):
    """Return a folder of train and test images, with one training image written by ``write``."""
    for place in ("train/b", "test/a", "test/b"):
        (top / place).mkdir(parents=True)
        Image.new("L", (SIDE, SIDE), 7).save(top / place / "1.png")
    (top / "train/a").mkdir()
    write(top / "train/a" / name)
    return top


def data_set(top, **options):
    given = {"root": top, "seed": 0, "folder": ".", "size": SIDE, "channels": 1, "workers": 0,
             "test_fraction": 0.2, "damaged": "refuse", "memory": 1.0,
             "decoder": "pillow", "reduced_decode": False, "labels": None,
             "fit": "crop", "fill": 0, **options}  # fmt: skip
    return image_folder(**given)


def by_a_data_set(top, caplog, capsys, memory):
    train = data_set(top, memory=memory).train
    inputs, _ = next(iter(train.batches([torch.tensor([0])])))
    return inputs[0, 0].numpy(), caplog.text


def by_predict(top, caplog, capsys):
    seen = []

    def keep(batch):
        seen.append(batch)
        return batch.flatten(1)[:, :2].float()

    (found,) = predict.find_images(str(top / "train/a"))
    shape = (1, SIDE, SIDE)
    source = predict.Source(keep, shape, 2, "classification", ["a", "b"], "images", {}, 0.5)
    predict.image_rows([found], source)
    return seen[0][0, 0].numpy(), capsys.readouterr().err


READERS = {
    "in memory": lambda *at: by_a_data_set(*at, memory=1),
    "streamed": lambda *at: by_a_data_set(*at, memory=0),
    "predict": by_predict,
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", HOLDS)
def test_every_reader_decodes_a_file_to_the_same_pixels(name, reader, tmp_path, caplog, capsys):
    write, right, note = HOLDS[name]
    pixels, log = READERS[reader](folder_with(name, write, tmp_path), caplog, capsys)
    tolerance = 1 if name.lower().endswith((".jpg", ".jpe", ".jfif", ".pgm")) else 0
    assert np.abs(pixels.astype(int) - right).max() <= tolerance
    assert not note or NOTES[note] in log
    assert note or not any(text in log for text in NOTES.values())


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("name", REFUSED)
def test_every_reader_refuses_an_unknown_range_and_names_the_file(
    name, reader, tmp_path, caplog, capsys
):
    write, reason = REFUSED[name]
    top = folder_with(name, write, tmp_path)
    with pytest.raises(UserError) as caught:
        READERS[reader](top, caplog, capsys)
    assert reason in str(caught.value)
    assert image_file.shown(name) in str(caught.value)


def test_a_note_counts_the_files_and_names_some():
    paths, notes = list("abcdef"), [["deep"], ["deep", "frames"], ["deep"], ["deep"], [], []]
    line = image_file.describe_notes(paths, notes)
    assert line.startswith("4 of 6 images have more than 8 bits")
    assert "(a, b, c, and 1 more); 1 of 6 images have several frames" in line
    assert image_file.describe_notes(paths, [[]] * 6) == ""


def test_skipped_files_are_counted_in_one_line(tmp_path, caplog):
    top = folder_with("1.png", array(RAMP, np.uint8), tmp_path)
    (top / "train/a/deeper/still").mkdir(parents=True)
    for place in ("train/a/deeper/2.png", "train/a/deeper/still/3.png", "train/4.png",
                  "train/a/.hidden.png", "dev/a/5.png"):  # fmt: skip
        (top / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (SIDE, SIDE)).save(top / place)
    (top / "train/a/notes.TXT").write_text("no image")
    (top / "train/a/text").write_text("no image")
    (top / "train/a/Thumbs.db").write_text("a file of the system")
    (top / "train/a/gone.png").symlink_to("nowhere.png")
    for _ in range(2):  # from the files, and from the cache
        caplog.clear()
        assert len(data_set(top).train) == 2
        (line,) = [record.getMessage() for record in caplog.records]
        assert line == (
            f"left out of {top}: 1 .txt files, 1 broken links or special files, 1 files without a "
            "suffix, 1 folder dev, 2 images in folders inside a class folder, 1 images in no "
            "class folder"
        )


def test_links_to_images_and_to_class_folders_are_followed(tmp_path):
    top = folder_with("1.png", array(RAMP, np.uint8), tmp_path / "images")
    (top / "train/a/2.png").symlink_to(top / "train/b/1.png")
    (tmp_path / "elsewhere").mkdir()
    Image.new("L", (SIDE, SIDE)).save(tmp_path / "elsewhere/1.png")
    (top / "train/c").symlink_to(tmp_path / "elsewhere")
    data = data_set(top)
    assert data.train.targets.tolist() == [0, 0, 1, 2]


def test_a_class_folder_whose_name_is_not_utf8_gets_a_printable_name(tmp_path):
    for folder in (b"caf\xe9", "e\u0301".encode()):
        os.makedirs(os.path.join(os.fsencode(tmp_path), folder))
        for number in range(5):
            image = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), folder)), f"{number}.png")
            Image.new("L", (SIDE, SIDE), number).save(image)
    data = data_set(tmp_path)
    assert data.classes == (r"caf\xe9", "\u00e9")  # macOS writes accents decomposed


def test_a_folder_without_read_permission_is_named(tmp_path, monkeypatch):
    top = folder_with("1.png", array(RAMP, np.uint8), tmp_path)

    def forbidden(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(scan.os, "scandir", forbidden)
    with pytest.raises(UserError, match=r"(?s)cannot be read: .*Permission denied.*right to read"):
        data_set(top)


def test_data_files_without_read_permission_are_named(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"")

    def forbidden(*_, **__):
        raise PermissionError(13, "Permission denied", "a")

    monkeypatch.setattr(Path, "read_bytes", forbidden)
    source = PublicSet("The set", "", (File("a", 0),), ())
    with pytest.raises(UserError, match=r"(?s)The set cannot be read: .*denied.*right to read"):
        read_verified(source, tmp_path, "a")


def test_a_new_version_of_the_image_reader_invalidates_the_cache(tmp_path, monkeypatch):
    top = folder_with("1.png", array(RAMP, np.uint8), tmp_path)
    images, _ = scan.list_images(top)
    before = scan.fingerprint(images)
    assert scan.fingerprint(images) == before
    monkeypatch.setattr(scan, "READER_VERSION", image_file.READER_VERSION + 1)
    assert scan.fingerprint(images) != before
    monkeypatch.undo()
    monkeypatch.setattr(scan.PIL, "__version__", "0.0")
    assert scan.fingerprint(images) != before


def test_an_image_with_damaged_exif_is_read_without_its_orientation(tmp_path, monkeypatch):
    Image.fromarray(MARK).save(tmp_path / "1.png")

    def broken(image, in_place):
        raise SyntaxError("not a TIFF file")

    monkeypatch.setattr(image_file.ImageOps, "exif_transpose", broken)
    pixels, notes = image_file.decode_image(tmp_path / "1.png", Reading(SIDE, 1))
    assert np.array_equal(pixels[0], MARK)
    assert notes == ["exif"]


def test_an_image_is_read_the_same_after_images_of_other_formats(tmp_path):
    for name in ("alpha.png", "plain.png", "floats.tif"):
        HOLDS[name][0](tmp_path / name)
    for name in ("alpha.png", "plain.png", "floats.tif", "plain.png", "alpha.png"):
        assert np.array_equal(read_image(tmp_path / name, Reading(SIDE, 1))[0], HOLDS[name][1])


def table(folder, text, **options):
    (folder / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return csv(root=folder, seed=0, **{**DEFAULTS, "target": "y", "file": "t.csv", **options})


def rows(*cells, header="x,y"):
    return "\n".join([header, *(cell if "," in cell else f"{cell},{n % 2}"
                                for n, cell in enumerate(cells * 6))]) + "\n"  # fmt: skip


@pytest.mark.parametrize(
    ("one", "other"), [("01", "1"), ("1E1", "10"), ("1.50", "1.5"), ("+1", "1"), ("-0", "0")]
)
def test_one_number_written_in_two_ways_as_a_class_is_refused(one, other, tmp_path):
    text = rows(f"1,{one}", f"2,{other}", "3,7")
    message = rf"(?s)column y: .*{one.replace('+', '.')} .*line 2.*are one number.*x{other}"
    with pytest.raises(UserError, match=message):
        table(tmp_path, text)
    with pytest.raises(UserError, match="are one number"):
        table(tmp_path, rows(f"1,{one},0", f"2,{other},1", "3,7,1", header="x,g,y"), group="g")
    codes = table(tmp_path, rows(f"1,x{one}", f"2,x{other}", "3,x7"))
    assert codes.classes == tuple(sorted((f"x{one}", f"x{other}", "x7")))


def test_class_codes_that_are_not_all_numbers_keep_their_spelling(tmp_path):
    assert table(tmp_path, rows("1,01", "2,1", "3,A")).classes == ("01", "1", "A")


def test_column_names_may_be_numbers(tmp_path, compose):
    text = rows("1.5,7,0", "2.5,8,1", header="0,1,2")
    typed = table(tmp_path, text, target=2, features=[0])
    overrides = ("data.file=t.csv", "data.target=2", "data.features=[0]", f"data.root={tmp_path}")
    assert torch.equal(load_data(compose("data=csv", *overrides)).train.inputs, typed.train.inputs)
    assert typed.input_shape == (1,)
    grouped = table(tmp_path, rows("1,a,0", "2,b,1", "3,c,1", header="0,1,2"), target=2, group=1)
    assert grouped.groups is not None


BIG = 2**53 + 1
LOSES = {
    "whole numbers above 2^24": [str(1_700_000_000 + n) for n in range(9)],
    "whole numbers above 2^53": [str(BIG + n) for n in range(9)],
    "fractions far from 0": [str(2_459_000 + n / 1000) for n in range(9)],
    "too small for 32 bits": [f"{n}e-60" for n in range(9)],
}
KEEPS = {
    "fractions": [str(n / 7) for n in range(9)],
    "large and far from each other": [str(n * 10**12 + 1) for n in range(9)],
    "below 2^24": [str(16_000_000 + n) for n in range(9)],
    "one value": [str(BIG)] * 9,
}


@pytest.mark.parametrize("name", [*LOSES, *KEEPS])
def test_a_column_that_loses_digits_in_32_bits_is_named_with_a_line(name, tmp_path, caplog):
    cells = LOSES.get(name) or KEEPS[name]
    for options in ({"numbers": "float32"}, {"task": "regression", "target": "x"}):
        caplog.clear()
        table(tmp_path, rows(*cells), **options)
        reported = "columns lose digits as 32-bit floats: x (line " in caplog.text
        assert reported == (name in LOSES)


@pytest.mark.parametrize("name", [*LOSES, *KEEPS])
def test_features_that_lose_digits_in_32_bits_have_64(name, tmp_path, caplog):
    dataset = table(tmp_path, rows(*(LOSES.get(name) or KEEPS[name])))
    assert dataset.train.inputs.dtype == (torch.float64 if name in LOSES else torch.float32)
    reported = "columns lose digits as 64-bit floats: x (line " in caplog.text
    assert reported == ("2^53" in name)


def test_missing_value_codes_and_numeric_headers_are_reported(tmp_path, caplog):
    table(tmp_path, rows("1,NA", "2,b"))
    assert "column y: 6 cells are NA" in caplog.text
    table(tmp_path, rows("5.1,0", "4.9,1", header="5.2,0"), target="0")
    assert "line 1, 5.2, 0, is read as the names of the columns" in caplog.text
    caplog.clear()
    table(tmp_path, rows("5.1,0", "4.9,1", header="1,2"), target=2)
    table(tmp_path, rows("5.1,a", "4.9,b", header="2019,y"))
    assert caplog.text == ""


@pytest.mark.parametrize(
    "cell", ["2024-01-31", "True", '"1,234"', "1 234", "12:30", "5%", "$5", "0x1F", "1_000"]
)
def test_cells_that_are_not_plain_numbers_are_refused_with_line_and_column(cell, tmp_path):
    text = "x,y\n" + "".join(f"{cell if n == 3 else n},{n % 2}\n" for n in range(9))
    with pytest.raises(UserError, match=r"line 5, column x: .*is not a number"):
        table(tmp_path, text)
