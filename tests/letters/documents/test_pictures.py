import hashlib
from io import BytesIO
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from letters.documents.pictures import BadPictureError, read_picture
from tests.letters.documents.pictures import file_of, noise

TRANSPARENT_RED = (255, 0, 0, 0)


def stored(upload: bytes) -> Image.Image:
    content = read_picture(upload).content
    assert content is not None
    return Image.open(BytesIO(content))


def refusal(upload: bytes) -> str:
    with pytest.raises(BadPictureError) as refused:
        read_picture(upload)
    return refused.value.message


def test_is_named_by_the_hash_of_its_bytes() -> None:
    picture = read_picture(file_of(noise(300, 100), "JPEG"))

    assert picture.content is not None
    assert (picture.width, picture.height) == (300, 100)
    assert picture.sha256 == hashlib.sha256(picture.content).hexdigest()
    assert Image.open(BytesIO(picture.content)).format == "PNG"


def test_the_same_upload_gives_the_same_bytes() -> None:
    upload = file_of(noise(300, 100))

    assert read_picture(upload) == read_picture(upload)


def test_keeps_what_is_transparent() -> None:
    assert stored(file_of(Image.new("RGBA", (40, 20), TRANSPARENT_RED))).mode == "RGBA"
    assert stored(file_of(Image.new("P", (40, 20)), transparency=0)).getpixel((3, 3)) == (
        0,
        0,
        0,
        0,
    )
    assert stored(file_of(Image.new("RGB", (40, 20)))).mode == "RGB"


def test_keeps_greys_of_16_bits() -> None:
    image = stored(file_of(Image.new("I;16", (40, 20), 257 * 100)))

    assert image.getpixel((3, 3)) == (100, 100, 100)


def test_is_made_no_larger_than_a_letter_needs() -> None:
    wide, tall = stored(file_of(Image.new("L", (4000, 500)))), stored(file_of(noise(200, 900)))

    assert (wide.size, tall.size) == ((1200, 150), (133, 600))


def test_stands_upright_and_forgets_where_it_was_taken() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010E] = "in the dean's kitchen"
    upload = file_of(noise(300, 100), "JPEG", exif=exif)

    image = stored(upload)

    assert b"kitchen" in upload
    assert image.size == (100, 300)
    assert not image.info
    assert not image.getexif()


@pytest.mark.parametrize(
    ("upload", "message"),
    [
        (b"", "This is not a PNG or JPEG picture."),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "This is not a PNG or JPEG picture."),
        (file_of(noise(9, 9), "GIF"), "This is not a PNG or JPEG picture."),
        (file_of(noise(90, 90))[:-400], "The picture is damaged: it could not be read to its end."),
        (
            file_of(noise(90, 90), "JPEG")[:-900],
            "The picture is damaged: it could not be read to its end.",
        ),
        (b"x" * 1_000_001, "The picture is larger than 1 MB. Save it smaller, and try again."),
    ],
)
def test_refuses_what_is_no_picture(upload: bytes, message: str) -> None:
    assert refusal(upload) == message


@pytest.mark.parametrize("size", [(4001, 1), (1, 4001)])
def test_refuses_too_many_pixels(size: tuple[int, int]) -> None:
    width, height = size

    assert refusal(file_of(Image.new("1", size))) == (
        f"The picture is {width} by {height} pixels; at most 4000 by 4000 are possible."
    )


@pytest.mark.parametrize(
    ("side", "message"),
    [
        (9_000, "The picture is 9000 by 9000 pixels; at most 4000 by 4000 are possible."),
        (12_000, "This is not a PNG or JPEG picture."),
        (2**31 - 1, "This is not a PNG or JPEG picture."),
    ],
)
def test_refuses_a_bomb_before_it_takes_memory(side: int, message: str) -> None:
    bomb = bytearray(file_of(Image.new("1", (8, 8))))
    # A PNG begins with 8 bytes of signature, then length, name, content and sum of its head.
    bomb[16:24] = side.to_bytes(4, "big") * 2
    bomb[29:33] = crc32(bomb[12:29]).to_bytes(4, "big")

    assert refusal(bytes(bomb)) == message


@given(
    which=st.sampled_from(["PNG", "JPEG"]),
    changes=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), min_size=1, max_size=6),
    length=st.integers(1, 900),
)
def test_a_damaged_file_is_refused_or_read(
    which: str, changes: list[tuple[int, int]], length: int
) -> None:
    upload = bytearray(file_of(Image.new("RGB", (30, 20), "#1b5a7d"), which))
    for place, byte in changes:
        upload[place % len(upload)] = byte

    try:
        picture = read_picture(bytes(upload[:length]))
    except BadPictureError:
        return
    assert picture.width <= 1200
    assert picture.height <= 600
