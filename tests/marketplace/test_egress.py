"""The one door to addresses that people gave: what is refused, and that what was checked is what is spoken to."""

import ipaddress
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from marketplace import addresses, egress
from marketplace.errors import AddressRefused

RULES = addresses.Rules()
AT_HOME = addresses.Rules(is_loopback_open=True)


def leads_to(*ips):
    return lambda host, port: [ipaddress.ip_address(ip) for ip in ips]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com",
        "https://Example.COM:8443/hooks/1?of=me",
        "https://93.184.216.34/",
        "https://[2606:2800:220:1::1]/",
        "https://xn--bcher-kva.example.com/",
        "https://a.b.c.example.com/%2e%2e",
    ],
)
def test_a_public_address_is_taken(url):
    assert egress.check(url, rules=RULES, resolver=leads_to("93.184.216.34")).host


@pytest.mark.parametrize(
    "url",
    [
        "", "https://", "https:///x", "example.com", "//example.com", "http://example.com/", "ftp://example.com/",
        "file:///etc/passwd", "gopher://example.com/", "https://user@example.com/", "https://a:b@example.com/",
        "https://example.com@127.0.0.1/", "https://example.com:22/", "https://example.com:0/", "https://example.com:99999/",
        "https://example.com:x/", "https://localhost/", "https://localhost.:443/", "https://intranet/", "https://127.0.0.1/",
        "https://127.1/", "https://2130706433/", "https://0x7f000001/", "https://0x7f.1/", "https://0177.0.0.1/",
        "https://127.0.0.1./", "https://example.0x7f/", "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:a9fe:a9fe]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[2002:7f00:1::]/", "https://[fe80::1]/",
        "https://[fe80::1%25eth0]/", "https://[fd00:ec2::254]/", "https://[2001:db8::1]/", "https://[2001::1]/",
        "https://[::127.0.0.1]/", "https://0.0.0.0/", "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/",
        "https://100.64.0.1/", "https://169.254.169.254/latest/meta-data/", "https://168.63.129.16/", "https://192.0.0.192/",
        "https://198.18.0.1/", "https://224.0.0.1/", "https://255.255.255.255/", "https://exa mple.com/", "https://example.com\\@a.com/",
        "https://example.com\n/", "https://example.com/\r\nX: y", "https://ex\u00e4mple.com/", "https://\uff11\uff12\uff17.0.0.1/",
        "https://127\u30020.0.1/", "https://example\u3002com/", "https://\u2488.example.com/", "https://-example.com/", "https://example-.com/",
        "https://example..com/", "https://.example.com/", "https://example.com./", f"https://{'a' * 64}.com/", f"https://example.com/{'a' * 500}",
        "https://example.com/#part", "https://[::1", "https://]/", "https://%31%32%37.0.0.1/",
    ],
)  # fmt: skip
def test_a_hostile_address_is_refused_before_anybody_is_asked(url):
    def nobody(host, port):
        raise AssertionError(f"{host} was looked up")

    with pytest.raises(AddressRefused) as refused:
        egress.check(url, rules=RULES, resolver=nobody)
    assert refused.value.fields["reason"]


@pytest.mark.parametrize(
    "ips",
    [
        ("127.0.0.1",), ("93.184.216.34", "10.0.0.1"), ("169.254.169.254",), ("::1",), ("::ffff:10.0.0.1",),
        ("64:ff9b::a00:1",), ("2002:a00:1::",), ("fe80::1%eth0",), ("fc00::1",), ("100.100.100.200",), (), ("ff02::1",),
    ],
)  # fmt: skip
def test_a_name_that_leads_inside_is_refused_though_it_also_leads_outside(ips):
    with pytest.raises(AddressRefused):
        egress.check("https://example.com/", rules=RULES, resolver=leads_to(*ips))


@contextmanager
def receiver(answer):
    """Serve on loopback; answer: a function of the handler. Yields the address and what was asked."""
    seen = []

    class Receiving(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.close_connection = True
            answer(self)

        def do_GET(self):
            seen.append((self.path, {}, b""))

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiving)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?a=b", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def says(status, body=b"", **headers):
    def answer(handler):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        with suppress(OSError):
            handler.wfile.write(body)

    return answer


def post(url, **options):
    return egress.post(url, body=b"{}", headers={"webhook-id": "1"}, rules=AT_HOME, **options)


def test_what_was_sent_arrives_and_what_was_said_comes_back():
    with receiver(says(200, b"thanks\x00")) as (url, seen):
        answer = post(url)

    assert (answer.status, answer.body, answer.fault) == (200, "thanks�", "")
    path, headers, body = seen[0]
    assert (path, body, headers["webhook-id"]) == ("/hook?a=b", b"{}", "1")
    assert headers["host"] == url.split("/")[2]


def test_the_connection_goes_where_the_name_was_checked_to_lead_and_it_is_asked_once():
    asked = []

    def resolver(host, port):
        asked.append(host)
        return [ipaddress.ip_address("127.0.0.1")]

    with receiver(says(204)) as (url, seen):
        port = url.split(":")[2].split("/")[0]
        rules = addresses.Rules(ports=frozenset({int(port)}), is_loopback_open=True)
        named = url.replace("127.0.0.1", "localhost")
        answer = egress.post(named, body=b"", headers={}, rules=rules, resolver=resolver)

    assert (answer.status, asked) == (204, ["localhost"])
    assert seen[0][1]["host"] == f"localhost:{port}"


def test_a_redirect_is_an_answer_and_not_followed():
    with receiver(says(302, Location="/elsewhere")) as (url, seen):
        answer = post(url)

    assert (answer.status, len(seen)) == (302, 1)


def test_no_proxy_of_the_environment_is_used(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    with receiver(says(200)) as (url, _):
        assert post(url).status == 200


def test_of_a_huge_answer_the_beginning_is_kept_and_no_more_is_read():
    with receiver(says(500, b"x" * 5_000_000)) as (url, _):
        answer = post(url)

    assert (answer.status, len(answer.body)) == (500, egress.ANSWER_KEPT_BYTES)


def drips(handler):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(2_000):
        try:
            handler.wfile.write(b"X-%d: y\r\n" % number)
        except OSError:
            return
        time.sleep(0.05)


def test_headers_that_drip_end_with_the_time_of_the_whole():
    with receiver(drips) as (url, _):
        answer = post(url, timeout_s=0.4)

    assert (answer.status, answer.fault) == (None, "no answer within 0.4 s")
    assert answer.took_ms < 30_000  # of a hundred seconds, had it waited for the last


def test_nobody_there_is_an_answer_too():
    with receiver(says(200)) as (url, _):
        pass

    assert (post(url).status, post(url).fault) == (None, "no connection")


def test_tls_is_checked_on_the_name_though_the_connection_goes_to_the_address(tmp_path):
    tls, server_tls = certificate_for("hooks.example.com", tmp_path)
    with receiver(says(200)) as (url, seen), secured(server_tls) as port:
        del url, seen
        rules = addresses.Rules(ports=frozenset({port}), is_loopback_open=True)
        right, wrong = (
            egress.post(
                f"https://{host}:{port}/",
                body=b"",
                headers={},
                rules=rules,
                tls=tls,
                resolver=leads_to("127.0.0.1"),
            )
            for host in ("hooks.example.com", "other.example.com")
        )

    assert right.status == 200
    assert (wrong.status, wrong.fault) == (None, "its certificate is not valid for its name")


@contextmanager
def secured(context):
    class Receiving(BaseHTTPRequestHandler):
        def do_POST(self):
            self.close_connection = True
            says(200)(self)

        def log_message(self, *words):
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass

    server = Quiet(("127.0.0.1", 0), Receiving)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def certificate_for(name, folder):
    """Make a certificate of a name, and the two ends' contexts."""
    import ssl
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.fromtimestamp(time.time(), UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject).issuer_name(subject).public_key(key.public_key())
        .serial_number(1).not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = made.public_bytes(serialization.Encoding.PEM)
    file = folder / "both.pem"
    file.write_bytes(
        pem
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return ssl.create_default_context(cadata=pem.decode()), server
