"""Train the bundled runs again and record them: ``python -m cnnwidgets.samples.record [NAME ...]``."""

import argparse

from cnnwidgets.methods.diagnosis import diagnose
from cnnwidgets.methods.recorded import RECORDED, RECORDED_RACES, record, record_race
from cnnwidgets.methods.sick_runs import SICK_RUNS, record_sick_run

if __name__ == "__main__":
    names = [*RECORDED, *SICK_RUNS, *RECORDED_RACES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=names, metavar="NAME", help=", ".join(names))
    for name in parser.parse_args().names:
        if name in RECORDED:
            print(f"{name}: {record(name).judged}", flush=True)
        elif name in RECORDED_RACES:
            print(f"{name}: {record_race(name).summary}", flush=True)
        else:
            print(f"{name}: {diagnose(record_sick_run(name)).summary.splitlines()[0]}", flush=True)
