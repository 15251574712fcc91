"""The one list of directives: what each is called, and the order in which filters run.

A filter module in `service/filters/` has
    Options                      a frozen dataclass
    parse(directive) -> Options  called once for each occurrence; raises CaddyfileError with
                                 file and line; needs no secrets, no network
    build(options, site) -> Filter | None
                                 called once for each site: `options` is the tuple of what parse
                                 gave for each occurrence in file order, never empty; wires
                                 start-up, shutdown and status into the site

Only `redir` and `reauth` may occur more than once in a block; a second of any other directive is
an error at its line, found before `build`, so their build may take `(one,) = options`.
"""
