def test_c(confluence, make, tmp_path):
    from tests.connectors.ingest.conftest import CONFLUENCE
    confluence.put("Leave: a/b", "<p>Hello</p>")
    for i in range(9): confluence.put(f"P{i}", "x")
    c = make("confluence", {**CONFLUENCE, "spaces": ["KB"]})
    print(c.probe())
    l = c.list(); es=list(l); print(l.errors, es[0], len(es), l.complete)
    print(confluence.asked)
    for e in es: assert c.stat(e.uri) == e, (c.stat(e.uri), e)
    f=c.fetch(es[0].uri, tmp_path/"x"); print(f, (tmp_path/"x").read_text())
    assert f.entry == es[0]
def test_s(graph, make, tmp_path):
    from tests.connectors.ingest.conftest import SHAREPOINT
    graph.put("a b/c%41 #d.md", b"hello")
    for i in range(9): graph.put(f"P{i}.md", b"x")
    c = make("sharepoint", {**SHAREPOINT})
    try:
        print(c.probe())
        l = c.list(); es=list(l); print(l.errors, es[0], len(es), l.complete)
        for e in es: assert c.stat(e.uri) == e, (c.stat(e.uri), e)
        f=c.fetch(es[-1].uri, tmp_path/"x"); print(f, (tmp_path/"x").read_text())
        assert f.entry == es[-1]
    finally:
        print("\n".join(graph.asked))
def test_n(notion, make, tmp_path):
    from tests.connectors.ingest.conftest import NOTION
    notion.page("Leave: a/b", "hello there")
    t=notion.block(notion.root, "toggle", "toggle")
    notion.page("hidden", "in toggle", t)
    d=notion.database("rows"); notion.page("row1","row text", d)
    for i in range(5): notion.page(f"p{i}","x")
    notion.pass_time(minutes=10)
    c = make("notion", {**NOTION})
    try:
        print(c.probe())
        l = c.list(); es=list(l); print(l.errors, es, len(es), l.complete)
        for e in es: assert c.stat(e.uri) == e, (c.stat(e.uri), e)
        for i,e in enumerate(es):
            f=c.fetch(e.uri, tmp_path/f"x{i}"); print((tmp_path/f"x{i}").read_text())
            assert f.entry == e
    finally:
        print("\n".join(notion.asked))
