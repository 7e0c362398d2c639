"""The official `google-genai` package through every upstream protocol."""

import base64

import pytest
from conftest import ANSWER, PNG, WEATHER, named
from google import genai
from google.genai import errors, types

TOOL = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name=WEATHER["name"], description=WEATHER["description"], parameters_json_schema=WEATHER["schema"])
    ]
)
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)


@pytest.fixture
def client(gateway):
    return genai.Client(api_key="gateway-key", http_options=types.HttpOptions(base_url=gateway, timeout=30_000))


def ask(client, model, contents="Hello there", **config):
    return client.models.generate_content(model=model, contents=contents, config=types.GenerateContentConfig(**config))


def test_text_and_usage(client, upstream):
    answer = ask(client, named(upstream, "text"))
    assert answer.text == "You said: Hello there" and answer.candidates[0].finish_reason == types.FinishReason.STOP
    usage = answer.usage_metadata
    assert usage.prompt_token_count == 20 and usage.cached_content_token_count == 8
    assert usage.candidates_token_count + (usage.thoughts_token_count or 0) == 9


def test_system(client, upstream):
    assert ask(client, named(upstream, "system"), system_instruction="Be brief.").text == "System: Be brief."


def test_stream(client, upstream):
    chunks = list(client.models.generate_content_stream(model=named(upstream, "text"), contents="Hello there"))
    assert "".join(chunk.text or "" for chunk in chunks) == "You said: Hello there"
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.prompt_token_count == 20


@pytest.mark.parametrize("script", ["tools", "parallel", "thinking-tools"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_tools_over_two_turns(client, upstream, script, stream):
    contents = [types.Content(role="user", parts=[types.Part(text="What is the weather?")])]
    config = types.GenerateContentConfig(tools=[TOOL], automatic_function_calling=BY_HAND)
    if script == "thinking-tools":
        config.thinking_config = types.ThinkingConfig(thinking_budget=2000, include_thoughts=True)
    model = named(upstream, script)
    if stream:
        chunks = client.models.generate_content_stream(model=model, contents=contents, config=config)
        parts = [part for chunk in chunks for part in (chunk.candidates[0].content.parts or [] if chunk.candidates[0].content else [])]
    else:
        parts = client.models.generate_content(model=model, contents=contents, config=config).candidates[0].content.parts
    calls = [part.function_call for part in parts if part.function_call]
    assert [call.args["city"] for call in calls] == (["Paris", "Berlin"] if script == "parallel" else ["Paris"])

    contents.append(types.Content(role="model", parts=parts))
    answers = [
        types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": f"{call.args['city']}: 12 degrees"}))
        for call in calls
    ]
    contents.append(types.Content(role="user", parts=answers))
    answer = client.models.generate_content(model=model, contents=contents, config=config)
    said = [part.text for part in answer.candidates[0].content.parts if part.text and not part.thought]
    assert len(said) == 1 and said[0].startswith("Results: ")
    assert all(f"{call.args['city']}: 12 degrees" in said[0] for call in calls)


def test_image(client, upstream):
    image = types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png")
    assert ask(client, named(upstream, "image"), [image, "What is this?"]).text == "image/png of 70 bytes"


def test_pdf(client, upstream):
    pdf = types.Part.from_bytes(data=base64.b64decode("JVBERi0xLjQK"), mime_type="application/pdf")
    assert ask(client, named(upstream, "pdf"), [pdf, "What is this?"]).text == "application/pdf of 9 bytes"


def test_structured_output(client, upstream):
    answer = ask(client, named(upstream, "json"), response_mime_type="application/json", response_json_schema=ANSWER)
    assert answer.text == '{"city": "Paris", "degrees": 12}'


def test_refusal(client, upstream):
    answer = ask(client, named(upstream, "refusal"))
    blocked = answer.prompt_feedback and answer.prompt_feedback.block_reason
    assert blocked or answer.candidates[0].finish_reason not in (None, types.FinishReason.STOP)


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (400, errors.ClientError),
        (401, errors.ClientError),
        (404, errors.ClientError),
        (429, errors.ClientError),
        (500, errors.ServerError),
        (529, errors.ServerError),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_error_classes(client, upstream, status, wanted, stream):
    with pytest.raises(wanted) as raised:
        if stream:
            list(client.models.generate_content_stream(model=named(upstream, f"error-{status}"), contents="hi"))
        else:
            ask(client, named(upstream, f"error-{status}"))
    assert raised.value.code // 100 == status // 100 and raised.value.message and raised.value.status


def test_a_cut_stream_raises(client, upstream):
    got = ""
    with pytest.raises((errors.APIError, ValueError)):
        for chunk in client.models.generate_content_stream(model=named(upstream, "cut"), contents="Hello there"):
            got += chunk.text or ""
    assert "You said: Hello there".startswith(got) and got


def test_unknown_model_and_wrong_key(client, gateway):
    with pytest.raises(errors.ClientError, match="demo/echo"):
        ask(client, "demo/ecko")
    with pytest.raises(errors.ClientError):
        ask(genai.Client(api_key="wrong", http_options=types.HttpOptions(base_url=gateway)), "demo/echo")


def test_models(client):
    assert "models/demo/echo" in [model.name for model in client.models.list()]
    assert client.models.get(model="demo/echo").name == "models/demo/echo"


def test_demo(client):
    assert "one two three" in ask(client, "demo/echo", "one two three").text
