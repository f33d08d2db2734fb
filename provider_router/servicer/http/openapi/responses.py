"""Schemas of OpenAI's responses."""

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
_TOKENS = count(1, 10_000_000)
_NEVER: Shape = {"type": "boolean", "const": False}
_PART = either(
    thing({"type": one_of("input_text", "output_text"), "text": text()}),
    thing({"type": only("refusal"), "refusal": text()}),
    thing({"type": only("input_image"), "image_url": text(says="https or data URL")}, optional(detail=word(16))),
    thing(
        {"type": only("input_file")},
        optional(file_data=word(0), file_url=text(), file_id=_NAME, filename=text(512)),
    ),
    thing({"type": only("input_audio"), "input_audio": thing({"data": word(0), "format": one_of("wav", "mp3")})}),
)
_CONTENT = either(text(), listed(_PART, most=1000))
_TEXTS = listed(thing({"text": text()}))
_KNOWN = ["message", "function_call", "function_call_output", "reasoning", "item_reference"]
_ITEM = either(
    thing(
        {"role": one_of("user", "assistant", "system", "developer"), "content": _CONTENT},
        optional(type=only("message")),
    ),
    thing({"type": only("function_call"), "call_id": _NAME, "name": _NAME, "arguments": text()}),
    thing({"type": only("function_call_output"), "call_id": _NAME, "output": _CONTENT}),
    thing({"type": only("reasoning")}, optional(summary=_TEXTS, content=_TEXTS, encrypted_content=text())),
    thing({"type": {"type": "string", "not": {"enum": _KNOWN}}}, says="Only for providers that know it."),
)
_TOOL = either(
    thing(
        {"type": only("function"), "name": word(128)},
        optional(description=text(), parameters=ANY_OBJECT, strict=FLAG),
    ),
    thing({"type": {"type": "string", "not": {"const": "function"}}}, says="Only for providers that know it."),
)
_FORMAT = either(
    thing({"type": one_of("text", "json_object")}),
    thing({"type": only("json_schema"), "name": word(64), "schema": ANY_OBJECT}, optional(strict=FLAG)),
)
_SUMMARY = one_of("auto", "concise", "detailed")
_REQUEST = thing(
    {"model": _NAME, "input": either(word(0), listed(_ITEM, 1, 10_000))},
    optional(
        instructions=text(),
        stream=FLAG,
        stream_options=ANY_OBJECT,
        tools=listed(_TOOL, most=512),
        tool_choice=either(one_of("auto", "none", "required"), thing({"type": text()})),
        parallel_tool_calls=FLAG,
        max_tool_calls=_TOKENS,
        text=thing({}, optional(format=_FORMAT)),
        reasoning=thing({}, optional(effort=word(32), summary=_SUMMARY, generate_summary=_SUMMARY)),
        temperature=number(0, 2),
        top_p=number(0, 1),
        top_logprobs=count(0, 20),
        max_output_tokens=_TOKENS,
        include=listed(word(128), most=32),
        truncation=one_of("auto", "disabled"),
        metadata={
            "type": "object",
            "maxProperties": 16,
            "propertyNames": {"minLength": 1, "maxLength": 64},
            "additionalProperties": text(512),
        },
        user=text(512),
        safety_identifier=text(512),
        store=_NEVER,
        background=_NEVER,
    ),
    "Nothing is stored. Fields that are not named here reach a provider of the dialect as they are.",
)
_USAGE = thing({"input_tokens": NUMBER_OF_TOKENS, "output_tokens": NUMBER_OF_TOKENS, "total_tokens": NUMBER_OF_TOKENS})

SCHEMAS: Shape = {
    "ResponseRequest": _REQUEST,
    "Response": thing(
        {
            "id": text(),
            "object": only("response"),
            "created_at": {"type": "number"},
            "model": text(),
            "status": one_of("completed", "incomplete"),
            "output": listed(thing({"type": text()})),
            "incomplete_details": maybe(thing({"reason": text()})),
        },
        optional(usage=named("ResponseUsage")),
    ),
    "ResponseUsage": _USAGE,
}
