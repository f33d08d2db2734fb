"""Reads the plain parameters of a chat: how to pick tokens, how many, how to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from provider_router.domain.calls.chat import Reasoning
from provider_router.servicer.http.fields import (
    WrongFieldError,
    count_in,
    each_in,
    flag_in,
    list_in,
    number_in,
    object_in,
    text_in,
    word_in,
)
from provider_router.servicer.http.openai_chat.draft import Draft

Read: TypeAlias = Callable[[Draft, Any], None]
_MOST_TOKENS = 10_000_000
_MOST_CHOICES = 128
_MOST_STOPS = 16
_SEEDS = 2**63
_MOST_BIASED = 1024


def _model(draft: Draft, value: Any) -> None:
    draft.model = word_in(value, 256)


def _sampled(name: str, least: float, most: float, neutral: float) -> Read:
    """Reads a number; `neutral` says what holds without it, and providers that have no such parameter do just that."""

    def read(draft: Draft, value: Any) -> None:
        if number_in(value, least, most) != neutral:
            draft.sampling[name] = value

    return read


def _top_k(draft: Draft, value: Any) -> None:
    # Servers that have it take both 0 and -1 for all tokens.
    if count_in(value, -1, _MOST_TOKENS) > 0:
        draft.sampling["top_k"] = value


def _seed(draft: Draft, value: Any) -> None:
    draft.sampling["seed"] = count_in(value, -_SEEDS, _SEEDS - 1)


def _limit(name: str) -> Read:
    def read(draft: Draft, value: Any) -> None:
        draft.limits[name] = count_in(value, 1, _MOST_TOKENS)

    return read


def _temperature(draft: Draft, value: Any) -> None:
    draft.chat["temperature"] = number_in(value, 0, 2)


def _bias(draft: Draft, value: Any) -> None:
    bias = object_in(value)
    if len(bias) > _MOST_BIASED:
        raise WrongFieldError(f"must have at most {_MOST_BIASED} tokens")
    for token, weight in bias.items():
        if not token.isdecimal() or not token.isascii():
            raise WrongFieldError("must have ids of tokens, which are numbers, as keys")
        number_in(weight, -100, 100)
    if bias:
        draft.sampling["logit_bias"] = bias


def _logprobs(draft: Draft, value: Any) -> None:
    if flag_in(value):
        draft.chat["logprobs"] = 0


def _top_logprobs(draft: Draft, value: Any) -> None:
    draft.likely_tokens = count_in(value, 0, 20)


def _choices(draft: Draft, value: Any) -> None:
    draft.chat["choices"] = count_in(value, 1, _MOST_CHOICES)


def _stop(draft: Draft, value: Any) -> None:
    stops = [value] if type(value) is str else each_in(list_in(value, most=_MOST_STOPS), text_in)
    draft.chat["stop"] = tuple(text for text in stops if text)


def _effort(draft: Draft, value: Any) -> None:
    effort = word_in(value, 32)
    draft.chat["reasoning"] = Reasoning(effort, shown=effort != "none")


def _parallel(draft: Draft, value: Any) -> None:
    draft.chat["parallel_tool_calls"] = flag_in(value)


def _stream(draft: Draft, value: Any) -> None:
    draft.streamed = flag_in(value)


def _stream_options(draft: Draft, value: Any) -> None:
    told = object_in(value).get("include_usage")
    try:
        draft.told_usage = told is not None and flag_in(told)
    except WrongFieldError as error:
        raise error.within(".include_usage") from error


def _end_user(draft: Draft, value: Any) -> None:
    draft.chat["end_user"] = text_in(value, 512)


PARAMETERS: Mapping[str, Read] = {
    "model": _model,
    "temperature": _temperature,
    "top_p": _sampled("top_p", 0, 1, 1),
    "top_k": _top_k,
    "seed": _seed,
    "frequency_penalty": _sampled("frequency_penalty", -2, 2, 0),
    "presence_penalty": _sampled("presence_penalty", -2, 2, 0),
    "logit_bias": _bias,
    "logprobs": _logprobs,
    "top_logprobs": _top_logprobs,
    "n": _choices,
    "stop": _stop,
    "max_tokens": _limit("max_tokens"),
    "max_completion_tokens": _limit("max_completion_tokens"),
    "reasoning_effort": _effort,
    "parallel_tool_calls": _parallel,
    "stream": _stream,
    "stream_options": _stream_options,
    "user": _end_user,
    "safety_identifier": _end_user,
}
"""How to read each parameter into a draft."""
