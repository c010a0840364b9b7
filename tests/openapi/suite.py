"""The description at /api/v1/openapi.json, held against a demo: is it OpenAPI 3.1, does `schemathesis` find anything,
and do the streams send the frames that it has for them."""

import json
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECONDS = 900


def run(report, text, telltale, python):
    """Runs what `text` means; `python` is an interpreter with the packages of `requirements.txt`."""
    steps = [
        ("openapi::validator", lambda url, token: [python, "-m", "openapi_spec_validator", "openapi.json"]),
        ("openapi::schemathesis", schemathesis(python)),
        ("openapi::streams", lambda url, token: [python, "-B", str(HERE / "streams.py"), url, token]),
    ]
    steps = [step for step in steps if text in step[0]]
    if not steps:
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [telltale, "demo", "--json", "--listen", "127.0.0.1:0", "--data", folder + "/demo"]
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            told = json.loads(demo.stdout.readline())
            url = told["url"] + "api/v1/openapi.json"
            with urllib.request.urlopen(url) as answer:
                (Path(folder) / "openapi.json").write_bytes(answer.read())
            for name, of in steps:
                begun = time.monotonic()
                try:
                    done = subprocess.run(of(url, told["token"]), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                          text=True, timeout=SECONDS, check=False)
                    passed, said = done.returncode == 0, done.stdout
                except subprocess.TimeoutExpired as late:
                    passed, said = False, f"not done after {SECONDS} s\n{(late.stdout or b'').decode(errors='replace')}"
                report.add(name, passed, time.monotonic() - begun, output=said.replace(told["token"], "[token]")[-20000:])
        finally:
            demo.kill()
            demo.wait()


def schemathesis(python):
    """The command: the same inputs each time. Streams are left out, as they have no end, and so is `ignored_auth`, which
    sends more than ten wrong credentials a minute and takes the 429 that is promised for that as a fault."""
    program = Path(python).with_name("schemathesis")
    return lambda url, token: [
        str(program), "--config-file", str(HERE / "schemathesis.toml"), "run", url,
        "--header", f"Authorization: Bearer {token}", "--exclude-by", "/x-stream == true",
        "--exclude-checks", "ignored_auth", "--seed", "1", "--max-examples", "10", "--generation-database", "none", "--request-timeout", "300",
        "--suppress-health-check", "all", "--warnings", "off", "--workers", "1", "--no-color",
    ]
