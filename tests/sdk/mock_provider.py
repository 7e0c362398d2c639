"""A model provider on loopback that speaks three protocols and checks what it is sent, as the real ones do.

    python3 mock_provider.py [PORT]        prints `listening PORT` when it is ready

Paths: /openai/v1/chat/completions, /anthropic/v1/messages, /gemini/v1beta/models/{model}:generateContent
(and :streamGenerateContent). What follows `@` in the model's name is the script:

    text                answers with the last user text
    tools, parallel     calls get_weather (once, or for two cities); then answers with the results
    thinking-tools      the same, with reasoning; the next turn must bring the signatures back
    json                wants a JSON schema, answers {"city": "Paris", "degrees": 12}
    image, pdf          wants one such part, answers with its media type and size
    system              answers with the system text
    cut                 a stream that breaks off in the middle
    refusal             a safety block
    error-N             status N in the protocol's own shape

Every request that a real provider would refuse is refused with 400 and a message that begins with `mock:`.
The shapes follow the official SDKs' types.
"""

import base64
import json
import re
import sys
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANTHROPIC_SIGNATURE = base64.b64encode(b"claude thought this \x00\xff" * 6).decode()
GEMINI_SIGNATURE = base64.b64encode(b"gemini thought this \xfb\xff\xfe" * 6).decode()
THOUGHT = "The user wants the weather, so I should call the tool."


class Refused(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status, self.message = status, message


def refuse(message):
    raise Refused(400, "mock: " + message)


def need(condition, message):
    if not condition:
        refuse(message)


def pieces(text, size=5):
    return [text[at : at + size] for at in range(0, len(text), size)]


def script_of(model):
    return model.rpartition("@")[2]


class Answer:
    """What a script says, before a protocol gives it a shape."""

    def __init__(self, text="", calls=(), thought=None, finish=None, cut=False):
        self.text, self.calls, self.thought, self.cut = text, list(calls), thought, cut
        self.finish = finish or ("tools" if self.calls else "stop")


def script(model, ask):
    """`ask` is what a protocol understood: system, texts, results, media, schema, tools."""
    if match := re.fullmatch(r"error-(\d+)", model):
        raise Refused(int(match[1]), f"mock: scripted {match[1]}")
    if model in ("text", "cut"):
        return Answer(f"You said: {ask['texts'][-1]}", cut=model == "cut")
    if model == "system":
        return Answer(f"System: {ask['system']}")
    if model == "refusal":
        return Answer("", finish="refusal")
    if model == "json":
        if "json" in ask["tools"]:  # the Vercel AI SDK's way where it does not know the model
            return Answer(calls=[("json", {"city": "Paris", "degrees": 12})])
        need(ask["schema"] is not None, "no JSON schema was sent")
        need(ask["schema"].get("properties", {}).get("city"), "the schema lost its properties")
        return Answer('{"city": "Paris", "degrees": 12}')
    if model in ("image", "pdf"):
        need(len(ask["media"]) == 1, f"wanted one medium, got {len(ask['media'])}")
        mime, data = ask["media"][0]
        return Answer(f"{mime} of {len(base64.b64decode(data, validate=True))} bytes")
    if model in ("tools", "parallel", "thinking-tools"):
        need("get_weather" in ask["tools"], "the tool get_weather is missing")
        need(ask["tools"]["get_weather"].get("properties", {}).get("city"), "the tool's schema lost its properties")
        if ask["results"]:
            return Answer("Results: " + "; ".join(ask["results"]))
        cities = ["Paris", "Berlin"] if model == "parallel" else ["Paris"]
        calls = [("get_weather", {"city": city}) for city in cities]
        return Answer(calls=calls, thought=THOUGHT if model == "thinking-tools" else None)
    raise Refused(404, f"mock: no model {model}")


# --- OpenAI -------------------------------------------------------------------------------------


class OpenAi:
    statuses = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found", 429: "rate_limit_error"}

    @staticmethod
    def error(status, message):
        code = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}.get(status)
        return {"error": {"message": message, "type": OpenAi.statuses.get(status, "server_error"), "param": None, "code": code}}

    @staticmethod
    def understand(body):
        ask = {"system": "", "texts": [], "results": [], "media": [], "schema": None, "tools": {}}
        need(isinstance(body.get("messages"), list) and body["messages"], "messages must be a list that is not empty")
        waiting = []
        for message in body["messages"]:
            role, content = message.get("role"), message.get("content")
            if role != "tool":
                need(not waiting, f"tool calls {waiting} were not answered")
            if isinstance(content, list):
                need(content, "content must not be an empty list")
                for part in content:
                    kind = part.get("type")
                    if kind == "text":
                        ask["texts"].append(part["text"])
                    elif kind == "image_url":
                        head, data = part["image_url"]["url"].split(",", 1)
                        ask["media"].append((head.removeprefix("data:").removesuffix(";base64"), data))
                    elif kind == "file":
                        head, data = part["file"]["file_data"].split(",", 1)
                        ask["media"].append((head.removeprefix("data:").removesuffix(";base64"), data))
                    else:
                        refuse(f"unknown content part {kind}")
                content = "".join(part.get("text", "") for part in content)
            elif role in ("user", "system", "developer"):
                need(isinstance(content, str), f"content of {role} must be text")
                if role == "user":
                    ask["texts"].append(content)
            if role in ("system", "developer"):
                ask["system"] += content
            elif role == "assistant":
                for call in message.get("tool_calls") or []:
                    need(len(call["id"]) <= 40, "a tool call id is longer than 40 characters")
                    need(isinstance(call["function"]["arguments"], str), "arguments must be text")
                    json.loads(call["function"]["arguments"])
                    waiting.append(call["id"])
                need(content is not None or message.get("tool_calls"), "assistant message with nothing in it")
            elif role == "tool":
                need(message.get("tool_call_id") in waiting, f"tool_call_id {message.get('tool_call_id')} answers no call")
                waiting.remove(message["tool_call_id"])
                ask["results"].append(content)
            elif role != "user":
                refuse(f"unknown role {role}")
        need(not waiting, f"tool calls {waiting} were not answered")
        for tool in body.get("tools") or []:
            need(tool["type"] == "function", f"unknown tool type {tool['type']}")
            ask["tools"][tool["function"]["name"]] = tool["function"].get("parameters") or {}
        wanted = body.get("response_format") or {}
        if wanted.get("type") == "json_schema":
            need(wanted["json_schema"].get("name"), "the schema has no name")
            ask["schema"] = wanted["json_schema"]["schema"]
        return ask

    usage = {
        "prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 2, "audio_tokens": 0},
    }

    @staticmethod
    def whole(body, answer):
        message = {"role": "assistant", "content": answer.text or None, "refusal": None}
        if answer.thought:
            message["reasoning_content"] = answer.thought
        if answer.finish == "refusal":
            message["refusal"] = "I cannot help with that."
        if answer.calls:
            message["tool_calls"] = [
                {"id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
                for n, (name, arguments) in enumerate(answer.calls)
            ]
        finish = {"tools": "tool_calls", "stop": "stop", "refusal": "stop"}[answer.finish]
        return {
            "id": "chatcmpl-mock", "object": "chat.completion", "created": 1700000000, "model": body["model"],
            "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
            "usage": OpenAi.usage, "service_tier": "default", "system_fingerprint": "fp_mock",
        }

    @staticmethod
    def stream(body, answer):
        def chunk(delta, finish=None):
            return {
                "id": "chatcmpl-mock", "object": "chat.completion.chunk", "created": 1700000000, "model": body["model"],
                "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
            }

        yield None, chunk({"role": "assistant", "content": "", "refusal": None})
        if answer.thought:
            for piece in pieces(answer.thought, 20):
                yield None, chunk({"reasoning_content": piece})
        if answer.finish == "refusal":
            yield None, chunk({"refusal": "I cannot help with that."})
        for piece in pieces(answer.text):
            yield None, chunk({"content": piece})
        if answer.cut:
            return
        for n, (name, _) in enumerate(answer.calls):
            yield None, chunk({"tool_calls": [{"index": n, "id": f"call_{n}", "type": "function", "function": {"name": name, "arguments": ""}}]})
        # Parallel calls grow side by side: their deltas overlap.
        texts = [pieces(json.dumps(arguments)) for _, arguments in answer.calls]
        for step in range(max(map(len, texts), default=0)):
            for n, text in enumerate(texts):
                if step < len(text):
                    yield None, chunk({"tool_calls": [{"index": n, "function": {"arguments": text[step]}}]})
        yield None, chunk({}, {"tools": "tool_calls", "stop": "stop", "refusal": "stop"}[answer.finish])
        if (body.get("stream_options") or {}).get("include_usage"):
            yield None, {**chunk({}), "choices": [], "usage": OpenAi.usage}
        yield None, "[DONE]"


# --- Anthropic ----------------------------------------------------------------------------------


class Anthropic:
    types = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error",
             413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error"}

    @staticmethod
    def error(status, message):
        return {"type": "error", "error": {"type": Anthropic.types.get(status, "api_error"), "message": message}, "request_id": "req_mock"}

    @staticmethod
    def understand(body):
        ask = {"system": "", "texts": [], "results": [], "media": [], "schema": None, "tools": {}}
        need(isinstance(body.get("max_tokens"), int) and body["max_tokens"] > 0, "max_tokens: Field required")
        system = body.get("system") or ""
        ask["system"] = system if isinstance(system, str) else "".join(block["text"] for block in system)
        need(body.get("messages"), "messages: at least one message is required")
        need(body["messages"][0]["role"] == "user", "the first message must use the user role")
        thinking = (body.get("thinking") or {}).get("type")
        if thinking == "enabled":
            budget = body["thinking"].get("budget_tokens", 0)
            need(1024 <= budget < body["max_tokens"], "thinking.budget_tokens must be at least 1024 and less than max_tokens")
            need(body.get("temperature", 1) == 1, "temperature may only be set to 1 when thinking is enabled")
            need((body.get("tool_choice") or {}).get("type") not in ("any", "tool"), "thinking may not be enabled when tool_choice forces tool use")
        waiting, before = [], None
        for message in body["messages"]:
            role, content = message["role"], message["content"]
            need(role in ("user", "assistant"), f"unknown role {role}")
            need(role != before, "roles must alternate")
            before = role
            blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
            results = [block for block in blocks if block["type"] == "tool_result"]
            if waiting:
                need(role == "user" and blocks[: len(results)] == results, "tool_result blocks must come first")
                need({block["tool_use_id"] for block in results} == set(waiting), f"tool_use ids {waiting} were found without tool_result blocks")
                waiting = []
            else:
                need(not results, "unexpected tool_use_id found in tool_result blocks")
            signed = False
            for block in blocks:
                kind = block["type"]
                if kind == "text":
                    need(block["text"], "text content blocks must be non-empty")
                    if role == "user":
                        ask["texts"].append(block["text"])
                elif kind in ("image", "document"):
                    need(block["source"]["type"] == "base64", "mock: wants base64")
                    ask["media"].append((block["source"]["media_type"], block["source"]["data"]))
                elif kind == "thinking":
                    need(block["signature"] == ANTHROPIC_SIGNATURE and block["thinking"] == THOUGHT, "Invalid `signature` in `thinking` block")
                    signed = True
                elif kind == "tool_use":
                    need(re.fullmatch(r"[a-zA-Z0-9_-]+", block["id"]), "tool_use.id: String should match pattern")
                    need(isinstance(block["input"], dict), "tool_use.input: Input should be an object")
                    if script_of(body["model"]) == "thinking-tools" and thinking in ("enabled", "adaptive"):
                        need(signed, "Expected `thinking` or `redacted_thinking`, but found `tool_use`")
                    waiting.append(block["id"])
                elif kind == "tool_result":
                    inner = block.get("content") or ""
                    ask["results"].append(inner if isinstance(inner, str) else "".join(part.get("text", "") for part in inner))
                else:
                    refuse(f"unknown block {kind}")
        need(not waiting, f"tool_use ids {waiting} were found without tool_result blocks")
        for tool in body.get("tools") or []:
            need(tool["input_schema"].get("type") == "object", "input_schema.type: Field required")
            ask["tools"][tool["name"]] = tool["input_schema"]
        wanted = (body.get("output_config") or {}).get("format") or body.get("output_format")
        if wanted:
            need(wanted["type"] == "json_schema", f"unknown output format {wanted['type']}")
            ask["schema"] = wanted["schema"]
        return ask

    @staticmethod
    def blocks(answer):
        if answer.thought:
            yield {"type": "thinking", "thinking": answer.thought, "signature": ANTHROPIC_SIGNATURE}
        if answer.text:
            yield {"type": "text", "text": answer.text}
        for n, (name, arguments) in enumerate(answer.calls):
            yield {"type": "tool_use", "id": f"toolu_{n}", "name": name, "input": arguments}

    @staticmethod
    def whole(body, answer):
        return {
            "id": "msg_mock", "type": "message", "role": "assistant", "model": body["model"], "content": list(Anthropic.blocks(answer)),
            "stop_reason": {"tools": "tool_use", "stop": "end_turn", "refusal": "refusal"}[answer.finish], "stop_sequence": None,
            "usage": {"input_tokens": 12, "cache_read_input_tokens": 8, "cache_creation_input_tokens": 0, "output_tokens": 9},
        }

    @staticmethod
    def stream(body, answer):
        whole = Anthropic.whole(body, answer)
        start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
        yield "message_start", {"type": "message_start", "message": start}
        yield "ping", {"type": "ping"}
        for index, block in enumerate(whole["content"]):
            empty = {"thinking": {**block, "thinking": "", "signature": ""}, "text": {**block, "text": ""}, "tool_use": {**block, "input": {}}}
            yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty[block["type"]]}
            deltas = {
                "thinking": lambda: [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"], 20)]
                + [{"type": "signature_delta", "signature": block["signature"]}],
                "text": lambda: [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])],
                "tool_use": lambda: [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(json.dumps(block["input"]))]],
            }[block["type"]]()
            for delta in deltas:
                yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
            if answer.cut:
                return
            yield "content_block_stop", {"type": "content_block_stop", "index": index}
        yield "message_delta", {
            "type": "message_delta", "delta": {"stop_reason": whole["stop_reason"], "stop_sequence": None}, "usage": {"output_tokens": 9},
        }
        yield "message_stop", {"type": "message_stop"}


# --- Gemini -------------------------------------------------------------------------------------


def standard(data):
    """Bytes come in either base64 alphabet."""
    return data.replace("-", "+").replace("_", "/")


def camel(value):
    """Protobuf's JSON takes field names in either spelling; the caller's own objects are left alone."""
    if isinstance(value, list):
        return [camel(item) for item in value]
    if not isinstance(value, dict):
        return value
    named = {re.sub(r"_([a-z])", lambda m: m[1].upper(), key): inner for key, inner in value.items()}
    theirs = ("args", "response", "parameters", "parametersJsonSchema", "responseSchema", "responseJsonSchema")
    return {key: inner if key in theirs else camel(inner) for key, inner in named.items()}


class Gemini:
    statuses = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
                503: "UNAVAILABLE"}

    @staticmethod
    def error(status, message):
        return {"error": {"code": status, "message": message, "status": Gemini.statuses.get(status, "INTERNAL")}}

    @staticmethod
    def understand(body):
        ask = {"system": "", "texts": [], "results": [], "media": [], "schema": None, "tools": {}}
        for part in (body.get("systemInstruction") or {}).get("parts", []):
            ask["system"] += part["text"]
        need(body.get("contents"), "contents is not specified")
        waiting = []
        for content in body["contents"]:
            role = content.get("role", "user")
            need(role in ("user", "model"), f"Please use a valid role: user, model. Got {role}")
            need(content.get("parts"), "contents.parts must not be empty")
            results = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
            if waiting:
                need(role == "user" and [r["name"] for r in results] == waiting, "the number of function response parts must equal the function calls")
                waiting = []
            else:
                need(not results, "function response turn must come right after a function call turn")
            first = True
            for part in content["parts"]:
                if "functionCall" in part:
                    need(role == "model", "function calls belong to the model")
                    need(isinstance(part["functionCall"].get("args", {}), dict), "args must be an object")
                    if script_of(body["__model"]) == "thinking-tools" and first:
                        need(standard(part.get("thoughtSignature", "")) == GEMINI_SIGNATURE, "Function call is missing a thought_signature in functionCall parts")
                    first = False
                    waiting.append(part["functionCall"]["name"])
                elif "functionResponse" in part:
                    need(isinstance(part["functionResponse"]["response"], dict), "response must be an object")
                    response = part["functionResponse"]["response"]
                    ask["results"].append(next(iter(response.values())) if len(response) == 1 else json.dumps(response))
                elif "inlineData" in part:
                    ask["media"].append((part["inlineData"]["mimeType"], standard(part["inlineData"]["data"])))
                elif "text" in part:
                    if role == "user":
                        ask["texts"].append(part["text"])
                else:
                    refuse(f"unknown part {sorted(part)}")
        need(not waiting, "function calls without responses")
        for tool in body.get("tools") or []:
            for function in tool.get("functionDeclarations", []):
                ask["tools"][function["name"]] = function.get("parametersJsonSchema") or function.get("parameters") or {}
        config = body.get("generationConfig") or {}
        wanted = config.get("responseJsonSchema") or config.get("responseSchema")
        if wanted:
            need(config.get("responseMimeType") == "application/json", "responseMimeType must be application/json with a schema")
            ask["schema"] = wanted
        return ask

    usage = {"promptTokenCount": 20, "cachedContentTokenCount": 8, "candidatesTokenCount": 7, "thoughtsTokenCount": 2, "totalTokenCount": 29}

    @staticmethod
    def part_list(answer):
        if answer.thought:
            yield {"text": answer.thought, "thought": True}
        for n, (name, arguments) in enumerate(answer.calls):
            part = {"functionCall": {"name": name, "args": arguments}}
            if answer.thought and n == 0:
                part["thoughtSignature"] = GEMINI_SIGNATURE
            yield part

    @staticmethod
    def frame(body, parts, last=False):
        candidate = {"content": {"role": "model", "parts": parts}, "index": 0}
        if last:
            candidate["finishReason"] = "STOP"
        return {"candidates": [candidate], "usageMetadata": Gemini.usage, "modelVersion": body["__model"], "responseId": "resp_mock"}

    @staticmethod
    def blocked(body):
        return {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 20, "totalTokenCount": 20}, "modelVersion": body["__model"]}

    @staticmethod
    def whole(body, answer):
        if answer.finish == "refusal":
            return Gemini.blocked(body)
        parts = list(Gemini.part_list(answer)) + ([{"text": answer.text}] if answer.text else [])
        return Gemini.frame(body, parts, last=True)

    @staticmethod
    def stream(body, answer):
        if answer.finish == "refusal":
            yield None, Gemini.blocked(body)
            return
        parts = list(Gemini.part_list(answer)) + [{"text": piece} for piece in pieces(answer.text)]
        for n, part in enumerate(parts):
            if answer.cut and n > 1:
                return
            yield None, Gemini.frame(body, [part], last=n == len(parts) - 1)


# --- HTTP ---------------------------------------------------------------------------------------


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        protocol, model, stream = self.address()
        try:
            need(protocol, f"no such path {self.path}")
            body = json.loads(body)
            self.check_key(protocol)
            if protocol is Gemini:
                body = {**camel(body), "__model": model}
            else:
                model, stream = body["model"], body.get("stream") is True
            if script_of(model).startswith("error-"):
                script(script_of(model), {})
            ask = protocol.understand(body)
            answer = script(script_of(model), ask)
        except Refused as refused:
            return self.send(refused.status, protocol or OpenAi, (protocol or OpenAi).error(refused.status, refused.message))
        except (KeyError, TypeError, ValueError, AttributeError) as wrong:
            return self.send(400, protocol or OpenAi, (protocol or OpenAi).error(400, f"mock: malformed request: {wrong!r}"))
        if not stream:
            return self.send(200, protocol, protocol.whole(body, answer))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event, data in protocol.stream(body, answer):
            text = data if isinstance(data, str) else json.dumps(data)
            frame = (f"event: {event}\n" if event else "") + f"data: {text}\n\n"
            self.wfile.write(f"{len(frame.encode()):x}\r\n{frame}\r\n".encode())
            self.wfile.flush()
        if answer.cut:
            self.close_connection = True
            return None
        self.wfile.write(b"0\r\n\r\n")
        return None

    def address(self):
        path, _, query = self.path.partition("?")
        if path == "/openai/v1/chat/completions":
            return OpenAi, None, False
        if path == "/anthropic/v1/messages":
            return Anthropic, None, False
        if match := re.fullmatch(r"/gemini/v1beta/models/([^:/]+):(generateContent|streamGenerateContent)", path):
            stream = match[2] == "streamGenerateContent"
            return (Gemini, urllib.parse.unquote(match[1]), stream) if not stream or "alt=sse" in query else (None, None, False)
        return None, None, False

    def check_key(self, protocol):
        sent = {
            OpenAi: self.headers.get("authorization", "").removeprefix("Bearer "),
            Anthropic: self.headers.get("x-api-key"),
            Gemini: self.headers.get("x-goog-api-key"),
        }[protocol]
        if sent != "upstream-key":
            raise Refused(401, "mock: wrong key")
        if protocol is Anthropic:
            need(re.fullmatch(r"\d{4}-\d\d-\d\d", self.headers.get("anthropic-version", "")), "anthropic-version: header is required")

    def send(self, status, protocol, value):
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.send_header("request-id" if protocol is Anthropic else "x-request-id", "req_mock")
        if status == 429:
            self.send_header("retry-after", "1")
        self.end_headers()
        self.wfile.write(text)


def main():
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Handler)
    server.daemon_threads = True
    print(f"listening {server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
