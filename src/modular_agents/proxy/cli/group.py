"""The verbs of `anton proxy`, in the order in which a person needs them."""

from modular_agents.proxy.cli import (
    correct,
    dashboard,
    demo,
    diff,
    env,
    export,
    gc,
    graph,
    import_,
    link,
    ls,
    prices,
    relink,
    reprice,
    search,
    show,
    start,
    stats,
    status,
    tail,
    verify,
)
from modular_agents.proxy.cli.verb import add, group

EPILOG = """\
First steps:
  anton proxy demo                 look around without an API key
  anton proxy start --dashboard    start recording
  eval "$(anton proxy env)"        send this shell's model calls through the proxy

Exit codes: 0 done, 1 failed, 2 wrong use, 3 no proxy is running, 4 nothing has that id.
"""

proxy = group("proxy", "See every model call an app makes: record, look, search.", EPILOG)
add(proxy, start.start, start.EXAMPLES)
add(proxy, dashboard.dashboard, dashboard.EXAMPLES)
add(proxy, env.env, env.EXAMPLES)
add(proxy, ls.ls, ls.EXAMPLES)
add(proxy, search.search, search.EXAMPLES)
add(proxy, show.show, show.EXAMPLES)
add(proxy, tail.tail, tail.EXAMPLES)
add(proxy, graph.graph, graph.EXAMPLES)
add(proxy, diff.diff, diff.EXAMPLES)
add(proxy, correct.correct, correct.EXAMPLES)
add(proxy, status.status, status.STATUS_EXAMPLES)
add(proxy, status.stop, status.STOP_EXAMPLES)
add(proxy, verify.verify, verify.EXAMPLES)
add(proxy, link.link, link.EXAMPLES)
add(proxy, stats.stats, stats.EXAMPLES)
add(proxy, prices.prices, prices.EXAMPLES)
add(proxy, relink.relink, relink.EXAMPLES)
add(proxy, reprice.reprice, reprice.EXAMPLES)
add(proxy, gc.gc, gc.EXAMPLES)
add(proxy, export.export, export.EXAMPLES)
add(proxy, import_.import_, import_.EXAMPLES)
add(proxy, demo.demo, demo.EXAMPLES)
