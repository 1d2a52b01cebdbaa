"""docs/openapi.yaml is what the code says of itself, without a warning."""

from django.core.management import call_command

from tests.project import tree


def test_the_written_description_of_the_api_is_that_of_the_code(tmp_path):
    written = tmp_path / "openapi.yaml"

    call_command("spectacular", file=str(written), validate=True, fail_on_warn=True)

    kept = tree.ROOT / "docs" / "openapi.yaml"
    assert written.read_text() == kept.read_text(), "run `make openapi`"


def test_the_server_gives_its_description_as_json(client):
    answer = client.get("/api/v1/openapi.json")

    assert answer.status_code == 200
    assert answer.json()["info"]["title"] == "Subnet marketplace"
    problem = answer.json()["paths"]["/api/v1/network/"]["get"]["responses"]["default"]
    assert list(problem["content"]) == ["application/problem+json"]
