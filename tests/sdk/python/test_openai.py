"""The official `openai` package through every upstream protocol."""

import json

import openai
import pytest
from conftest import ANSWER, PNG, WEATHER, named

TOOL = {"type": "function", "function": {"name": WEATHER["name"], "description": WEATHER["description"], "parameters": WEATHER["schema"]}}


@pytest.fixture
def client(gateway):
    return openai.OpenAI(base_url=gateway + "/v1", api_key="gateway-key", max_retries=0, timeout=30)


def ask(client, model, text="Hello there", **more):
    return client.chat.completions.create(model=model, messages=[{"role": "user", "content": text}], **more)


def test_text_and_usage(client, upstream):
    answer = ask(client, named(upstream, "text"))
    assert answer.choices[0].message.content == "You said: Hello there"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.prompt_tokens == 20 and answer.usage.prompt_tokens_details.cached_tokens == 8
    assert answer.usage.completion_tokens == 9
    assert answer.object == "chat.completion" and answer.id and answer.created > 0


def test_system_and_developer_text(client, upstream):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "developer", "content": "No jokes."}, {"role": "user", "content": "hi"}]
    answer = client.chat.completions.create(model=named(upstream, "system"), messages=messages)
    said = answer.choices[0].message.content
    assert said.startswith("System: ") and "Be brief." in said and "No jokes." in said


def test_stream(client, upstream):
    chunks = list(ask(client, named(upstream, "text"), stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "You said: Hello there"
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert len(chunks) > 4


def test_stream_usage_when_asked(client, upstream):
    chunks = list(ask(client, named(upstream, "text"), stream=True, stream_options={"include_usage": True}))
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 9


@pytest.mark.parametrize("script", ["tools", "parallel", "thinking-tools"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tools_over_two_turns(client, upstream, script, stream):
    messages = [{"role": "user", "content": "What is the weather?"}]
    more = {"model": named(upstream, script), "tools": [TOOL]}
    if script == "thinking-tools":
        more["reasoning_effort"] = "low"
    if stream:
        with client.chat.completions.stream(messages=messages, **more) as events:
            message = events.get_final_completion().choices[0].message
    else:
        answer = client.chat.completions.create(messages=messages, **more)
        assert answer.choices[0].finish_reason == "tool_calls"
        message = answer.choices[0].message
    cities = [json.loads(call.function.arguments)["city"] for call in message.tool_calls]
    assert cities == (["Paris", "Berlin"] if script == "parallel" else ["Paris"])

    # Only what every framework keeps of a message: id, name and arguments.
    calls = [{"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}} for c in message.tool_calls]
    messages.append({"role": "assistant", "content": None, "tool_calls": calls})
    messages += [{"role": "tool", "tool_call_id": call["id"], "content": f"{city}: 12 degrees"} for call, city in zip(calls, cities)]
    answer = client.chat.completions.create(messages=messages, **more)
    assert answer.choices[0].message.content == "Results: " + "; ".join(f"{city}: 12 degrees" for city in cities)


def test_image(client, upstream):
    content = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]
    answer = client.chat.completions.create(model=named(upstream, "image"), messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == "image/png of 70 bytes"


def test_pdf(client, upstream):
    file = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQK"}
    content = [{"type": "text", "text": "What is this?"}, {"type": "file", "file": file}]
    answer = client.chat.completions.create(model=named(upstream, "pdf"), messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == "application/pdf of 9 bytes"


def test_structured_output(client, upstream):
    wanted = {"type": "json_schema", "json_schema": {"name": "weather", "schema": ANSWER, "strict": True}}
    answer = ask(client, named(upstream, "json"), response_format=wanted)
    assert json.loads(answer.choices[0].message.content) == {"city": "Paris", "degrees": 12}


def test_refusal(client, upstream):
    choice = ask(client, named(upstream, "refusal")).choices[0]
    assert choice.finish_reason == "content_filter" or choice.message.refusal


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (529, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_error_classes(client, upstream, status, wanted, stream):
    with pytest.raises(wanted) as raised:
        ask(client, named(upstream, f"error-{status}"), stream=stream)
    assert raised.value.message and isinstance(raised.value.body, dict)
    if status == 429:
        assert raised.value.response.headers["retry-after"] == "1"


def test_a_cut_stream_raises(client, upstream):
    got = ""
    with pytest.raises(openai.APIError):
        for chunk in ask(client, named(upstream, "cut"), stream=True):
            got += chunk.choices[0].delta.content or ""
    assert "You said: Hello there".startswith(got) and got


def test_unknown_model_and_wrong_key(client, gateway):
    with pytest.raises(openai.NotFoundError, match="demo/echo"):
        ask(client, "demo/ecko")
    with pytest.raises(openai.AuthenticationError):
        ask(openai.OpenAI(base_url=gateway + "/v1", api_key="wrong", max_retries=0), "demo/echo")


def test_models(client):
    assert "demo/echo" in [model.id for model in client.models.list()]
    assert client.models.retrieve("demo/echo").id == "demo/echo"


def test_demo(client):
    answer = ask(client, "demo/echo", "one two three")
    assert "one two three" in answer.choices[0].message.content
    chunks = list(ask(client, "demo/echo", "one two three", stream=True))
    assert "one two three" in "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_logprobs_and_candidates_are_refused_or_warned_of(client, upstream):
    raw = client.chat.completions.with_raw_response.create(
        model=named(upstream, "text"), messages=[{"role": "user", "content": "hi"}], logit_bias={"50256": -100}
    )
    lost = raw.headers.get("x-edgeway-warnings", "")
    assert ("logit_bias" in lost) == (upstream != "openai")
