"""Pixels that a program made of cases, kept in two files: the cases as JSON, the pixels as 32-bit floats packed by gzip."""

import argparse
import gzip
import json
import sys

import numpy as np


def largest_difference(index_file, pixels_file, index, pixels, peer, tolerance):
    """Of the pixels that are kept to those made anew; cases that differ, or pixels by more than is allowed, end the script."""
    if json.loads(index_file.read_text()) != json.loads(json.dumps(index)):
        sys.exit(f"error: {index_file.name} holds other cases than this script: run it without --check")
    kept = np.frombuffer(gzip.decompress(pixels_file.read_bytes()), "<f4")
    if kept.shape != pixels.shape:
        sys.exit(f"error: {pixels_file.name} holds {kept.size} values, expected {pixels.size}")
    largest = np.abs(kept.astype(float) - pixels.astype(float)).max()
    if not largest <= tolerance:
        sys.exit(f"error: {pixels_file.name} differs from {peer} by up to {largest:.1e}, allowed {tolerance}")
    return largest


def write_pixels(pixels_file, pixels):
    """Writes them, the same bytes every time; their number."""
    return pixels_file.write_bytes(gzip.compress(pixels.tobytes(), 9, mtime=0))


def main(description, check, write, answers):
    """Makes the answers, and checks or writes them as the command line says."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    (check if parser.parse_args().check else write)(*answers())
