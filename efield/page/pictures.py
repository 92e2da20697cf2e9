"""Put pictures into a page: as data URIs, small enough together."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from efield.page.sections import PNG

__all__ = ["data_uris"]

# Quality of a JPEG: text in the figure stays sharp.
_QUALITY = 88

# Each time a picture is still too large it is made this much smaller.
_SHRINK = 0.8


def data_uris(pictures: Sequence[bytes], *, most: int = 3_400_000) -> list[str]:
    """Return pictures as data URIs that hold `most` bytes of files together at most.

    Parameters
    ----------
    pictures : sequence of bytes
        PNG files.
    most : int, optional
        Bytes of all of them together, before the third that their encoding adds.

    Returns
    -------
    list of str
        Of the file itself where it is no larger than its equal share (shares that smaller ones leave are given to the
        others); else of a JPEG, made smaller until it fits.

    Raises
    ------
    ValueError
        If one is no PNG file.
    """
    for picture in pictures:
        if not picture.startswith(PNG):
            raise ValueError("pictures must be the bytes of PNG files; got something else.")
    left, files = most, list(pictures)
    order = sorted(range(len(files)), key=lambda index: len(files[index]))
    for done, index in enumerate(order):
        share = left // (len(files) - done)
        if len(files[index]) > share:
            files[index] = _smaller(files[index], share)
        left -= len(files[index])
    return [f"data:image/{'png' if f.startswith(PNG) else 'jpeg'};base64,{base64.b64encode(f).decode()}" for f in files]


def _smaller(picture: bytes, most: int) -> bytes:
    from PIL import Image  # here, because few pictures need it; it comes with matplotlib

    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGBA")
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A"))
    while True:
        buffer = io.BytesIO()
        paper.save(buffer, format="JPEG", quality=_QUALITY, optimize=True)
        if buffer.tell() <= most or min(paper.size) <= 16:
            return buffer.getvalue()
        width, height = (max(int(_SHRINK * side), 16) for side in paper.size)
        paper = paper.resize((width, height), Image.Resampling.LANCZOS)
