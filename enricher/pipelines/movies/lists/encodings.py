"""Which of the old one-byte encodings a text is in, guessed from its letters.

cp1252 (Western Europe) is the rule. Central European texts (cp1250, ISO 8859-2) and Turkish ones (cp1254) show, read as
cp1252, signs inside words (`mi³oœci`) and letters where no Western language has them (`Ostøe`). charset-normalizer is asked
for other scripts only: it guesses short Western texts wrong.
"""

from __future__ import annotations

import codecs
import re

LENIENT = "enricher-cp1252"
"""The name of the error handler that reads what a decoder stumbles over as cp1252."""

_LONG_RUNS = re.compile(rb"[\x80-\xff]{3,}")
_WORDS = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
_SHARE_OF_OTHER_SCRIPTS = 0.7  # Zażółć has two thirds
# What Windows and older systems wrote where people do not write Latin letters. Mac and DOS encodings would win over
# these on a short list, and are hardly met any more.
_FAR_ENCODINGS = ["cp1251", "koi8_r", "cp1253", "cp1255", "cp1256", "cp932", "gb18030", "big5", "cp949", "cp874"]

_L = r"[^\W\d_]"
_VOWEL = "[aeiouyáéíóúý]"

# Patterns over the text as cp1252 shows it, with weights. In brackets: the letter that cp1250 has at that place.
_CENTRAL = (
    (3.0, rf"³(?={_L})|(?<={_L})[¹¿¼¾£¯](?={_L})|(?<={_L})¿|(?<={_L})¹|[¹¯£¥](?={_L})"),  # ł ą ż ľ
    (0.5, rf"(?<={_L}){{1}}³(?!{_L})"),  # ł at the end; but Alien³
    (3.0, rf"œ(?![ui])|(?<={_L})ÿ(?={_L})|ÿ(?={_L})|[\x8d\x8f\x9d\x9f]"),  # ś ź ť
    (1.0, rf"ø(?={_VOWEL})|ì(?={_L})|ù(?={_L})|ò(?={_L})|\bè(?={_L})|è(?=[aeouyknh]|i)"),  # ř ě ů ň č
    (
        1.0,
        rf"æ(?!{_L})|æ(?=[eiou])|ê(?!{_L})|ê(?=[dkgszbp])|ñ(?![aeiouáéíóú])|õ(?!e)|û(?![tlrcn])|(?<={_L})º(?={_L})|ï(?!{_L})",
    ),
    (0.5, rf"(?<={_L})þ|ã(?![oe])"),  # ţ ă
    (2.0, r"gyû|szû|nyû|tûz|mûv|bûn|hûs|fû\b"),  # ű
)
_WESTERN = (
    (1.0, r"[àå]|ø(?=[bcdfghjklmnprstvz])|æ(?=[bcdfghjklmnprstvz])|ñ(?=[aeiouáéíóú])|ã(?=[oe])|õ(?=e)|œ(?=[ui])"),
    (1.0, r"è(?=[rmvstgld])|ê(?=[tmvrnl])|û(?=[tlrcn])|ï(?=[efmst])|\bè\b|[ìòù]\b"),
)
_TURKISH = ((1.0, rf"(?<={_L})þ|(?<={_L})ð(?=[ýiuüaeoöl])|(?<=[bcdfgkmnprstvyz])ý|\bÝ(?=[a-z])"),)
# Signs at whose places ISO 8859-2 has letters (ą ś ź, Czech ž ť Š Ž), those of cp1250 alone, and what makes a ¹ Polish (ą).
_ISO_8859_2 = re.compile(rf"(?<={_L})[±¶¦¾»](?={_L})|(?<={_L})[±¶]|[±¶¦©®¾](?={_L})")
_ONLY_CP1250 = re.compile(r"[\x80-\x9f\u0152-\u2122]")
_POLISH = re.compile(rf"³|ê|(?<={_L})¿")


def _as_cp1252(error: UnicodeError) -> tuple[str, int]:
    """Read the bytes that a decoder stumbled over as cp1252, or as Latin-1 where cp1252 has a hole."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    try:
        return wrong.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return wrong.decode("latin-1"), error.end


codecs.register_error(LENIENT, _as_cp1252)


def guessed_encoding(head: bytes) -> str:
    """The likeliest encoding of a text that is no UTF-8, by its beginning."""
    high = len(head) - len(head.translate(None, bytes(range(128, 256))))
    words = sum(map(len, _WORDS.findall(head)))
    if 2 * sum(map(len, _LONG_RUNS.findall(head))) > high > _SHARE_OF_OTHER_SCRIPTS * words:
        from charset_normalizer import from_bytes  # here, because it takes longer to load than most lists to read

        best = from_bytes(head, cp_isolation=_FAR_ENCODINGS).best()
        return best.encoding if best else "cp1252"
    text = head.decode("cp1252", LENIENT).replace("Ÿ", "\x9f")
    western, central, turkish = (_score(patterns, text) for patterns in (_WESTERN, _CENTRAL, _TURKISH))
    if turkish > max(western, central) and "ý" in text.lower():
        return "cp1254"
    iso = not _ONLY_CP1250.search(text) and (_ISO_8859_2.search(text) or ("¹" in text and not _POLISH.search(text)))
    if central <= western + 0.5 and not _ISO_8859_2.search(text):
        return "cp1252"
    return "iso8859_2" if iso else "cp1250"


def _score(patterns: tuple[tuple[float, str], ...], text: str) -> float:
    return sum(weight * len(re.findall(pattern, text.lower())) for weight, pattern in patterns)
