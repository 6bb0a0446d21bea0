"""A stand-in for a provider: `python server.py FOLDER PORT` speaks as much of OpenAI's protocol as fine-tuning takes.

It is not a provider and trains nothing. It serves files, fine-tuning jobs with events and cancelling, and chat completions
on the loopback interface (port 0: a free one; the key is in STAND_IN_KEY), under OpenAI's routes and under Azure's. A job goes a step with every look at it.
Chat answers follow a rule and no model: a question that was trained on gets the answer that was trained, any other the
first words of itself. Training files are checked as OpenAI documents it: JSONL, ten examples or more, known roles, an
answer at the end.

FOLDER holds all it knows, so that it can be killed and started again, and `control.json`, read at every request, in which a
test says how it shall misbehave: `steps` of a job, `fail_at` a step, `refuse` {status, times, on, retry_after}, `lose` the
reply to POST jobs or files once after doing it, `die_at` a step, `slow` seconds a request, `redirect` to an address.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

LOCK = threading.RLock()
UNTUNED = ("gpt-4o-mini-2024-07-18",)  # answers, too, with the first words of what it is asked
ROLES = {"system", "user", "assistant"}


class Book:
    """What the server knows, on disk."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "files").mkdir(parents=True, exist_ok=True)
        path = folder / "book.json"
        self.told = json.loads(path.read_text()) if path.exists() else {"files": {}, "jobs": {}, "count": 0}

    def keep(self) -> None:
        part = self.folder / "book.part"
        part.write_text(json.dumps(self.told, indent=1))
        part.replace(self.folder / "book.json")

    def id(self, kind: str) -> str:
        self.told["count"] += 1
        return f"{kind}-{self.told['count']:04d}"

    @property
    def control(self) -> dict:
        path = self.folder / "control.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def control_less(self, key: str) -> None:
        left = {k: v for k, v in self.control.items() if k != key}
        (self.folder / "control.json").write_text(json.dumps(left))


class Refusal(Exception):
    def __init__(self, status: int, code: str, words: str, headers: dict | None = None) -> None:
        super().__init__(words)
        self.status, self.code, self.words, self.headers = status, code, words, headers or {}


class Handler(BaseHTTPRequestHandler):
    folder: Path
    key: str
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.serve()

    do_POST = do_DELETE = do_GET

    def serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(url.query).items()}
        route = url.path.strip("/").split("/")
        azure = route[0] == "openai"
        route = [part for part in route if part not in ("v1", "openai")]
        if route[0] == "deployments":
            route = route[2:]
        with LOCK:
            self.book = Book(self.folder)
            with (self.book.folder / "requests").open("a") as log:
                print(self.command, "/".join(route), file=log)
            time.sleep(self.book.control.get("slow", 0))
            try:
                self.require_key(azure)
                self.misbehave(route)
                status, answer, headers = 200, self.answer(route, body), {}
            except Refusal as refusal:
                status, headers = refusal.status, refusal.headers
                answer = {
                    "error": {"code": refusal.code, "message": refusal.words, "type": "invalid_request_error"}
                }
            if self.command != "GET" or "jobs" in route:
                self.book.keep()
            if status == 200 and self.command == "POST" and self.book.control.get("lose") == "/".join(route):
                self.book.control_less("lose")
                self.close_connection = True
                return
        said = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": len(said),
            **headers,
        }.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(said)

    def require_key(self, azure: bool) -> None:
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        given = self.headers.get("api-key", "") if azure else bearer
        if given != self.key:
            # The real one repeats a part of the key; this one all of it, to see that it is never told.
            raise Refusal(401, "invalid_api_key", f"Incorrect API key provided: {given}")
        if azure and "api-version" not in self.query:
            raise Refusal(404, "missing_api_version", "api-version is missing")

    def misbehave(self, route: list[str]) -> None:
        control, here = self.book.control, "/".join(route)
        if "redirect" in control:
            raise Refusal(307, "moved", "moved", {"Location": control["redirect"]})
        wanted = control.get("refuse")
        if wanted and wanted["times"] > 0 and re.fullmatch(wanted.get("on", ".*"), f"{self.command} {here}"):
            wanted["times"] -= 1
            (self.book.folder / "control.json").write_text(json.dumps(control))
            headers = {"Retry-After": wanted["retry_after"]} if "retry_after" in wanted else {}
            raise Refusal(
                wanted["status"], wanted.get("code", "try_later"), "ZEBRAFISH is what you sent", headers
            )

    def answer(self, route: list[str], body: bytes) -> dict:
        match [self.command, *route]:
            case ["POST", "files"]:
                return self.take_file(body)
            case ["GET", "files"]:
                return self.page(list(self.book.told["files"].values()))
            case ["GET", "files", id]:
                return self.found("files", id)
            case ["DELETE", "files", id]:
                self.found("files", id)
                del self.book.told["files"][id]
                (self.book.folder / "files" / id).unlink()
                return {"id": id, "deleted": True}
            case ["POST", "fine_tuning", "jobs"]:
                return self.create(json.loads(body))
            case ["GET", "fine_tuning", "jobs"]:
                return self.page(list(self.book.told["jobs"].values())[::-1])
            case ["GET", "fine_tuning", "jobs", id]:
                return self.step(self.found("jobs", id))
            case ["GET", "fine_tuning", "jobs", id, "events"]:
                return self.page(self.events(self.found("jobs", id))[::-1])
            case ["POST", "fine_tuning", "jobs", id, "cancel"]:
                job = self.found("jobs", id)
                if job["status"] in ("succeeded", "failed"):
                    raise Refusal(400, "job_ended", "It has ended.")
                job["status"] = "cancelled"
                return job
            case ["POST", "chat", "completions"]:
                return self.chat(json.loads(body))
        raise Refusal(404, "not_found", self.path)

    def found(self, kind: str, id: str) -> dict:
        if id not in self.book.told[kind]:
            raise Refusal(404, "not_found", f"There is no {id}")
        return self.book.told[kind][id]

    def page(self, entries: list[dict]) -> dict:
        after = [i for i, entry in enumerate(entries) if entry["id"] == self.query.get("after")]
        begin = after[0] + 1 if after else 0
        end = begin + min(3, int(self.query.get("limit", 20)))  # small pages, so that paging is used
        return {"object": "list", "data": entries[begin:end], "has_more": end < len(entries)}

    def take_file(self, body: bytes) -> dict:
        boundary = re.search(r"boundary=(\S+)", self.headers["Content-Type"])[1].encode()
        parts = [part.split(b"\r\n\r\n", 1) for part in body.split(b"--" + boundary)[1:-1]]
        fields = {re.search(rb'name="([^"]+)"', head)[1].decode(): (head, data[:-2]) for head, data in parts}
        head, data = fields["file"]
        if fields["purpose"][1] != b"fine-tune":
            raise Refusal(400, "invalid_purpose", "purpose")
        name = re.search(rb'filename="([^"]+)"', head)[1].decode()
        id = self.book.id("file")
        (self.book.folder / "files" / id).write_bytes(data)
        self.book.told["files"][id] = {
            "id": id, "object": "file", "bytes": len(data), "filename": name, "purpose": "fine-tune", "status": "processed",
        }  # fmt: skip
        return self.book.told["files"][id]

    def examples(self, id: str, least: int) -> list[list[dict]]:
        found = []
        for line in (self.book.folder / "files" / id).read_text(encoding="utf-8").split("\n"):
            if line:
                messages = json.loads(line)["messages"]
                if {m["role"] for m in messages} - ROLES or messages[-1]["role"] != "assistant":
                    raise Refusal(400, "invalid_training_file", f"a line is wrong: {line}")
                found.append(messages)
        if len(found) < least:
            raise Refusal(400, "too_few_examples", f"{len(found)} examples, at least {least} are needed")
        return found

    def create(self, asked: dict) -> dict:
        for file in ("training_file", "validation_file"):
            if asked.get(file) and asked[file] not in self.book.told["files"]:
                raise Refusal(400, "file_not_found", asked[file])
        examples = self.examples(asked["training_file"], 10)
        if asked.get("validation_file"):
            self.examples(asked["validation_file"], 1)
        if len(asked["suffix"]) > 18:
            raise Refusal(400, "suffix_too_long", asked["suffix"])
        id = self.book.id("ftjob")
        words = sum(len(message["content"].split()) for messages in examples for message in messages)
        self.book.told["jobs"][id] = {
            "id": id, "object": "fine_tuning.job", "model": asked["model"], "status": "queued", "step": 0, "error": None,
            "training_file": asked["training_file"], "validation_file": asked.get("validation_file"),
            "user_provided_suffix": asked["suffix"], "hyperparameters": asked["hyperparameters"], "fine_tuned_model": None,
            "trained_tokens": None, "will_train": words * asked["hyperparameters"]["n_epochs"],
            "learnt": {messages[0]["content"]: messages[-1]["content"] for messages in examples},
        }  # fmt: skip
        return self.book.told["jobs"][id]

    def step(self, job: dict) -> dict:
        control = self.book.control
        if job["status"] in ("queued", "running"):
            job["step"] += 1
            job["status"] = "running"
            if control.get("die_at") == job["step"]:
                self.book.keep()
                os._exit(9)
            if control.get("fail_at") == job["step"]:
                job["status"] = "failed"
                job["error"] = {"code": "server_error", "message": "It failed at the example: ZEBRAFISH"}
            elif job["step"] >= control.get("steps", 3):
                job["status"] = "succeeded"
                job["fine_tuned_model"] = f"ft:{job['model']}:ours:{job['user_provided_suffix']}:{job['id']}"
                job["trained_tokens"] = job["will_train"]
        return {key: value for key, value in job.items() if key != "learnt"}

    def events(self, job: dict) -> list[dict]:
        told = [
            {"id": f"{job['id']}-e0", "message": "ZEBRAFISH was validated", "type": "message", "data": None}
        ]
        for step in range(1, job["step"] + 1):
            data = {"step": step, "train_loss": 2.0 / step, "valid_loss": 2.5 / step}
            told.append({"id": f"{job['id']}-e{step}", "message": "a step", "type": "metrics", "data": data})
        return told

    def chat(self, asked: dict) -> dict:
        limit = asked.get("max_tokens") or asked.get("max_completion_tokens")
        ours = [j for j in self.book.told["jobs"].values() if j["status"] == "succeeded"]
        if asked["model"] not in [*(j["fine_tuned_model"] for j in ours), "deployed", *UNTUNED]:
            raise Refusal(404, "model_not_found", asked["model"])
        question = asked["messages"][-1]["content"]
        known = next((j["learnt"][question] for j in ours if question in j["learnt"]), question)
        words = known.split()
        return {
            "choices": [
                {
                    "message": {"role": "assistant", "content": " ".join(words[:limit])},
                    "finish_reason": "stop" if len(words) <= limit else "length",
                }
            ],
            "usage": {
                "prompt_tokens": sum(len(m["content"].split()) for m in asked["messages"]),
                "completion_tokens": min(limit, len(words)),
            },
        }


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    Handler.folder, Handler.key = folder, os.environ["STAND_IN_KEY"]
    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    (folder / "port").write_text(str(server.server_port))
    server.serve_forever()


if __name__ == "__main__":
    main()
