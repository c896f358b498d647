"""Who asks S3: each link of the chain gives its identity, once, to whatever asks; no key is ever shown."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from tenure.errors import InvalidConfig, StorageError
from tenure.storage import credentials
from tenure.storage.s3 import S3Location
from tenure.storage.settings import S3Settings

STS = (
    '<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
    "<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>canary-secret</SecretAccessKey><SessionToken>t</SessionToken>"
    "<Expiration>2037-01-01T00:00:00Z</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s"
    "</Arn><AssumedRoleId>A:s</AssumedRoleId></AssumedRoleUser></{action}Result></{action}Response>"
)


class Witness(BaseHTTPRequestHandler):
    """S3, STS, a container's and an instance's metadata, which note who asked for what."""

    def answer(self, content=b"", status=200):
        self.server.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Wed, 01 May 2024 00:00:00 GMT")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def temporary(self, key):
        ends = datetime.now(UTC) + timedelta(seconds=self.server.lasts)
        named = {"AccessKeyId": key, "SecretAccessKey": "canary-secret", "Token": "t", "Code": "Success"}
        return json.dumps(named | {"Expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}", "LastUpdated": "2024-01-01T00:00:00Z"})

    def do_GET(self):
        if self.path == "/container":
            self.server.renewals += 1
            self.answer(self.temporary(f"CONTAINER{self.server.renewals}").encode())
        elif self.path.endswith("/security-credentials/"):
            self.answer(b"role")
        elif self.path.endswith("/security-credentials/role"):
            self.answer(self.temporary("INSTANCE").encode())
        else:
            self.answer()

    def do_HEAD(self):
        self.answer()

    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(b"token" if self.path.startswith("/latest") else b"")

    def do_POST(self):
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        action = "AssumeRoleWithWebIdentity" if "WebIdentity" in sent else "AssumeRole"
        key = "WEBIDENTITY" if "WebIdentity" in sent else "ROLE"
        self.answer(STS.format(action=action, key=key).encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def witness():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Witness)
    server.asked, server.renewals, server.lasts = [], 0, 3600
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield SimpleNamespace(server=server, url=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    server.server_close()


@pytest.fixture
def machine(tmp_path, monkeypatch, witness):
    """A machine that knows nobody: no environment, no AWS files, no metadata."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", witness.url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    credentials._client_or_refusal.cache_clear()
    yield tmp_path
    credentials._client_or_refusal.cache_clear()


def from_environment(machine, monkeypatch, witness):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "ENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")


def from_profile(machine, monkeypatch, witness):
    (machine / "credentials").write_text("[bank]\naws_access_key_id = PROFILE\naws_secret_access_key = canary-secret\n")


def from_role(machine, monkeypatch, witness):
    (machine / "credentials").write_text("[base]\naws_access_key_id = BASE\naws_secret_access_key = canary-secret\n")
    (machine / "config").write_text("[profile bank]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = base\n")


def from_web_identity(machine, monkeypatch, witness):
    (machine / "token").write_text("canary-token")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(machine / "token"))
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/r")


def from_container(machine, monkeypatch, witness):
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{witness.url}/container")


def from_instance(machine, monkeypatch, witness):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", witness.url)


LINKS = {
    "ENVIRONMENT": (from_environment, ""),
    "PROFILE": (from_profile, "bank"),
    "ROLE": (from_role, "bank"),
    "WEBIDENTITY": (from_web_identity, ""),
    "CONTAINER1": (from_container, ""),
    "INSTANCE": (from_instance, ""),
}


def asked_as(witness):
    """The keys by which S3 was asked."""
    signed = [who for _, path, who in witness.server.asked if path.startswith("/first-bank")]
    return {who.partition("Credential=")[2].partition("/")[0] for who in signed}


def settings(witness, profile=""):
    return S3Settings(endpoint=witness.url, region="us-east-1", path_style=True, profile=profile)


@pytest.mark.parametrize("key", LINKS)
def test_each_link_of_the_chain_gives_its_identity_to_every_request(machine, monkeypatch, witness, key):
    prepare, profile = LINKS[key]
    prepare(machine, monkeypatch, witness)
    place = S3Location("first-bank", "x", settings(witness, profile))
    place.stat()
    place.read_bytes()
    place.write(b"")
    assert asked_as(witness) == {key}


def test_credentials_that_end_during_a_run_are_renewed(machine, monkeypatch, witness):
    from_container(machine, monkeypatch, witness)
    witness.server.lasts = 5  # Less than ten minutes: botocore renews before the next request.
    place = S3Location("first-bank", "x", settings(witness))
    for _ in range(3):
        place.stat()
    assert len(asked_as(witness)) == 3


def test_without_credentials_it_is_said_where_they_are_looked_for(machine, witness):
    with pytest.raises(StorageError, match="no credentials for S3 were found") as refused:
        S3Location("first-bank", "x", settings(witness)).stat()
    assert "AWS_PROFILE" in refused.value.hint


def test_a_profile_that_no_file_names_is_said(machine, witness):
    with pytest.raises(InvalidConfig, match=r"\[s3\] profile is 'bnak', and no AWS file names it"):
        S3Location("first-bank", "x", settings(witness, "bnak")).stat()


def test_metadata_that_nobody_answers_are_asked_once(machine, monkeypatch, witness):
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")
    asked = []
    found = credentials._session

    def noted(chosen):
        asked.append(chosen)
        return found(chosen)

    monkeypatch.setattr(credentials, "_session", noted)
    for _ in range(3):
        with pytest.raises(StorageError, match="no credentials"):
            S3Location("first-bank", "x", settings(witness)).stat()
    assert len(asked) == 1


def test_a_refusal_shows_no_key(machine, monkeypatch, witness):
    from_environment(machine, monkeypatch, witness)
    monkeypatch.setattr(Witness, "do_HEAD", lambda self: self.answer(status=403))
    with pytest.raises(StorageError, match="S3 refuses 's3://first-bank/x'") as refused:
        S3Location("first-bank", "x", settings(witness)).stat()
    assert "canary" not in f"{refused.value.message} {refused.value.hint} {refused.value.original}"
    assert "ENVIRONMENT" not in f"{refused.value.message} {refused.value.hint}"
