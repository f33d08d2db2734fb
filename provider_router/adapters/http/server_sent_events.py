"""Parses server-sent events (HTML standard, section 9.2.6) from bytes that may be split anywhere."""

from __future__ import annotations

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_LINE_ENDS = (b"\n", b"\r")
_DATA = b"data:"
_PLAIN = b"data: "


class EventTooLargeError(ValueError):
    """One event is larger than the cap."""


class EventParser:
    """Turns chunks of a stream into the data of its events.

    Names, ids and retry fields are skipped: both dialects repeat in the data what matters. Lines may end with LF,
    CR or CRLF; comments are skipped; several data lines of one event are joined with LF.

    Args:
        cap_bytes: Most bytes of one event, so that an endless line does not fill the memory.
    """

    def __init__(self, cap_bytes: int) -> None:
        self._cap_bytes = cap_bytes
        self._line_parts: list[bytes] = []
        self._data: list[bytes] = []
        self._size_bytes = 0
        self._skip_line_feed = False
        self._at_start = True
        # Whether an event has ended and the next one has not begun.
        self._is_between = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Takes the next bytes and returns the data of the events that they complete.

        Raises:
            EventTooLargeError: An event passes the cap.
        """
        # As nearly all come: one event, whole, in one line.
        if (
            self._is_between
            and chunk[:6] == _PLAIN
            and chunk.find(b"\n") == len(chunk) - 2
            and chunk[-1:] == b"\n"
            and b"\r" not in chunk
            and len(chunk) <= self._cap_bytes
        ):
            return [chunk[6:-2]]
        events: list[bytes] = []
        if not chunk:
            return events
        if self._skip_line_feed:
            # The chunk before ended with CR: an LF that follows belongs to it.
            chunk = chunk.removeprefix(b"\n")
        self._skip_line_feed = chunk.endswith(b"\r")
        for piece in chunk.splitlines(keepends=True):
            self._size_bytes += len(piece)
            if self._size_bytes > self._cap_bytes:
                raise EventTooLargeError
            if not piece.endswith(_LINE_ENDS):
                self._line_parts.append(piece)
            elif self._line_parts:
                line = b"".join((*self._line_parts, piece))
                self._line_parts.clear()
                self._end_line(line.rstrip(b"\r\n"), events)
            else:
                self._end_line(piece.rstrip(b"\r\n"), events)
        self._is_between = not (self._skip_line_feed or self._line_parts or self._data)
        return events

    def finish(self) -> list[bytes]:
        """Returns the data of an event that the end of the stream cut short, if any.

        Some providers leave out the last empty line. An event that is truly cut does not parse as JSON later.
        """
        events: list[bytes] = []
        self._end_line(b"".join(self._line_parts), events)
        self._line_parts.clear()
        self._end_event(events)
        return events

    def _end_line(self, line: bytes, events: list[bytes]) -> None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(_BYTE_ORDER_MARK)
        if not line:
            self._end_event(events)
        elif line.startswith(_DATA):
            self._data.append(line[6:] if line.startswith(b" ", 5) else line[5:])
        elif line == b"data":
            self._data.append(b"")
        elif not self._data:
            # Comments and other fields are not kept, so they do not count towards the cap.
            self._size_bytes = 0

    def _end_event(self, events: list[bytes]) -> None:
        if self._data:
            events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data.clear()
        self._size_bytes = 0
