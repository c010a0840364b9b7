"""Opens every stream that the description has, and holds what comes against `x-frames`.

usage: streams.py URL TOKEN
"""

import json
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from jsonschema import Draft202012Validator

# Frames looked at of a stream, and how long it is listened to: a comment line, at which that is noticed, comes every 15 s.
FRAMES, SECONDS = 4, 8


def frames(lines, deadline):
    """Frames as (event, data, id), after the WHATWG's text: the first however late it comes."""
    event, data, last, told = "message", [], None, False
    for line in lines:
        if told and time.monotonic() > deadline:
            return
        line = line.decode("utf-8").rstrip("\n")
        if not line:
            if data:
                yield event, "\n".join(data), last
                told = True
            event, data, last = "message", [], None
        else:
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data":
                data.append(value)
            elif name == "id":
                last = value


def faults_of(operation, document, response, deadline):
    """What of a stream is not as described."""
    ok = operation["responses"]["200"]
    content = ok["content"]["text/event-stream"]
    if response.headers["Content-Type"] != "text/event-stream":
        yield f"its type is {response.headers['Content-Type']}"
    for name, header in ok["headers"].items():
        if response.headers[name] != header["schema"]["const"]:
            yield f"{name} is {response.headers[name]}"
    if response.readline() != b"retry: 2000\n" or not response.readline().startswith(b":"):
        yield "it does not begin with retry and a comment"
    # Below the document's own root, so that references lead where they do in it.
    validator = Draft202012Validator({**content["x-frames"], "components": document["components"]})
    seen = 0
    for event, data, last in frames(response, deadline):
        frame = {"event": event, "data": data, **({"id": last} if last is not None else {})}
        error = next(iter(validator.iter_errors(frame)), None)
        if error:
            yield f"{event} is no frame of it: {error.message[:500]}"
        inside = [one["properties"]["data"] for one in content["x-frames"]["oneOf"] if Draft202012Validator(
            {**one, "components": document["components"]}).is_valid(frame)]
        schemas = [schema["contentSchema"] for schema in inside if "contentSchema" in schema]
        if schemas:
            either = Draft202012Validator({"anyOf": schemas, "components": document["components"]})
            error = next(iter(either.iter_errors(json.loads(data))), None)
            if error:
                yield f"{event}: {error.message[:500]}"
        seen += 1
        if seen == FRAMES:
            break
    if not seen:
        yield "nothing comes"


def look(url, path, operation, document, token):
    """What of one stream is not as described."""
    base = url.removesuffix("/api/v1/openapi.json") + path.replace("{vin}", "self")
    named = [one for one in operation.get("parameters", []) if one.get("in") == "query" and "example" in one]
    query = "".join(f"&{one['name']}={one['example']}" for one in named)
    try:
        with urllib.request.urlopen(f"{base}?token={token}{query}", timeout=300) as response:
            return list(faults_of(operation, document, response, time.monotonic() + SECONDS))
    except urllib.error.HTTPError as error:
        return [f"{error.code} {error.read()}"]
    except TimeoutError:
        return ["it falls silent"]


def main():
    """Prints a line for each stream; 1 when one is not as described."""
    url, token = sys.argv[1:]
    with urllib.request.urlopen(url) as answer:
        document = json.load(answer)
    streams = [(path, item["get"]) for path, item in document["paths"].items() if item.get("get", {}).get("x-stream")]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda stream: look(url, *stream, document, token), streams))
    for (path, _), faults in zip(streams, found):
        print(f"{path}: {'; '.join(faults) or 'as described'}")
    return 1 if any(found) or not streams else 0


if __name__ == "__main__":
    sys.exit(main())
