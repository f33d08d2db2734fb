"""LangChain's and the OpenAI Agents SDK's clients against the gateway: only base URL, key and model are Nexus's."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from agents import (
    Agent,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from gateway_fixtures import EMBEDDER, MODELS, PICTURE, SEEN, Gateway
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import AsyncOpenAI
from pydantic import BaseModel

SUM = "What is 12*12?"
ACROSS = pytest.mark.parametrize("model", MODELS.values())
CLIENTS = pytest.mark.parametrize("client", ["chat", "responses", "anthropic"])


class Animal(BaseModel):
    """An answer's shape."""

    name: str
    legs: int


@tool
def calculator(expression: str) -> str:
    """Compute an expression."""
    assert expression == "12*12"
    return "144"


def langchain(gateway: Gateway, client: str, model: str) -> BaseChatModel:
    if client == "anthropic":
        return ChatAnthropic(model=model, base_url=gateway.url, api_key=gateway.key, max_tokens=1000)
    return ChatOpenAI(
        model=model, base_url=gateway.openai_url, api_key=gateway.key, use_responses_api=client == "responses"
    )


class TestLangChain:
    @CLIENTS
    @ACROSS
    def test_invoke_and_stream(self, gateway: Gateway, client: str, model: str) -> None:
        chat = langchain(gateway, client, model)
        whole = chat.invoke("Hello")
        assert whole.text == "You said: Hello"
        assert whole.usage_metadata["output_tokens"] > 0
        assert "".join(chunk.text for chunk in chat.stream("Hello")) == "You said: Hello"

    @CLIENTS
    @ACROSS
    def test_bind_tools(self, gateway: Gateway, client: str, model: str) -> None:
        chat = langchain(gateway, client, model).bind_tools([calculator])
        asked = HumanMessage(SUM)
        first = chat.invoke([asked])
        assert [(call["name"], call["args"]) for call in first.tool_calls] == [("calculator", {"expression": "12*12"})]
        result = calculator.invoke(first.tool_calls[0])
        assert isinstance(result, ToolMessage)
        chunks = list(chat.stream([asked, first, result]))
        assert "calculator says 144" in "".join(chunk.text for chunk in chunks)

    @CLIENTS
    @ACROSS
    def test_structured_output(self, gateway: Gateway, client: str, model: str) -> None:
        chat = langchain(gateway, client, model).with_structured_output(Animal)
        assert chat.invoke("cat") == Animal(name="cat", legs=7)

    @CLIENTS
    def test_vision(self, gateway: Gateway, client: str) -> None:
        image = {"type": "image", "base64": PICTURE, "mime_type": "image/png"}
        asked = HumanMessage([{"type": "text", "text": "Look"}, image])
        for model in MODELS.values():
            assert SEEN in langchain(gateway, client, model).invoke([asked]).text

    def test_embeddings(self, gateway: Gateway) -> None:
        embeddings = OpenAIEmbeddings(
            model=EMBEDDER, base_url=gateway.openai_url, api_key=gateway.key, check_embedding_ctx_length=False
        )
        assert [len(vector) for vector in embeddings.embed_documents(["a b", "c"])] == [384, 384]


@pytest.fixture
async def openai_client(gateway: Gateway) -> AsyncIterator[AsyncOpenAI]:
    set_tracing_disabled(disabled=True)
    async with AsyncOpenAI(base_url=gateway.openai_url, api_key=gateway.key) as client:
        yield client


@pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIChatCompletionsModel])
class TestAgents:
    @ACROSS
    async def test_an_agent_with_a_tool(self, openai_client: AsyncOpenAI, kind: type, model: str) -> None:
        agent = self.agent(kind(model=model, openai_client=openai_client))
        result = await Runner.run(agent, SUM)
        assert "calculator says 144" in result.final_output

    @ACROSS
    async def test_an_agent_streamed(self, openai_client: AsyncOpenAI, kind: type, model: str) -> None:
        agent = self.agent(kind(model=model, openai_client=openai_client))
        run = Runner.run_streamed(agent, SUM)
        pieces = [
            event.data.delta
            async for event in run.stream_events()
            if event.type == "raw_response_event" and event.data.type == "response.output_text.delta"
        ]
        assert "calculator says 144" in "".join(pieces) == run.final_output

    async def test_an_agent_with_an_answer_of_a_shape(self, openai_client: AsyncOpenAI, kind: type) -> None:
        agent = Agent("shaper", model=kind(MODELS["chat"], openai_client), output_type=Animal)
        assert (await Runner.run(agent, "cat")).final_output == Animal(name="cat", legs=7)

    @staticmethod
    def agent(model: object) -> Agent:
        @function_tool
        def calculator(expression: str) -> str:
            """Compute an expression."""
            return "144" if expression == "12*12" else "?"

        return Agent("reckoner", instructions="Use the tool.", model=model, tools=[calculator])
