"""Many consumers on keep-alive connections, in a process of its own: `python -m bench._callers < plan > report`.

Plain asyncio streams and hand-written HTTP/1.1, so that the caller costs as little as it can and the same for all.
"""

import asyncio
import json
import subprocess
import sys
import time
from urllib.parse import urlsplit

import orjson

QUESTION = [{"role": "user", "content": "What is the answer?"}]


def run(url, *, model, key, connections, seconds, is_streamed=False):
    """Ask for some seconds; return {"answers", "seconds", "ms": sorted, "first_ms": sorted, "refused"}."""
    plan = {
        "url": url,
        "model": model,
        "key": key,
        "connections": connections,
        "seconds": seconds,
        "is_streamed": is_streamed,
    }
    done = subprocess.run(
        [sys.executable, "-m", "bench._callers"],
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def request(plan):
    """Write one request."""
    parts = urlsplit(plan["url"])
    body = orjson.dumps(
        {"model": plan["model"], "messages": QUESTION, "stream": plan["is_streamed"]}
    )
    head = (
        f"POST {parts.path}/chat/completions HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Authorization: Bearer {plan['key']}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def answer(reader):
    """Read one answer; return (status, seconds clock at the first byte of the body)."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = int(head.split(b" ", 2)[1])
    if b"transfer-encoding: chunked" in head:
        first_s = None
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            first_s = first_s or time.perf_counter()
            await reader.readexactly(size + 2)
            if not size:
                return status, first_s
    length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return status, time.perf_counter()


async def caller(plan, until_s, report):
    """Ask again and again on one connection."""
    parts = urlsplit(plan["url"])
    sent = request(plan)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    while time.perf_counter() < until_s:
        began_s = time.perf_counter()
        writer.write(sent)
        status, first_s = await answer(reader)
        if status != 200:
            report["refused"] += 1
            continue
        report["ms"].append((time.perf_counter() - began_s) * 1000)
        report["first_ms"].append((first_s - began_s) * 1000)
    writer.close()


async def all_callers(plan):
    """Run every connection; return the report."""
    report = {"ms": [], "first_ms": [], "refused": 0}
    began_s = time.perf_counter()
    until_s = began_s + plan["seconds"]
    await asyncio.gather(*(caller(plan, until_s, report) for _ in range(plan["connections"])))
    report |= {"answers": len(report["ms"]), "seconds": time.perf_counter() - began_s}
    report["ms"].sort()
    report["first_ms"].sort()
    return report


if __name__ == "__main__":
    print(json.dumps(asyncio.run(all_callers(json.load(sys.stdin)))))
