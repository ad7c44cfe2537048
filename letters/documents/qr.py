"""The address at which a letter is verified, for the camera of who holds the paper."""

from functools import lru_cache
from io import BytesIO

import segno


@lru_cache(maxsize=4096)
def qr_svg(address: str) -> bytes:
    """A drawing of the same bytes for the same address. Leave white space around it.

    Making one costs more than the rest of a page, and a page is opened more than once.
    """
    drawing = BytesIO()
    segno.make(address, error="m", micro=False).save(
        drawing, kind="svg", border=0, light="#fff", xmldecl=False, svgclass=None, lineclass=None
    )
    return drawing.getvalue()
