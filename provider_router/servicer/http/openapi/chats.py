"""Schemas of chat completions and embeddings."""

from __future__ import annotations

from provider_router.servicer.http.openapi.shapes import (
    ANY_OBJECT,
    FLAG,
    NUMBER_OF_TOKENS,
    Shape,
    count,
    either,
    listed,
    maybe,
    named,
    number,
    one_of,
    only,
    optional,
    text,
    thing,
    word,
)

_NAME = word(256)
_CACHE_CONTROL = thing({}, optional(ttl=one_of("5m", "1h")))
_PART = either(
    thing({"type": only("text"), "text": text()}, optional(cache_control=_CACHE_CONTROL)),
    thing(
        {
            "type": only("image_url"),
            "image_url": thing({"url": text(says="https or data URL")}, optional(detail=word(16))),
        }
    ),
    thing({"type": only("input_audio"), "input_audio": thing({"data": word(0), "format": one_of("wav", "mp3")})}),
    thing({"type": only("file"), "file": thing({}, optional(file_data=word(0), file_id=_NAME, filename=text(512)))}),
    thing({"type": only("refusal"), "refusal": text()}),
)
_CONTENT = either(text(), listed(_PART, most=1000))
_TOOL_CALL = either(
    thing({"id": _NAME, "type": only("custom"), "custom": thing({"name": _NAME}, optional(input=text()))}),
    thing({"id": _NAME, "function": thing({"name": _NAME}, optional(arguments=text()))}),
)
_ASSISTANT = optional(
    content=_CONTENT,
    tool_calls=listed(_TOOL_CALL, most=128),
    refusal=text(),
    reasoning_content=text(),
    reasoning=text(),
    name=text(256),
)
_MESSAGE = either(
    thing({"role": one_of("system", "developer", "user"), "content": _CONTENT}, optional(name=text(256))),
    thing({"role": only("assistant")}, _ASSISTANT),
    thing({"role": only("tool"), "content": _CONTENT, "tool_call_id": _NAME}, optional(name=text(256))),
)
_FUNCTION = thing({"name": word(128)}, optional(description=text(), parameters=ANY_OBJECT, strict=FLAG))
_OTHER_TOOL = thing({"type": {"type": "string", "not": {"const": "function"}}}, says="Only for providers that know it.")
_TOOL = either(
    thing({"type": only("function"), "function": _FUNCTION}, optional(cache_control=_CACHE_CONTROL)), _OTHER_TOOL
)
_CHOICE = either(one_of("auto", "none", "required"), thing({"type": text()}))
_FORMAT = either(
    thing({"type": one_of("text", "json_object")}),
    thing(
        {
            "type": only("json_schema"),
            "json_schema": thing({"name": word(64)}, optional(schema=ANY_OBJECT, strict=FLAG, description=text())),
        }
    ),
    thing({"type": {"type": "string", "not": {"enum": ["text", "json_object", "json_schema"]}}}),
)
_TOKENS = count(1, 10_000_000)

REQUEST = thing(
    {"model": word(256, "provider/model, model, nexus/<tier> or nexus/auto"), "messages": listed(_MESSAGE, 1, 10_000)},
    optional(
        stream=FLAG,
        stream_options=thing({}, optional(include_usage=FLAG)),
        tools=listed(_TOOL, most=512),
        tool_choice=_CHOICE,
        parallel_tool_calls=FLAG,
        response_format=_FORMAT,
        temperature=number(0, 2),
        top_p=number(0, 1),
        top_k=count(-1, 10_000_000),
        seed=count(-(2**63), 2**63 - 1),
        frequency_penalty=number(-2, 2),
        presence_penalty=number(-2, 2),
        logit_bias={
            "type": "object",
            "propertyNames": {"pattern": "^[0-9]+$"},
            "additionalProperties": number(-100, 100),
            "maxProperties": 1024,
        },
        logprobs=FLAG,
        top_logprobs=count(0, 20),
        n=count(1, 128),
        stop=either(text(), listed(text(), most=16)),
        max_tokens=_TOKENS,
        max_completion_tokens=_TOKENS,
        reasoning_effort=word(32),
        user=text(512),
        safety_identifier=text(512),
    ),
    "Fields that are not named here reach a provider of the dialect as they are, but for those that might change what"
    " the answer costs, where it is made or how long it may be: they are refused.",
)
USAGE = thing(
    {"prompt_tokens": NUMBER_OF_TOKENS, "completion_tokens": NUMBER_OF_TOKENS, "total_tokens": NUMBER_OF_TOKENS}
)
ANSWER = thing(
    {
        "id": text(),
        "object": only("chat.completion"),
        "created": {"type": "integer"},
        "model": text(),
        "choices": listed(
            thing(
                {
                    "index": {"type": "integer"},
                    "message": thing(
                        {"role": only("assistant"), "content": maybe(text())},
                        optional(
                            refusal=text(), reasoning_content=text(), tool_calls=listed(named("ChatCompletionToolCall"))
                        ),
                    ),
                    "finish_reason": one_of("stop", "length", "tool_calls", "content_filter", "function_call"),
                }
            ),
            1,
        ),
    },
    optional(usage=named("ChatCompletionUsage")),
)
TOOL_CALL = thing({"id": text(), "type": only("function"), "function": thing({"name": text(), "arguments": text()})})
EMBEDDINGS_REQUEST = thing(
    {"model": word(256), "input": either(word(65_536), listed(word(65_536), 1, 2048))},
    optional(dimensions=count(1, 65_536), encoding_format=one_of("float", "base64"), user=text()),
)
EMBEDDINGS = thing(
    {
        "object": only("list"),
        "model": text(),
        "data": listed(
            thing(
                {
                    "object": only("embedding"),
                    "index": {"type": "integer"},
                    "embedding": either(listed({"type": "number"}), text(says="32-bit numbers in base64")),
                }
            ),
            1,
        ),
    },
    {"usage": thing({"prompt_tokens": NUMBER_OF_TOKENS, "total_tokens": NUMBER_OF_TOKENS})},
)
SCHEMAS: Shape = {
    "ChatCompletionRequest": REQUEST,
    "ChatCompletion": ANSWER,
    "ChatCompletionToolCall": TOOL_CALL,
    "ChatCompletionUsage": USAGE,
    "EmbeddingsRequest": EMBEDDINGS_REQUEST,
    "Embeddings": EMBEDDINGS,
}
