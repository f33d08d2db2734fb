"""Reads a table of queries that several models have answered: public routing data, or one's own.

JSON lines, one query a line:
`{"query": "...", "results": {"openai/gpt-5": {"quality": 0.9, "input_tokens": 12, "output_tokens": 80}}}`.
CSV with a header, one answer a row: `query,model,quality,input_tokens,output_tokens,cost_usd`.
In both, `quality` is a number from 0 to 1; `cost_usd` may be left out, and is then counted by the contract's price.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, NoReturn, cast

from protos.gen.nexus.router.v1 import decision_pb2 as pb
from shared.errors import InvalidInput

MOST_BYTES = 7 * 1024 * 1024
_MICRO = 1_000_000
_COLUMNS = frozenset({"query", "model", "quality"})
_MOST_TOKENS = 2**32 - 1
_MOST_USD = Decimal(1_000_000)


def read_replay_table(file: Path) -> pb.ImportedQueries:
    """Return the queries of a `.jsonl` or `.csv` file.

    Raises:
        InvalidInput: TABLE_UNREADABLE, TABLE_TOO_LARGE, or TABLE_INVALID with the line.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput("TABLE_UNREADABLE", f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput("TABLE_UNREADABLE", f"{file} is not UTF-8.") from error
    queries: dict[str, pb.ImportedQuery] = {}
    for line, query, model, fields in _csv_rows(text) if file.suffix.lower() == ".csv" else _json_rows(text):
        entry = queries.setdefault(query, pb.ImportedQuery(text=query))
        if any(result.model == model for result in entry.results):
            _refuse(line, f"the model '{model}' stands twice for one query")
        entry.results.append(_result(line, model, fields))
    if not queries:
        raise InvalidInput("TABLE_INVALID", f"{file} holds no query.")
    table = pb.ImportedQueries(queries=queries.values())
    if table.ByteSize() > MOST_BYTES:
        raise InvalidInput("TABLE_TOO_LARGE", f"{file} is larger than {MOST_BYTES} bytes. Replay it in parts.")
    return table


_Row = tuple[int, str, str, Mapping[str, Any]]


def _json_rows(text: str) -> Iterator[_Row]:
    for line, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip():
            continue
        try:
            entry = json.loads(raw)
        except (ValueError, RecursionError):
            _refuse(line, "is not JSON")
        if not isinstance(entry, dict):
            _refuse(line, "is no object")
        fields = cast("Mapping[str, Any]", entry)
        query, results = fields.get("query"), fields.get("results")
        if not isinstance(query, str) or not isinstance(results, dict) or not results:
            _refuse(line, "needs `query`, a text, and `results`, an object by model")
        for model, result in cast("Mapping[str, Any]", results).items():
            if not isinstance(result, dict):
                _refuse(line, f"the result of '{model}' is no object")
            yield line, query, model, cast("Mapping[str, Any]", result)


def _csv_rows(text: str) -> Iterator[_Row]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    missing = sorted(_COLUMNS - set(reader.fieldnames or ()))
    if missing:
        _refuse(1, f"the columns {', '.join(missing)} are missing")
    try:
        for row in reader:
            query, model = row["query"], row["model"]
            if not query or not model:
                _refuse(reader.line_num, "query or model is empty")
            yield reader.line_num, query, model, {key: value for key, value in row.items() if value}
    except csv.Error:
        _refuse(reader.line_num, "is not CSV")


def _result(line: int, model: str, fields: Mapping[str, Any]) -> pb.ImportedResult:
    result = pb.ImportedResult(
        model=model,
        quality_ppm=int(_number(line, fields, "quality", Decimal(1)) * _MICRO),
        input_tokens=int(_number(line, fields, "input_tokens", Decimal(_MOST_TOKENS), needed=False)),
        output_tokens=int(_number(line, fields, "output_tokens", Decimal(_MOST_TOKENS), needed=False)),
    )
    if "cost_usd" in fields:
        result.cost_micro_usd = int(_number(line, fields, "cost_usd", _MOST_USD) * _MICRO)
    return result


def _number(line: int, fields: Mapping[str, Any], name: str, most: Decimal, *, needed: bool = True) -> Decimal:
    value = fields.get(name)
    if value is None and not needed:
        return Decimal(0)
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or not 0 <= number <= most:
        _refuse(line, f"`{name}` must be a number from 0 to {most}")
    return number


def _refuse(line: int, problem: str) -> NoReturn:
    raise InvalidInput("TABLE_INVALID", f"Line {line}: {problem}.")
