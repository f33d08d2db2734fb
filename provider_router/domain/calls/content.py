"""What a message may hold besides plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from provider_router.domain.contracts.contract import Modality


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text.

    Attributes:
        text: The text.
        cached: For how long the provider is to keep the prompt up to the end of this part in its cache: `5m` or `1h`;
            empty for the provider's own ways.
    """

    text: str
    cached: str = ""


@dataclass(frozen=True, slots=True)
class ImagePart:
    """An image: at an address, or its bytes.

    Attributes:
        url: `https` address; empty where the bytes are here. Nexus never fetches it: the provider does.
        data: Base64 of the bytes; empty where an address is given.
        media_type: Of the bytes, such as `image/png`.
        detail: `low`, `high` or another word of OpenAI's; empty for the provider's choice.
        cached: As in `TextPart`.
    """

    url: str = ""
    data: str = ""
    media_type: str = ""
    detail: str = ""
    cached: str = ""


@dataclass(frozen=True, slots=True)
class FilePart:
    """A file, such as a PDF: at an address, by the provider's own id, or its bytes.

    Attributes:
        url: `https` address; empty for none.
        file_id: That the provider gave it; empty for none. Another provider does not know it.
        data: Base64 of the bytes; empty for none.
        media_type: Of the bytes, such as `application/pdf`.
        name: Its name; empty for none.
        cached: As in `TextPart`.
    """

    url: str = ""
    file_id: str = ""
    data: str = ""
    media_type: str = ""
    name: str = ""
    cached: str = ""


@dataclass(frozen=True, slots=True)
class AudioPart:
    """Sound.

    Attributes:
        data: Base64 of the bytes.
        form: `wav` or `mp3`.
    """

    data: str
    form: str


@dataclass(frozen=True, slots=True)
class ThinkingPart:
    """What a model thought before it spoke. Only the provider that made it can read its signature.

    Attributes:
        text: The thoughts; empty where the provider keeps them to itself.
        signature: Proves to the provider that they are its own; empty where it does not sign.
        redacted: Thoughts that only the provider can read; empty otherwise.
    """

    text: str = ""
    signature: str = ""
    redacted: str = ""


@dataclass(frozen=True, slots=True)
class RefusalPart:
    """A refusal, in the model's words."""

    text: str


Part: TypeAlias = TextPart | ImagePart | FilePart | AudioPart | ThinkingPart | RefusalPart


def text_of(parts: Iterable[Part]) -> str:
    """All that is said in `parts`: texts and refusals."""
    return "".join(part.text for part in parts if isinstance(part, TextPart | RefusalPart))


def joined(parts: Iterable[Part]) -> tuple[Part, ...]:
    """`parts` with neighbours of one kind as one, such as an answer's pieces; signatures end a thought."""
    runs: list[list[Part]] = []
    for part in parts:
        if runs and _goes_on(runs[-1][-1], part):
            runs[-1].append(part)
        else:
            runs.append([part])
    return tuple(run[0] if len(run) == 1 else _one(run) for run in runs)


def _goes_on(last: Part, part: Part) -> bool:
    match last, part:
        case (TextPart(), TextPart(_, "")) | (RefusalPart(), RefusalPart()):
            return True
        case ThinkingPart(_, "", ""), ThinkingPart(_, _, ""):
            return True
        case _:
            return False


def _one(run: Sequence[Part]) -> Part:
    """All parts of `run` in one."""
    text = "".join(part.text for part in run if isinstance(part, TextPart | RefusalPart | ThinkingPart))
    match run[-1]:
        case ThinkingPart(_, signature):
            return ThinkingPart(text, signature)
        case RefusalPart():
            return RefusalPart(text)
        case _:
            return TextPart(text)


def modalities_of(parts: Iterable[Part]) -> frozenset[Modality]:
    """What kinds of input `parts` are, besides text."""
    found: set[Modality] = set()
    for part in parts:
        match part:
            case ImagePart():
                found.add(Modality.IMAGE)
            case AudioPart():
                found.add(Modality.AUDIO)
            case FilePart():
                found.add(Modality.FILE)
            case _:
                pass
    return frozenset(found)
