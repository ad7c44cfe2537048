"""Uploaded pictures, made into what a page and a PDF both can show."""

import hashlib
from io import BytesIO

from django.utils.translation import gettext as _
from PIL import Image, ImageOps

from credentials_portal.core.errors import DomainError
from letters.documents.letter import Picture

MAX_BYTES = 1_000_000
MAX_SIDE = 4_000
STORED_SIZE = (1_200, 600)

# What Pillow raises for files that are none, are cut short, or would fill the memory.
_BAD_FILE = (
    OSError,
    ValueError,
    SyntaxError,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class BadPictureError(DomainError):
    """The upload cannot stand in a letter; the message says why, to who chose it."""

    code = "bad_picture"


def read_picture(upload: bytes) -> Picture:
    """The uploaded PNG or JPEG, drawn anew: upright, no larger than needed, nothing but the picture.

    What was transparent stays so. The same upload gives the same bytes. Raises `BadPictureError`.
    """
    if len(upload) > MAX_BYTES:
        raise BadPictureError(_("The picture is larger than 1 MB. Save it smaller, and try again."))
    image = _drawn(upload)
    image.thumbnail(STORED_SIZE, Image.Resampling.LANCZOS)
    written = BytesIO()
    image.save(written, "PNG", optimize=True)
    content = written.getvalue()
    return Picture(hashlib.sha256(content).hexdigest(), image.width, image.height, content)


def _drawn(upload: bytes) -> Image.Image:
    try:
        # Only the head of the file is read here: its size is known before it takes memory.
        image = Image.open(BytesIO(upload), formats=("PNG", "JPEG"))
    except _BAD_FILE as error:
        raise BadPictureError(_("This is not a PNG or JPEG picture.")) from error
    if max(image.size) > MAX_SIDE:
        raise BadPictureError(
            _("The picture is %(width)d by %(height)d pixels; at most 4000 by 4000 are possible.")
            % {"width": image.width, "height": image.height}
        )
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I"):
            # 16 bits of grey: Pillow would cut off what is lighter than 255, which is nearly all.
            upright = upright.convert("I").point(lambda grey: grey * (1 / 257)).convert("L")
        drawn = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
    except _BAD_FILE as error:
        raise BadPictureError(
            _("The picture is damaged: it could not be read to its end.")
        ) from error
    # A new picture has none of the old one's remarks, places and dates.
    return Image.frombytes(drawn.mode, drawn.size, drawn.tobytes())
