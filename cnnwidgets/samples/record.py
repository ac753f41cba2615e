"""Train the bundled runs again and record them: ``python -m cnnwidgets.samples.record [NAME ...]``."""

import argparse

from cnnwidgets.methods.recorded import RECORDED, record

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[*RECORDED], metavar="NAME", help=", ".join(RECORDED))
    for name in parser.parse_args().names:
        print(f"{name}: {record(name).judged}", flush=True)
