"""Text as a reader sees it: without characters that show nothing; and how many words it has."""

from __future__ import annotations

import re
import unicodedata

_LINE_ENDS = re.compile(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]")
# Characters that show nothing, or turn around what follows: controls, surrogates, private use, and what Unicode lets any
# program ignore (Default_Ignorable_Code_Point: soft hyphens, joiners, marks of direction, tags, variation selectors), with
# Braille's and Hangul's blanks. Joiners go too, although Persian and Indic scripts and emoji are finer with them: such texts
# can be read without, trafilatura drops them anyway, and a message can be written in them alone.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffc\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
# Scripts that are written without blanks between words: Thai to Burmese, Khmer, kana, Chinese.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_WORD = re.compile(r"\w[\w'’.-]*")


def seen(text: str) -> str:
    """A text without what can't be seen: in NFC, every line trimmed, no empty line more than one after another."""
    lines = _UNSEEN.sub("", _LINE_ENDS.sub("\n", text)).split("\n")
    trimmed = "\n".join(line.strip() for line in lines)
    return unicodedata.normalize("NFC", re.sub(r"\n{3,}", "\n\n", trimmed)).strip()


def words(text: str) -> int:
    """How many words a text has. Where a script has no blanks, two characters count as a word, as Chinese has it."""
    spaced, unspaced = _UNSPACED.subn(" ", text)
    return sum(1 for _ in _WORD.finditer(spaced)) + (unspaced + 1) // 2
