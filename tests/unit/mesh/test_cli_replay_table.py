"""Tables of queries that several models have answered."""

from __future__ import annotations

import pytest

from mesh.cli.replay_table import read_replay_table
from shared.errors import InvalidInput


def table(tmp_path, name: str, text: str):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_replay_table(path)


def test_json_lines_and_csv_mean_the_same(tmp_path) -> None:
    lines = (
        '{"query": "a, b", "results": {"x/m": {"quality": 0.25, "input_tokens": 3, "output_tokens": 4, '
        '"cost_usd": 0.000007}, "y/m": {"quality": 1}}}\n\n{"query": "c", "results": {"x/m": {"quality": 0}}}\n'
    )
    header = "query,model,quality,input_tokens,output_tokens,cost_usd\n"
    rows = header + '"a, b",x/m,0.25,3,4,0.000007\nc,x/m,0,,,\n"a, b",y/m,1,,,\n'
    first, second = table(tmp_path, "t.jsonl", lines), table(tmp_path, "t.csv", rows)
    assert first == second
    result = first.queries[0].results[0]
    assert (first.queries[0].text, result.model, result.quality_ppm) == ("a, b", "x/m", 250_000)
    assert (result.input_tokens, result.output_tokens, result.cost_micro_usd) == (3, 4, 7)
    assert not first.queries[0].results[1].HasField("cost_micro_usd")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("t.jsonl", "", "holds no query"),
        ("t.jsonl", '{"query": "a", "results": {"x/m": {"quality": 0}}}\nnonsense', "Line 2: is not JSON"),
        ("t.jsonl", "[1]", "Line 1: is no object"),
        ("t.jsonl", '{"query": "a"}', "Line 1: needs `query`"),
        ("t.jsonl", '{"query": "a", "results": {"x/m": 1}}', "the result of 'x/m' is no object"),
        ("t.jsonl", '{"query": "a", "results": {"x/m": {"quality": 1.1}}}', "`quality` must be a number from 0 to 1"),
        ("t.jsonl", '{"query": "a", "results": {"x/m": {"quality": NaN}}}', "`quality` must be a number from 0 to 1"),
        ("t.jsonl", '{"query": "a", "results": {"x/m": {}}}', "`quality` must be a number"),
        ("t.csv", "query,model\na,x/m\n", "Line 1: the columns quality are missing"),
        ("t.csv", "query,model,quality\na,,1\n", "Line 2: query or model is empty"),
        ("t.csv", "query,model,quality\na,x/m,1\na,x/m,1\n", "Line 3: the model 'x/m' stands twice"),
    ],
)
def test_a_wrong_table_is_refused_with_its_line(tmp_path, name, text, problem) -> None:
    with pytest.raises(InvalidInput, match="TABLE_INVALID") as caught:
        table(tmp_path, name, text)
    assert problem in caught.value.message


def test_a_file_that_is_not_there_or_too_large_is_refused(tmp_path) -> None:
    with pytest.raises(InvalidInput, match="TABLE_UNREADABLE"):
        read_replay_table(tmp_path / "none.csv")
    (tmp_path / "latin.csv").write_bytes("query,model,quality\nä,x/m,1\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match="TABLE_UNREADABLE"):
        read_replay_table(tmp_path / "latin.csv")
    rows = "".join(f"{number}{'x' * 60_000},a/m,1\n" for number in range(130))
    with pytest.raises(InvalidInput, match="TABLE_TOO_LARGE"):
        table(tmp_path, "big.csv", "query,model,quality\n" + rows)
