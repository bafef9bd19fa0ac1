"""Detection of text encodings from the whole file: byte order marks, zero bytes, UTF-8, else the most plausible."""

import codecs
from collections.abc import Callable, Iterator
from itertools import islice
from typing import BinaryIO, Self

from analytics.domain.spelling import word_key

__all__ = ["Recoded", "encoding_of"]

_PIECE = 1 << 20
_SAMPLE = 1 << 18
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LEGACY = ("gb18030", "big5hkscs", "cp1252")
_COMMON = {"gb18030": ("gb2312", 0xB0, 0xD7), "big5hkscs": ("big5", 0xA4, 0xC6)}
"""Plain sets of each encoding and the first bytes under which its everyday letters stand."""
_WESTERN = frozenset("äöüßÄÖÜéèêàâçîôûñáíóúÉÈ°³²µ·×€ÀÇ")


def encoding_of(opened: Callable[[], BinaryIO], known: Callable[[str], int] = lambda _: 0) -> str:
    """Codec of a text file.

    Parameters
    ----------
    opened : callable
        Opens the file at its beginning; it is read whole where its first bytes do not decide.
    known : callable
        Number of known words in a text; what parts two encodings that can both read the bytes.

    Returns
    -------
    str
        A codec that reads the file; UTF-8 where none reads it whole, so that only the cells that are none are at fault.
    """
    with opened() as file:
        head = file.read(_SAMPLE)
    marked = next((name for mark, name in _MARKS if head.startswith(mark)), None) or _by_zeros(head)
    if marked is not None:
        return marked
    if _reads("utf-8", opened):
        return "utf-8"
    sample = head[: head.rfind(b"\n") + 1] or head
    best, most = "utf-8", 0.0
    for name in _LEGACY:
        score = _score(name, sample, known)
        if score > most and (name == "cp1252" or _reads(name, opened)):
            best, most = name, score
    return best


def _by_zeros(head: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of digits and commas is zero."""
    even, odd = head[0:4096:2], head[1:4096:2]
    if len(even) < 4:
        return None
    zeros = even.count(0) / len(even), odd.count(0) / max(len(odd), 1)
    if zeros[1] > 0.3 and zeros[0] < 0.1:
        return "utf-16-le"
    return "utf-16-be" if zeros[0] > 0.3 and zeros[1] < 0.1 else None


def _reads(encoding: str, opened: Callable[[], BinaryIO]) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with opened() as file:
        try:
            for piece in iter(lambda: file.read(_PIECE), b""):
                if not piece.isascii() or decoder.getstate()[0]:
                    decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
    return True


def _score(encoding: str, sample: bytes, known: Callable[[str], int]) -> float:
    """Plausibility of an encoding: share of common characters, and number of known words."""
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(sample)
    odd = list(islice((c for c in text if not c.isascii()), 20_000))
    if not odd:
        return 0.0
    if encoding == "cp1252":
        share = sum(letter in _WESTERN for letter in odd) / len(odd)
        return share if share > 0.9 else 0.0
    return sum(_is_common(encoding, letter) for letter in odd) / len(odd) + known(text)


def _is_common(encoding: str, letter: str) -> bool:
    plain_set, low, high = _COMMON[encoding]
    if "\uff00" <= letter <= "\uffef" or "\u3000" <= letter <= "\u303f":
        return True
    try:
        return low <= letter.encode(plain_set)[0] <= high
    except UnicodeEncodeError:
        return False


def known_words(words: frozenset[str]) -> Callable[[str], int]:
    """Counts the cells of a text's first lines that are among the words, whatever parts the cells."""

    def count(text: str) -> int:
        cells = _cells(text)
        return sum(word_key(cell) in words for cell in cells)

    return count


def _cells(text: str) -> Iterator[str]:
    for line in text.splitlines()[:30]:
        for mark in ",;\t|":
            if mark in line:
                yield from (cell.strip('"').split("(")[0].split("（")[0] for cell in line.split(mark))


class Recoded:
    """A binary stream of text in another encoding, read as UTF-8 without a mark."""

    def __init__(self, raw: BinaryIO, encoding: str) -> None:
        self._raw = raw
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
        self._rest = b""
        self._first = True

    closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def close(self) -> None:
        """Close what is read."""
        self._raw.close()

    def readable(self) -> bool:
        """It can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """The next bytes as UTF-8, fewer at the end of the file."""
        pieces = [self._rest]
        held = len(self._rest)
        while size < 0 or held < size:
            piece = self._raw.read(_PIECE)
            text = self._decoder.decode(piece, final=not piece)
            if self._first and text:
                text, self._first = text.removeprefix("\ufeff"), False
            pieces.append(text.encode("utf-8", "replace"))
            held += len(pieces[-1])
            if not piece:
                break
        whole = b"".join(pieces)
        taken, self._rest = (whole, b"") if size < 0 else (whole[:size], whole[size:])
        return taken
