"""The bridge and a broker that speaks TLS, with a certificate that the system does not know by itself."""

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.parts.mosquitto import free_port, start_mosquitto
from tests.stack.load import Hub, Load, check_nothing_lost, wait_for_bridge
from tests.stack.parts import MOSQUITTO, open_history, start_publisher


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a broker")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "broker.crt", folder / "broker.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return certificate_file, key_file


def test_a_bridge_trusts_the_broker_whose_certificate_it_is_given_and_no_other(tmp_path: Path, hub: Hub):
    certificate, key = make_certificate(tmp_path)
    port = free_port()
    tls = (f"listener {port} 127.0.0.1", f"certfile {certificate}", f"keyfile {key}")
    with (
        start_mosquitto(tmp_path, (*MOSQUITTO, *tls)) as broker,
        start_publisher(broker) as publisher,
    ):
        environment = hub(broker, HUB_MQTT_URL=f"mqtts://127.0.0.1:{port}")
        load = Load(publisher)
        with environment.start("bridge") as stranger:
            stranger.wait_for_output("certificate verify failed")
        environment.variables["SSL_CERT_FILE"] = str(certificate)
        with open_history(environment) as history, environment.start("bridge") as bridge:
            wait_for_bridge(history)
            load.send(3_000)
            check_nothing_lost(history, load)
            assert bridge.stop() == 0
