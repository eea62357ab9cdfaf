"""Canary patients on every path through a throw-away service, and a search of all that it leaves behind.

Each path has a word of its own, in every field where a message may hold what is nobody's business: control
ids, names, addresses, texts, and on the ways of errors in bodies, headers, addresses and tokens too. The
partners quote what they get in each of their answers. The service ends by a kill, as in a power cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

import httpx2

from connector.demo import tls
from connector.demo.canary import Hit, Search, forms, new_word
from connector.demo.echoing import Echoing, Mood
from connector.demo.messages import frame, read_answer
from connector.demo.processes import Processes
from connector.demo.site import Site
from connector.demo.tokens import connector_token
from connector.errors import UnableToWork

_FAST: Final = "\n[retry]\nfirst_seconds = 0.1\nmost_seconds = 0.3\n"
_MOODS: Final[tuple[Mood, ...]] = ("garble", "fail", "refuse", "take")  # after the third it is a dead letter
_RUN: Final = "import sys; sys.argv[0] = 'connector'; from connector.cli import main; main()"
_FHIR: Final = "application/fhir+json"
_WRONG: Final = ("400", "412", "415", "422")
YES: Final = ("AA", "CA")
NO: Final = ("AE", "AR", "CE", "CR")
EITHER: Final = (*YES, *NO)


class Report(NamedTuple):
    """``walked``: each path and how it ended; ``wrong``: those that ended otherwise than they should."""

    walked: dict[str, str]
    wrong: list[str]
    hits: list[Hit]
    searched: int
    files: int

    @property
    def good(self) -> bool:
        """Whether every path was walked and no word was found."""
        return not self.wrong and not self.hits


class Walk:
    """One site, its service and its quoting partners. ``said``: all that came out, by what said it."""

    def __init__(self, site: Site, elsewhere: Path) -> None:
        self._site, self._elsewhere = site, elsewhere
        self._partners = Echoing(site)
        self._temporary = site.folder / "tmp"
        self._processes = Processes(site, TMPDIR=str(self._temporary))
        self.words: dict[str, str] = {}
        self.walked: dict[str, str] = {}
        self.wrong: list[str] = []
        self.said: dict[str, bytes] = {}
        self.process = b""

    async def all(self) -> None:
        """Every path, and then the kill."""
        self._temporary.mkdir()
        with self._site.profile.open("a") as profile:
            profile.write(_FAST)
        await self._partners.start()
        with self._processes:
            await self._processes.connector()
            await self._v2_paths()
            await self._fhir_paths()
            await self._deliveries()
            await self._commands()
            await self._kill()
        await self._partners.close()

    def _ended(self, path: str, got: str, good: tuple[str, ...]) -> None:
        self.walked[path] = got
        if got not in good:
            self.wrong.append(f"{path}: {got}")

    def _word(self, path: str) -> str:
        self.words[path] = new_word()
        return self.words[path]

    # --- HL7 v2

    async def _v2_paths(self) -> None:
        word = self._word("v2 taken")
        await self._v2("v2 taken", _admission(word), YES)
        await self._v2("v2 repeated", _admission(word), YES)
        await self._v2("v2 control id reused", _admission(word).replace(b"|M|", b"|F|"), EITHER)
        for path, before, after, good in (
            ("v2 event not taken", b"ADT^A08^ADT_A01", b"MFN^M01", NO),
            ("v2 facility unknown", b"|STV|", b"|%s|", NO),
            ("v2 patient missing", b"\rPID|", b"\rZZZ|", NO),
            ("v2 version unknown", b"|2.5.1", b"|%s", NO),
            ("v2 not P", b"|P|", b"|%s|", NO),
            ("v2 time broken", b"|19700101|", b"|%s|", EITHER),
            ("v2 charset broken", b"^^Haus", b"^^\xff\xfe", NO),
        ):
            word = self._word(path)
            changed = _admission(word).replace(before, after.replace(b"%s", word.encode()), 1)
            await self._v2(path, changed, good)
        word = self._word("v2 unreadable")
        await self._v2("v2 unreadable", f"{word}|{word}\r".encode(), NO)

    async def _v2(self, path: str, message: bytes, good: tuple[str, ...]) -> None:
        context = tls.client_context(self._site.folder, "hospital")
        reader, writer = await asyncio.open_connection("localhost", self._site.ports.mllp, ssl=context)
        try:
            writer.write(frame(message))
            answer = b""
            with contextlib.suppress(TimeoutError, asyncio.IncompleteReadError, OSError):
                async with asyncio.timeout(10.0):
                    answer = (await reader.readuntil(b"\x1c\r"))[1:-2]
        finally:
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()
        told = read_answer(answer)
        quoted = told.acknowledges.encode()  # MSA-2 must say it again, as MSH must say who sent what
        rest = answer.partition(b"\r")[2]
        self.said[f"acknowledgment: {path}"] = rest.replace(quoted, b"") if quoted else rest
        self._ended(path, told.code, good)

    # --- FHIR

    async def _fhir_paths(self) -> None:
        token = connector_token(self._site.folder, "analyst", "system/*.cruds")
        bearer = {"authorization": f"Bearer {token}", "content-type": _FHIR}
        context = tls.client_context(self._site.folder, "analyst")
        async with httpx2.AsyncClient(base_url=self._site.connector_url, verify=context) as client:
            for path, method, url, body, changed, good in _asked(self._word):
                answer = await client.request(method, url, content=body, headers={**bearer, **changed})
                head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
                self.said[f"answer: {path}"] = head.encode() + b"\n" + answer.content
                self._ended(path, str(answer.status_code), good)

    # --- what partners answer

    async def _deliveries(self) -> None:
        word = self._word("v2 to FHIR, quoted")
        self._partners.mood = _MOODS[0]
        await self._v2("v2 to FHIR, quoted", _admission(word), ("AA",))
        patient = json.dumps(_patient(self._word("FHIR to v2, quoted"), "quoted")).encode()
        token = connector_token(self._site.folder, "analyst", "system/*.cruds")
        context = tls.client_context(self._site.folder, "analyst")
        async with httpx2.AsyncClient(base_url=self._site.connector_url, verify=context) as client:
            headers = {"authorization": f"Bearer {token}", "content-type": _FHIR}
            answer = await client.put("/fhir/Patient/quoted", content=patient, headers=headers)
        self._ended("FHIR to v2, quoted", str(answer.status_code), ("202",))
        for mood in _MOODS:
            self._partners.mood = mood
            if mood == "take":
                await self._connector("replay", "--dead", "--because", "scan")
            for side in ("fhir", "v2"):
                happened = await self._partners.until(side, mood)
                self._ended(f"{side} partner: {mood}", str(happened), ("True",))

    # --- what people call

    async def _commands(self) -> None:
        good, broken = self._elsewhere / "good", self._elsewhere / "broken"
        for file, path in ((good, "command: message taken"), (broken, "command: message broken")):
            word = self._word(path)  # control ids are what these commands print
            file.write_bytes(_admission(word).replace(f"|C{word}|".encode(), f"|{file.name}|".encode()))
        broken.write_bytes(broken.read_bytes().replace(b"\rPID|", b"\rPID"))
        backup = self._site.folder / "canary.backup"
        for arguments, code in (
            (("take", "--link", "demo", str(good)), "0"),
            (("take", "--link", "demo", str(broken)), "1"),
            (("edit", "message", "1", "--file", str(broken), "--because", "scan"), "1"),
            (("status", "--dead"), "0"),
            (("queue", "list"), "0"),
            (("queue", "why"), "0"),
            (("queue", "find", "--state", "delivered"), "0"),
            (("queue", "show", "message", "1"), "0"),
            (("queue", "show", "delivery", "1"), "0"),
            (("conflicts", "list"), "0"),
            (("backup", str(backup)), "0"),
            (("restore", "--drill", str(backup)), "0"),
        ):
            ended = await self._connector(*arguments)
            words = " ".join(one for one in arguments[:3] if "/" not in one)
            self._ended(f"command: {words}", str(ended), (code,))

    async def _connector(self, *arguments: str) -> int:
        """What a command prints is kept; its exit code."""
        command = (sys.executable, "-c", _RUN, *arguments, "--config", str(self._site.config))
        started = await asyncio.create_subprocess_exec(
            *command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(self._temporary)},
        )
        printed, _ = await started.communicate()
        self.said[f"command: {' '.join(arguments[:2])} {len(self.said)}"] = printed
        return started.returncode or 0

    # --- the end

    async def _kill(self) -> None:
        """In the middle of something, and with what the process shows of itself."""
        path = "v2 before the kill"
        message = _admission(self._word(path))
        for number in range(20):
            await self._v2(path, message.replace(b"|C", b"|%d" % number, 1), YES)
        process = self._processes.running("connector")
        self.process = b"\n".join(_shown(process.pid))
        self._ended("core dumps", _core(process.pid), ("0",))
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def _shown(pid: int) -> Iterator[bytes]:
    """What everybody on the machine may see of a process."""
    proc = Path(f"/proc/{pid}")
    for name in ("cmdline", "comm", "environ"):
        with contextlib.suppress(OSError):
            yield (proc / name).read_bytes()
    with contextlib.suppress(OSError):
        yield from (os.readlink(one).encode() for one in (proc / "fd").iterdir())


def _core(pid: int) -> str:
    """How large a core file of a process may be."""
    limits = Path(f"/proc/{pid}/limits").read_text(encoding="ascii").splitlines()
    return next((line.split()[4] for line in limits if line.startswith("Max core file size")), "")


def _admission(word: str) -> bytes:
    """A message with a word wherever words of people stand; its control id ends in it."""
    lines = (
        f"MSH|^~\\&|STVADT|STV|CONNECTOR|DEMO|20260101120000||ADT^A08^ADT_A01|C{word}|P|2.5.1"
        "|||||||UNICODE UTF-8",
        "EVN|A08|20260101120000",
        f"PID|1||{word}^^^STV^MR~{word}9^^^STV^AN||{word}^{word}^{word}||19700101|M||"
        f"|{word}^^Haus {word}^^1010^AT||{word}^PRN^PH^{word}@x.example||||||{word}",
        f"NK1|1|{word}^{word}|MTH|{word}^^{word}||{word}",
        f"PV1|1|I|{word}^{word}^{word}||||{word}^{word}^{word}|||||||||||I|{word}^^^STV",
        f"ZPI|1|{word}",
    )
    return "".join(f"{line}\r" for line in lines).encode()


def _patient(word: str, identity: str) -> dict[str, object]:
    return {
        "resourceType": "Patient",
        "id": identity,
        "identifier": [{"system": "urn:oid:2.999.1.1", "value": word, "type": {"coding": [{"code": "MR"}]}}],
        "name": [{"family": word, "given": [word]}],
        "address": [{"line": [word], "city": word}],
        "telecom": [{"system": "phone", "value": word}],
    }


Asked = tuple[str, str, str, bytes, dict[str, str], tuple[str, ...]]


def _asked(word: Callable[[str], str]) -> Iterator[Asked]:
    """Requests to the API: path, method, address, body, other headers, the good answers."""
    secret = word("FHIR taken")
    yield "FHIR taken", "PUT", f"/fhir/Patient/{secret}", _json(_patient(secret, secret)), {}, ("202",)
    secret = word("FHIR no JSON")
    yield "FHIR no JSON", "POST", "/fhir/Patient", f'{{"resourceType": "{secret}'.encode(), {}, ("400",)
    secret = word("FHIR element unknown")
    wrong = {**_patient(secret, "x"), secret: secret}
    yield "FHIR element unknown", "PUT", "/fhir/Patient/x", _json(wrong), {}, ("400", "422")
    secret = word("FHIR value wrong")
    wrong = {**_patient(secret, "x"), "birthDate": secret}
    yield "FHIR value wrong", "PUT", "/fhir/Patient/x", _json(wrong), {}, ("400", "422")
    secret = word("FHIR type unknown")
    yield "FHIR type unknown", "POST", f"/fhir/{secret}", _json({"resourceType": secret}), {}, ("400", "404")
    secret = word("FHIR bundle broken")
    wrong = {"resourceType": "Bundle", "type": "transaction", "entry": [{"resource": {secret: 1}, secret: 2}]}
    yield "FHIR bundle broken", "POST", "/fhir", _json(wrong), {}, ("400", "422")
    secret = word("FHIR address")
    yield "FHIR address", "GET", f"/fhir/{secret}/{secret}?{secret}={secret}", b"", {}, ("400", "404", "405")
    secret = word("FHIR headers")
    headers = dict.fromkeys(("if-match", "x-request-id", "user-agent", "prefer"), secret)
    headers["content-type"] = f"text/{secret}"
    yield "FHIR headers", "PUT", "/fhir/Patient/x", _json(_patient(secret, "x")), headers, _WRONG
    secret = word("FHIR XML")
    kind, content = {"content-type": "application/fhir+xml"}, f"<Patient><id value='{secret}'/></Patient>"
    yield "FHIR XML", "POST", "/fhir/Patient", content.encode(), kind, ("415",)
    secret = word("FHIR token")
    token = {"authorization": f"Bearer {secret}.{secret}.{secret}"}
    yield "FHIR token", "PUT", "/fhir/Patient/x", _json(_patient(secret, "x")), token, ("401",)
    secret = word("address unknown")
    yield "address unknown", "POST", f"/{secret}/{secret}?{secret}", secret.encode(), {}, ("404", "405")


def _json(content: object) -> bytes:
    return json.dumps(content).encode()


def scan(site: Site) -> Report:
    """Walk every path of a fresh site and search all that is left. Raises ``UnableToWork``."""
    with TemporaryDirectory(prefix="canaries-") as elsewhere:
        walk = Walk(site, Path(elsewhere))
        asyncio.run(walk.all())
    search = Search(walk.words)
    _prove(search, walk.words)
    hits = [hit for where, content in walk.said.items() for hit in search.text(where, content)]
    hits += search.text("what the process shows of itself", walk.process)
    hits += search.folder(site.folder)
    files = sum(1 for one in site.folder.rglob("*") if one.is_file())
    return Report(walk.walked, walk.wrong, hits, search.searched, files)


def _prove(search: Search, words: Mapping[str, str]) -> None:
    """A search that finds nothing proves something only if it finds what is there."""
    for path, word in words.items():
        for name, form in forms(word).items():
            if Hit("", path) not in set(search.text("", b"\0before" + form + b"after")):
                raise UnableToWork(f"the search is blind for {name.partition('/')[2]}")
    search.searched = 0
