"""The same trivial model server for everybody: it answers at once, so that only the ways to it are measured."""

import orjson

ANSWER = orjson.dumps(
    {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 0,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "The answer is forty-two."},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
    }
)
WORDS = ["The", " answer", " is", " forty", "-two", "."]


def _event(**members):
    chunk = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 0}
    return b"data: " + orjson.dumps(chunk | {"model": "bench"} | members) + b"\n\n"


STREAM = [
    *(_event(choices=[{"index": 0, "delta": {"content": word}}]) for word in WORDS),
    _event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]),
    _event(choices=[], usage={"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}),
    b"data: [DONE]\n\n",
]
MODELS = orjson.dumps({"object": "list", "data": [{"id": "bench", "object": "model"}]})


async def application(scope, receive, send):
    """Answer whatever is asked."""
    if scope["type"] != "http":
        return
    raw = b""
    while True:
        message = await receive()
        raw += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["method"] == "GET":
        await _whole(send, MODELS)
    elif b'"stream":true' in raw.replace(b" ", b""):
        await _stream(send)
    else:
        await _whole(send, ANSWER)


async def _whole(send, body):
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _stream(send):
    headers = [(b"content-type", b"text/event-stream")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for part in STREAM:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
