import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from tests.devices.api.test_error_shape import EVERYTHING


@pytest.fixture(scope="module")
def document():
    return SchemaGenerator().get_schema(public=True)


def test_the_openapi_document_is_valid_and_complete(tmp_path):
    path = tmp_path / "schema.yaml"
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(path))
    assert yaml.safe_load(path.read_text())["openapi"].startswith("3.")


def test_every_operation_is_in_the_document(document):
    told = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    names = {"t1": "{device_id}", "thermostat": "{slug}", "1": "{rejection_id}"}
    wanted = {
        (method, "/api/v1/" + "/".join(names.get(part, part) for part in path.split("/")))
        for method, path in [*EVERYTHING, ("POST", "auth/login/")]
    }
    assert wanted == told


def test_every_refusal_in_the_document_has_the_one_shape(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for status, response in operation["responses"].items():
                if status >= "400":
                    schema = response["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Errors"}, (path, method, status)
            assert "401" in operation["responses"]


def test_sign_in_and_registering_a_device_come_with_examples(document):
    login = document["paths"]["/api/v1/auth/login/"]["post"]
    assert login["requestBody"]["content"]["application/json"]["examples"]
    create = document["paths"]["/api/v1/devices/"]["post"]
    assert create["requestBody"]["content"]["application/json"]["examples"]
    assert create["responses"]["201"]["content"]["application/json"]["examples"]


def test_the_document_is_served_to_everyone(client, db):
    answer = client.get("/api/v1/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    assert "/api/v1/devices/" in answer.json()["paths"]


def test_the_page_to_try_it_works_with_a_strict_content_security_policy(client, db):
    page = client.get("/api/docs/")
    assert page.status_code == 200
    policy = page["Content-Security-Policy"]
    assert "script-src 'self';" in f"{policy};"
    assert "style-src 'self' 'unsafe-inline'" in policy
    text = page.content.decode()
    assert "<script>" not in text
    assert 'src="/api/docs/?script="' in text
    assert "http://" not in text
    assert "https://" not in text
    assert client.get("/api/docs/?script=")["Content-Type"].startswith("application/javascript")


def test_styles_in_a_page_are_let_through_there_only(client, db):
    assert "unsafe-inline" not in client.get("/admin/login/")["Content-Security-Policy"]
