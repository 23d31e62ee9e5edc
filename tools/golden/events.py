# SPDX-License-Identifier: Apache-2.0
"""Writes tests/golden/events.bin with TensorBoard's own record writer and messages: what tests/unit/test_events.c must
write byte for byte. Needs the package tensorboard.

    python3 tools/golden/events.py tests/golden/events.bin
"""

import sys

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

PNG = bytes(range(250, 256)) + b"not a picture"


def main():
    value = Summary.Value
    events = [
        Event(wall_time=1700000000.5, file_version="brain.Event:2"),
        Event(wall_time=1700000000.5, step=8, session_log=SessionLog(status=SessionLog.START)),
        Event(wall_time=1700000001.25, step=8, summary=Summary(value=[value(tag="train/loss", simple_value=2.302585),
                                                                      value(tag="train/lr", simple_value=0.001)])),
        Event(wall_time=1700000002.0, step=10**12, summary=Summary(value=[value(tag="val/精度", simple_value=0.0)])),
        Event(wall_time=1700000003.0, summary=Summary(value=[value(tag="val/picture", image=Summary.Image(
            height=2, width=300, colorspace=3, encoded_image_string=PNG))])),
    ]
    with open(sys.argv[1], "wb") as f:
        writer = RecordWriter(f)
        for e in events:
            writer.write(e.SerializeToString())
        writer.flush()


main()
