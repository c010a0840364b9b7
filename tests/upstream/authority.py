"""Certificates by an authority of the tests' own, made by openssl."""

from .basics import run


class Authority:
    """An authority that signs what it is asked to."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.certificate, self._key = folder / f"{name}.pem", folder / f"{name}.key"
        run("openssl", "req", "-x509", *_new(self._key), "-days", "30", "-subj", f"/CN={name}", "-out", self.certificate,
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")

    def sign(self, name, addresses=(), use="serverAuth"):
        """A certificate for `name`, with its key: two paths."""
        certificate, key = self.folder / f"{name}-{self.name}.pem", self.folder / f"{name}-{self.name}.key"
        request, extensions = certificate.with_suffix(".csr"), certificate.with_suffix(".ext")
        names = ",".join([f"DNS:{name}", *(f"IP:{address}" for address in addresses)])
        extensions.write_text(f"subjectAltName={names}\nextendedKeyUsage={use}\nbasicConstraints=CA:FALSE\n", encoding="ascii")
        run("openssl", "req", *_new(key), "-subj", f"/CN={name}", "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
            "-days", "30", "-extfile", extensions, "-out", certificate)
        return certificate, key


def _new(key):
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key]
