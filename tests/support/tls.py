"""A certificate authority that lives as long as one test: made with the openssl command, trusted by nobody else."""

import ssl
import subprocess
from pathlib import Path


class ThrowawayCa:
    """`ca_file` is what a client must trust (`SSL_CERT_FILE`); `server_context()` is what a stand-in serves with."""

    def __init__(self, folder: Path, name: str = "Throw-away CA") -> None:
        self._folder = folder
        self.ca_file = folder / "ca.pem"
        self._ca_key = folder / "ca.key"
        _openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
            "-keyout", str(self._ca_key), "-out", str(self.ca_file),
        )  # fmt: skip

    def server_context(self, names: tuple[str, ...] = ("localhost", "127.0.0.1"), *, expired: bool = False) -> ssl.SSLContext:
        """Return a server context with a fresh certificate for these host names and addresses."""
        stem = self._folder / f"server-{len(list(self._folder.glob('server-*.pem')))}"
        key, request, certificate, extensions = (stem.with_suffix(suffix) for suffix in (".key", ".csr", ".pem", ".ext"))
        shown = ",".join(f"{'IP' if name.replace('.', '').isdigit() or ':' in name else 'DNS'}:{name}" for name in names)
        extensions.write_text(
            f"subjectAltName={shown}\nextendedKeyUsage=serverAuth\nkeyUsage=digitalSignature\n"
            "authorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\nbasicConstraints=CA:FALSE\n"
        )
        _openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={names[0]}",
            "-keyout", str(key), "-out", str(request),
        )  # fmt: skip
        _openssl(
            "x509", "-req", "-in", str(request), "-CA", str(self.ca_file), "-CAkey", str(self._ca_key), "-CAcreateserial",
            "-days", "-1" if expired else "2", "-extfile", str(extensions), "-out", str(certificate),
        )  # fmt: skip
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a client context that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.ca_file))


def _openssl(*arguments: str) -> None:
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
