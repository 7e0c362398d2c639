"""The official `anthropic` package through every upstream protocol."""

import anthropic
import pytest
from conftest import ANSWER, PNG, WEATHER, named

TOOL = {"name": WEATHER["name"], "description": WEATHER["description"], "input_schema": WEATHER["schema"]}


@pytest.fixture
def client(gateway):
    return anthropic.Anthropic(base_url=gateway, api_key="gateway-key", max_retries=0, timeout=30)


def ask(client, model, text="Hello there", **more):
    return client.messages.create(model=model, max_tokens=4096, messages=[{"role": "user", "content": text}], **more)


def test_text_and_usage(client, upstream):
    answer = ask(client, named(upstream, "text"))
    assert answer.content[0].text == "You said: Hello there" and answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.cache_read_input_tokens, answer.usage.output_tokens) == (12, 8, 9)
    assert answer.type == "message" and answer.role == "assistant" and answer.id


def test_system(client, upstream):
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    assert ask(client, named(upstream, "system"), system=system).content[0].text == "System: Be brief."


def test_stream(client, upstream):
    messages = [{"role": "user", "content": "Hello there"}]
    with client.messages.stream(model=named(upstream, "text"), max_tokens=100, messages=messages) as stream:
        texts = list(stream.text_stream)
        final = stream.get_final_message()
    assert "".join(texts) == "You said: Hello there" and len(texts) > 2
    assert final.stop_reason == "end_turn" and final.usage.output_tokens == 9


@pytest.mark.parametrize("script", ["tools", "parallel", "thinking-tools"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tools_over_two_turns(client, upstream, script, stream):
    messages = [{"role": "user", "content": "What is the weather?"}]
    more = {"model": named(upstream, script), "max_tokens": 4096, "tools": [TOOL]}
    if script == "thinking-tools":
        more["thinking"] = {"type": "enabled", "budget_tokens": 2000}
    if stream:
        with client.messages.stream(messages=messages, **more) as events:
            answer = events.get_final_message()
    else:
        answer = client.messages.create(messages=messages, **more)
    assert answer.stop_reason == "tool_use"
    calls = [block for block in answer.content if block.type == "tool_use"]
    assert [call.input["city"] for call in calls] == (["Paris", "Berlin"] if script == "parallel" else ["Paris"])
    if script == "thinking-tools":
        assert answer.content[0].type == "thinking" and "weather" in answer.content[0].thinking

    messages.append({"role": "assistant", "content": answer.content})
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"{call.input['city']}: 12 degrees"} for call in calls]
    messages.append({"role": "user", "content": results})
    answer = client.messages.create(messages=messages, **more)
    said = [block.text for block in answer.content if block.type == "text"]
    assert said == ["Results: " + "; ".join(f"{call.input['city']}: 12 degrees" for call in calls)]


def test_image(client, upstream):
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    messages = [{"role": "user", "content": [image, {"type": "text", "text": "What is this?"}]}]
    answer = client.messages.create(model=named(upstream, "image"), max_tokens=100, messages=messages)
    assert answer.content[0].text == "image/png of 70 bytes"


def test_pdf(client, upstream):
    pdf = {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK"}}
    messages = [{"role": "user", "content": [pdf, {"type": "text", "text": "What is this?"}]}]
    answer = client.messages.create(model=named(upstream, "pdf"), max_tokens=100, messages=messages)
    assert answer.content[0].text == "application/pdf of 9 bytes"


def test_structured_output(client, upstream):
    answer = ask(client, named(upstream, "json"), output_config={"format": {"type": "json_schema", "schema": ANSWER}})
    assert answer.content[0].text == '{"city": "Paris", "degrees": 12}'


def test_refusal(client, upstream):
    assert ask(client, named(upstream, "refusal")).stop_reason == "refusal"


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (400, anthropic.BadRequestError),
        (401, anthropic.AuthenticationError),
        (404, anthropic.NotFoundError),
        (429, anthropic.RateLimitError),
        (500, anthropic.InternalServerError),
        (529, anthropic.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_error_classes(client, upstream, status, wanted, stream):
    with pytest.raises(wanted) as raised:
        ask(client, named(upstream, f"error-{status}"), stream=stream)
    assert raised.value.body["type"] == "error" and raised.value.body["error"]["message"]
    assert raised.value.request_id


def test_a_cut_stream_raises(client, upstream):
    messages, got = [{"role": "user", "content": "Hello there"}], ""
    with pytest.raises(anthropic.APIError):
        with client.messages.stream(model=named(upstream, "cut"), max_tokens=100, messages=messages) as stream:
            for text in stream.text_stream:
                got += text
    assert "You said: Hello there".startswith(got) and got


def test_unknown_model_and_wrong_key(client, gateway):
    with pytest.raises(anthropic.NotFoundError, match="demo/echo"):
        ask(client, "demo/ecko")
    with pytest.raises(anthropic.AuthenticationError):
        ask(anthropic.Anthropic(base_url=gateway, api_key="wrong", max_retries=0), "demo/echo")


def test_models(client):
    assert "demo/echo" in [model.id for model in client.models.list()]
    assert client.models.retrieve("demo/echo").id == "demo/echo"


def test_demo(client):
    assert "one two three" in ask(client, "demo/echo", "one two three").content[0].text
