#!/usr/bin/python3
"""Put what a program prints of its tables into a manual page's source.

  make_manual.py SOURCE.scd PROGRAM OPTION... < nothing > PAGE.scd

The line @TABLES@ of SOURCE.scd is replaced by the output of PROGRAM OPTION...
"""
import subprocess
import sys

source = open(sys.argv[1], encoding="utf-8").read()
if "@TABLES@\n" not in source:
    sys.exit("%s: has no line @TABLES@" % sys.argv[1])
tables = subprocess.run(sys.argv[2:], check=True, capture_output=True, text=True, encoding="utf-8").stdout
sys.stdout.write(source.replace("@TABLES@\n", tables.rstrip("\n") + "\n"))
