from opsctl.config import document, load, show

TEXT = """\
name: caddy
network: {vpc: vpc-00000001, subnets: [subnet-0000000a, subnet-0000000b]}
ecs: {environment: {JWT_SECRET: hunter2, PLAIN: text}, secrets: {A: "ssm:/a"}}
image: {build_args: {NPM_TOKEN: hunter2}}
"""


def test_rows_have_plain_values_and_mask_what_looks_secret() -> None:
    file = document.parse(TEXT, "f")
    rows = {row.key: row.value for row in show.rows(load.link(file, environment=None, environ={}))}
    assert rows["ecs.environment.JWT_SECRET"] == rows["image.build_args.NPM_TOKEN"] == "****"
    assert rows["ecs.environment.PLAIN"] == "text"
    assert rows["ecs.secrets.A"] == "ssm:/a"
    assert rows["compute.cooldown"] == "5m"
    assert rows["network.subnets"] == ["subnet-0000000a", "subnet-0000000b"]
    assert "environment" not in rows
