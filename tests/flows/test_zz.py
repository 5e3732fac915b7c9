import time, sys
from tests.flows.conftest import *
def test_time(make_base, harness):
    from flows.sync import run_as_flow
    from index.sync import Sync
    for n in (70, 640):
        for name, f in (("direct", lambda m: Sync(m).run()), ("flow", run_as_flow)):
            b = make_base(f"{name}{n}", documents=n)
            with b.open() as m:
                m.parser.warm()
                t=time.time(); f(m); a=time.time()-t
                t=time.time(); f(m); z=time.time()-t
                print(f"TIMING {name} {n} docs {a:.2f} noop {z:.2f}", file=sys.__stderr__)
