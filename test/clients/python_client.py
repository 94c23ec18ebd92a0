"""Calls of the official Python client; test/clients/python.test.ts runs it.

    python python_client.py SERVICE_URL BACKEND_URL
"""

import json
import sys
import urllib.request

import openai

url, backend = sys.argv[1:]
client = openai.OpenAI(base_url=f"{url}/v1", api_key="brink-dev", max_retries=0)
ASK = "When does the ferry to the island leave?"
MESSAGES = [{"role": "user", "content": ASK}]
MEMORY = {"memory": {"namespace": "notes"}}
SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}}
done = 0


def script(*steps):
    """What the backend does with its next requests."""
    body = json.dumps(steps).encode()
    urllib.request.urlopen(urllib.request.Request(f"{backend}/script", body)).read()


def check(holds, what):
    global done
    if not holds:
        raise SystemExit(f"not so: {what}")
    done += 1


def fails(call, error, code):
    try:
        call()
    except error as raised:
        check(raised.code == code, f"{code}, but {raised.code}")
    else:
        raise SystemExit(f"no {code}")


def chat(model, **rest):
    return client.chat.completions.create(model=model, messages=MESSAGES, **rest)


whole = chat("edge", extra_body=MEMORY)
answer = whole.choices[0].message.content
check("07:40" in answer and whole.brink["route"] == "edge", "a whole chat")

chunks = list(chat("edge", extra_body=MEMORY, stream=True, stream_options={"include_usage": True}))
text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
check(text == answer and chunks[-1].usage == whole.usage, "a streamed chat")

delta = {"index": 0, "delta": {"content": "on and "}, "finish_reason": None}
event = "data: " + json.dumps({"choices": [delta]}) + "\n\n"
script({"chunks": [event] * 400, "ending": "hang", "pauseMs": 25})
stream = chat("backend", stream=True)
next(iter(stream))
stream.close()
check(client.models.list().data, "a stream that is left, and the models")

fails(lambda: chat("gpt-99"), openai.NotFoundError, "model_not_found")
fails(lambda: chat("edge", temperature=9), openai.BadRequestError, "invalid_request")

script({"chunks": [event], "ending": "reset"})
fails(lambda: list(chat("backend", stream=True)), openai.APIError, "backend_unavailable")


def embed(**rest):
    model = "all-MiniLM-L6-v2"
    return client.embeddings.create(model=model, input=["the tide", "the ferry"], **rest).data


base64, numbers = embed(), embed(encoding_format="float")
pairs = [p for a, b in zip(base64, numbers) for p in zip(a.embedding, b.embedding)]
same = all(abs(x - y) < 1e-6 for x, y in pairs)
check(same and len(pairs) == 2 * 384, "embeddings, base64 and float")

script({"text": '{"day":"May"}'})
shape = {"type": "json_schema", "json_schema": {"name": "day", "schema": SCHEMA}}
check(json.loads(chat("auto", response_format=shape).choices[0].message.content), "a schema")

call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "tide", "arguments": "{}"}}
script({"text": "", "tool_calls": [call], "finish_reason": "tool_calls"})
tools = [{"type": "function", "function": {"name": "tide", "parameters": SCHEMA}}]
called = chat("auto", tools=tools).choices[0].message.tool_calls
check(called[0].function.name == "tide", "tools")

response = client.responses.create(model="edge", input=ASK, extra_body=MEMORY)
check(response.output_text == answer, "a whole response")

with client.responses.stream(model="edge", input=ASK, extra_body=MEMORY) as events:
    kinds = [event.type for event in events]
    check(kinds[-1] == "response.completed", "a streamed response")
    check(events.get_final_response().output_text == answer, "a response put together")

print(f"{done} calls as they must be")
