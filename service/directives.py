"""The one list of directives: what each is called, and the order in which filters run.

A filter module in `service/filters/` has
    Options                      a frozen dataclass
    parse(directive) -> Options  raises CaddyfileError with file and line; needs no secrets, no network
    build(options, site) -> Filter | None   wires start-up, shutdown and status into the site
"""
