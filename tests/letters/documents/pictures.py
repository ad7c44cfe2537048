"""Drawings that stand for uploads."""

from io import BytesIO
from typing import Any

from PIL import Image, ImageDraw

from letters.documents import Picture
from letters.documents.pictures import read_picture


def file_of(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    written = BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def noise(width: int, height: int) -> Image.Image:
    return Image.effect_noise((width, height), 80).convert("RGB")


def drawing(width: int = 420, height: int = 160) -> Picture:
    image = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((10, 10, width - 10, height - 10), outline="#1b5a7d", width=9)
    return read_picture(file_of(image))
