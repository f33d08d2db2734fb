"""Takes HTTP/1.1 answers apart, from bytes that may be split anywhere (RFC 9112)."""

from __future__ import annotations

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

# Of a head with all the interim answers before it, of trailers, and of what else is no body between two pieces of one.
_BARE_CAP_BYTES = 64 * 1024
_ONCE = frozenset({b"content-length", b"transfer-encoding", b"content-type", b"content-encoding"})
_BODILESS = frozenset({204, 304})


class MalformedHttpError(ValueError):
    """What came is no answer of HTTP/1.1, or one whose end could be disputed."""


class AnswerParser:
    """The answers of one connection, one after the other. Knows nothing of sockets.

    Interim answers (1xx) are skipped. An answer whose end two readers could see in different places is refused:
    both a length and chunks, a length that is no number or comes twice, codings of the transfer other than `chunked`.

    Attributes:
        status: 0 until the head is there.
        headers: By lower-case name; the last one of a name.
        size_bytes: Of the body that came and was not taken.
        is_complete: Whether the answer is there to its end.
        is_reusable: Whether its connection may carry another one.
    """

    __slots__ = (
        "_bare_bytes",
        "_feed",
        "_is_interim",
        "_is_until_close",
        "_parser",
        "_pieces",
        "headers",
        "is_complete",
        "is_reusable",
        "size_bytes",
        "status",
    )

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        self._feed = self._parser.feed_data
        self.expect()

    def expect(self) -> None:
        """Makes ready for the next answer."""
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.size_bytes = 0
        self.is_complete = False
        self.is_reusable = False
        self._pieces: list[bytes] = []
        self._bare_bytes = 0
        self._is_interim = False
        self._is_until_close = False

    @property
    def is_untouched(self) -> bool:
        """Whether nothing of the answer came."""
        return not (self.status or self._bare_bytes)

    def feed(self, data: bytes) -> None:
        """Takes the next bytes.

        What comes after the end of an answer is dropped, and makes its connection unfit for another one.

        Raises:
            MalformedHttpError: They are not of an answer, or too many of them are not of its body.
        """
        self._bare_bytes += len(data)
        try:
            self._feed(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self.is_reusable = False
            if not self.is_complete:
                raise MalformedHttpError from error
        if self._bare_bytes > _BARE_CAP_BYTES and not self.is_complete:
            raise MalformedHttpError

    def end(self) -> bool:
        """Takes note that the connection is closed; returns whether that ends the answer as it should.

        Nothing more can be fed to it after that.
        """
        # They hold this object, as it holds them.
        del self._parser, self._feed
        if self.status and self._is_until_close:
            self.is_complete = True
        return self.is_complete

    def take(self) -> bytes:
        """The body that came since the last time; empty for none."""
        pieces = self._pieces
        self.size_bytes = 0
        if len(pieces) == 1:
            return pieces.pop()
        data = b"".join(pieces)
        pieces.clear()
        return data

    def header(self, name: bytes) -> str:
        """The value of the header of that lower-case name; empty for none."""
        return self.headers.get(name, b"").decode("latin-1").strip()

    # The calls of httptools.

    def on_message_begin(self) -> None:
        """An answer begins; only one was asked for."""
        if self.is_complete:
            raise MalformedHttpError

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header came. Trailers say nothing that is needed."""
        if self.status:
            return
        name = name.lower()
        if name in self.headers and name in _ONCE:
            raise MalformedHttpError
        self.headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is there."""
        status = self._parser.get_status_code()
        if status < 200:
            # After 101 something else than HTTP is spoken; nobody asked for that.
            if status < 100 or status == 101:
                raise MalformedHttpError
            self._is_interim = True
            return
        coding = self.headers.get(b"transfer-encoding")
        if coding is not None and coding.lower() != b"chunked":
            raise MalformedHttpError
        self._is_until_close = coding is None and b"content-length" not in self.headers and status not in _BODILESS
        self.status = status

    def on_body(self, piece: bytes) -> None:
        """A piece of the body came."""
        self._pieces.append(piece)
        self.size_bytes += len(piece)
        self._bare_bytes = 0

    def on_message_complete(self) -> None:
        """The answer, or an interim one, is there to its end."""
        if self._is_interim:
            self._is_interim = False
            self.headers.clear()
            return
        self.is_complete = True
        self.is_reusable = self._parser.should_keep_alive()
